// What a client of the websocket sink sends, in any order with what it is sent: lines, the first byte of each says what
// happens, the rest is its bytes. It is sent one frame at a time and nothing behind a close, sees nothing before its
// token, and leaves nothing. And what a browser says of itself, in headers and paths, as our own reader of them takes
// it.
#include "json_text.hpp"
#include "must.hpp"
#include "server/access.hpp"
#include "server/client.hpp"
#include "server/origin.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace websocket;
using nfbus::fuzz::must;
using nlohmann::json;

constexpr std::size_t kMostWaiting = 200;

class Socket final : public Channel {
 public:
  void write(Text text) override {
    must(!is_busy && !is_closed, "one frame at a time, and none behind a close");
    must(*text == "success" || *text == "Authentication failure" || json::accept(*text),
         "what a client is told is JSON");
    is_busy = true;
  }
  void close(std::uint16_t code, std::string_view reason) override {
    must(!is_busy && !is_closed, "a close comes once, behind what is on its way");
    must(code >= 1000 && code < 1015 && reason.size() < 124, "a close that RFC 6455 knows");
    is_closed = true;
  }

  bool is_busy = false;
  bool is_closed = false;
};

class Owner final : public ClientOwner {
 public:
  void authenticate(const std::shared_ptr<Client>& client, std::string_view token) override {
    must(!has_token, "a client may try one token");
    has_token = true;
    if (token != "right") {
      wrong = client;
      return;
    }
    is_known = true;
    client->authenticated(true);
  }
  void sees(Client& client, const ViewSettings& /*settings*/, Text answer) override {
    must(is_known && !has_left, "only who is known and there sees something");
    if (answer) client.send(std::move(answer));
  }
  void missed_since(Client& /*client*/, const ViewSettings& /*settings*/, std::uint64_t /*number*/) override {
    must(is_known && !has_left, "only who is known and there asks for something");
  }
  nfbus::Result<SharedMatch> compile(const json& match) override {
    must(is_known, "only who is known has a match compiled");
    if (match.is_object()) return std::make_shared<const nfbus::Match>();
    return nfbus::Error{nfbus::Code::invalid, match.dump(-1, ' ', false, json::error_handler_t::replace)};
  }
  void was_slow(std::uint64_t dropped) override { must(dropped > 0, "who is slow missed something"); }
  void left(Client& /*client*/) override { must(!std::exchange(has_left, true), "a client leaves once"); }
  [[nodiscard]] bool may_wait(std::size_t bytes) const override { return bytes <= kMostWaiting; }
  void waiting_changed(std::int64_t bytes) override {
    waiting_bytes += bytes;
    must(waiting_bytes >= 0, "no less than nothing waits");
  }
  void after(std::chrono::milliseconds /*delay*/, std::function<void()> what) override {
    timers.push_back(std::move(what));
  }

  bool has_token = false;
  bool is_known = false;
  bool has_left = false;
  std::int64_t waiting_bytes = 0;
  std::vector<std::function<void()>> timers;
  std::shared_ptr<Client> wrong;
};

class Talk {
 public:
  explicit Talk(std::string_view how) {
    const bool by_frame = how.starts_with('f');
    const auto entry = by_frame               ? Client::Entry::by_frame
                       : how.starts_with('l') ? Client::Entry::let_in
                                              : Client::Entry::open;
    const Feed feed = how.ends_with('p') ? Feed::page : how.ends_with('n') ? Feed::notifications : Feed::events;
    owner_.is_known = !by_frame;
    client_ = std::make_shared<Client>(owner_, 1, feed, entry);
    client_->begun(socket_);
  }
  Talk(const Talk&) = delete;
  Talk& operator=(const Talk&) = delete;
  ~Talk() {
    while (socket_.is_busy) {
      socket_.is_busy = false;
      client_->written();
    }
    must(!owner_.has_left || socket_.is_closed, "who left is told so when all is sent");
    client_->ended();
    must(owner_.has_left && owner_.waiting_bytes == 0, "who is gone leaves nothing");
    run_timers();
    if (owner_.wrong) std::exchange(owner_.wrong, nullptr)->authenticated(false);
  }

  void go_on(char what, std::string_view bytes) {
    switch (what) {
      case 'r':
        if (!socket_.is_closed) client_->received(bytes);
        break;
      case 's':
        if (!owner_.is_known) break;

        client_->send(make_text(json_text(bytes)));
        break;
      case 'w':
        if (std::exchange(socket_.is_busy, false)) client_->written();
        break;
      case 't': run_timers(); break;
      case 'a':
        if (owner_.wrong) std::exchange(owner_.wrong, nullptr)->authenticated(false);
        break;
      default: break;
    }
  }

 private:
  static std::string json_text(std::string_view bytes) {
    std::string out;
    append_quoted(out, bytes);
    must(json::accept(out), "what is quoted is JSON");
    return out;
  }
  void run_timers() {
    for (const auto& what : std::exchange(owner_.timers, {})) what();
  }

  Owner owner_;
  Socket socket_;
  std::shared_ptr<Client> client_;
};

void check_site(std::string_view bytes) {
  Request request;
  const std::size_t tab = bytes.find('\t');
  request.headers.emplace_back("host", bytes.substr(0, tab));
  const std::optional<HostPort> host = host_port_of(request.header("host"));
  const bool is_ours = host && (host->is_address || host->host == "localhost");
  must(!refuse_site(request, {}) == is_ours, "without names our own are addresses and localhost");
  if (tab == std::string_view::npos) return;
  request.headers.emplace_back("origin", bytes.substr(tab + 1));
  const std::optional<HostPort> origin = origin_of(request.header("origin"));
  const bool is_let_in = !refuse_site(request, {});
  must(!is_let_in || (is_ours && origin && origin->host == host->host), "no page of another host is let in");
  if (origin) must(origin->port != 0 && !origin->host.empty(), "an origin has a host and a port");
}

void check_texts(std::string_view bytes) {
  const std::optional<std::string> decoded = percent_decoded(bytes, false);
  if (bytes.find('%') == std::string_view::npos) must(decoded == bytes, "without escapes it stays as it is");
  if (decoded) must(decoded->size() <= bytes.size(), "escapes are longer than what they say");
  Request request;
  request.query = std::string(bytes);
  static_cast<void>(request.parameter("match"));
  request.headers = {{"cookie", std::string(bytes)}, {"authorization", std::string(bytes)}};
  must(cookie_of(request, "nfbus_session").find(';') == std::string_view::npos, "a cookie ends at its semicolon");
  must(bytes.ends_with(bearer_of(request)), "a token is the end of its header");
  const std::string_view beginning = beginning_of(bytes, 20);
  must(bytes.starts_with(beginning) && beginning.size() <= 20, "a beginning is one");
  must(beginning.size() >= std::min<std::size_t>(bytes.size(), 17), "no more than one character is cut off");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  const auto next = [&rest] {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    return line;
  };
  Talk talk(next());
  while (!rest.empty()) {
    const std::string_view line = next();
    if (line.empty()) continue;
    const std::string_view bytes = line.substr(1);
    if (line[0] == 'o') {
      check_site(bytes);
    } else if (line[0] == 'p') {
      check_texts(bytes);
    } else {
      talk.go_on(line[0], bytes);
    }
  }
  return 0;
}
