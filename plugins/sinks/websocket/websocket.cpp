// What the firewall does, in a browser and over WebSocket.
#include "board.hpp"
#include "diagnosis.hpp"
#include "jobs.hpp"
#include "schema.hpp"
#include "server/front.hpp"
#include "settings.hpp"

#include <nfbus/sink.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>
#include <string>

namespace {

using websocket::Jobs;

constexpr std::uint32_t kTickMs = 100;
constexpr std::chrono::milliseconds kForJobs{8};      // of one tick
constexpr std::chrono::milliseconds kForServer{500};  // it may lag so long behind a worker that waits for it
constexpr std::size_t kMostParcels = 64;

// How many parcels are on their way to the server's thread.
class OnTheirWay {
 public:
  // [worker] Waits for room, and goes on without any in the end: the server's own queues have limits.
  void add() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, kForServer, [this] { return count_ < kMostParcels; });
    ++count_;
  }
  // [server]
  void taken() {
    const std::lock_guard lock(mutex_);
    --count_;
    changed_.notify_one();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

class Websocket {
 public:
  Websocket(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        settings_(websocket::settings_of(options)),
        board_(host, settings_),
        front_(host, settings_, board_, jobs_) {}

  Websocket(const Websocket&) = delete;
  Websocket& operator=(const Websocket&) = delete;
  ~Websocket() { close(); }  // that was opened halfway

  nfbus::Result<void> open(nfbus::Shape& shape) {
    shape.tick_ms = kTickMs;
    if (auto read = read_tokens(); !read) return read;
    for (const std::string& warning : websocket::warnings_of(settings_)) host_.warning(warning);
    board_.open();
    server_.emplace(settings_.server, front_);
    front_.set_server(*server_);
    server_->start();
    std::string all;  // in one line: several that differ in numbers alone would be one in the log
    for (const std::string& address : server_->addresses()) all += (all.empty() ? "serves " : ", ") + address;
    host_.info(all);
    return {};
  }

  void write(nfbus::Events events) {
    for (const nfbus::Event event : events) board_.take(event);
    send();
  }

  void tick() {
    board_.tick(front_.client_count());
    const auto failed = [this](const std::exception& exception) {
      host_.warning(std::string("a request could not be answered: ") + exception.what());
    };
    if (jobs_.run(Jobs::Clock::now() + kForJobs, failed)) host_.wake();
    send();
  }

  nfbus::Result<void> reopen() {
    const nfbus::Result<void> tokens = read_tokens();
    nfbus::Result<void> certificate = server_->read_certificate();
    if (tokens) return certificate;
    std::string text = nfbus::to_string(tokens.error()) + ": the tokens before stay";
    if (!certificate) text += "; " + nfbus::to_string(certificate.error());
    return nfbus::Error{tokens.error().code, std::move(text)};
  }

  void diagnose(nfbus::Findings findings) { websocket::diagnose(settings_, board_.rules(), findings); }

  void flush() {
    board_.tell_what_is_held();
    send();
  }

  void close() {
    jobs_.close();  // they hold connections, which go on the server's thread
    if (server_) server_->stop();
  }

 private:
  void send() {
    websocket::Parcel parcel = board_.take_parcel();
    if (parcel.empty()) return;
    on_their_way_.add();
    server_->post([this, parcel = std::move(parcel)] {
      on_their_way_.taken();
      front_.deliver(parcel);
    });
  }

  nfbus::Result<void> read_tokens() {
    if (settings_.token_file.empty()) return {};
    nfbus::Result<websocket::Tokens> tokens = websocket::Tokens::read(settings_.token_file);
    if (!tokens) {
      nfbus::Error error = tokens.error();
      error.text = "token_file: " + error.text;
      return error;
    }
    if (server_) {
      server_->post([this, tokens = std::move(*tokens)] { front_.set_tokens(tokens); });
    } else {
      front_.set_tokens(std::move(*tokens));
    }
    return {};
  }

  const nfbus::Host host_;
  const websocket::Settings settings_;
  Jobs jobs_;
  websocket::Board board_;
  OnTheirWay on_their_way_;
  websocket::Front front_;
  std::optional<websocket::Server> server_;  // goes before what it calls
};

}  // namespace

NFBUS_SINK(Websocket, "websocket",
           {.summary = "shows events in a browser, and tells what rules choose, over WebSocket",
            .version = "1.0",
            .schema = websocket::kSchema,
            .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE})
