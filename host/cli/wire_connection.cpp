#include "cli/wire_connection.hpp"

#include "bus/server/wire_line.hpp"
#include "support/system_error.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nfbus::host {

namespace {

constexpr std::size_t kReadBytes = 64UL << 10U;
constexpr std::chrono::seconds kAnswerWithin{5};
// Beyond what any host sends or relays.
constexpr std::size_t kMostLineBytes = 1UL << 20U;

}  // namespace

Result<WireConnection> WireConnection::open(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path) {
    return Error{.code = Code::invalid, .text = fmt::format("\"{}\" cannot be the path of a socket", path)};
  }
  std::memcpy(&address.sun_path, path.data(), path.size());
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return system_error("cannot make a socket");
  // Also of connect(): who neither accepts nor reads must not hold us.
  const timeval patience{.tv_sec = kAnswerWithin.count(), .tv_usec = 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    Error error = system_error(path);
    if (errno == ENOENT || errno == ECONNREFUSED) error.text += "; is nfbus running? -s names another socket";
    return error;
  }
  return WireConnection(std::move(socket));
}

Result<void> WireConnection::send(std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return system_error("cannot send to the host");
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return {};
}

std::optional<std::string_view> WireConnection::received_line() {
  const std::size_t end = received_.find('\n', std::max(used_, searched_));
  if (end == std::string::npos) {
    received_.erase(0, std::exchange(used_, 0));
    searched_ = received_.size();
    return std::nullopt;
  }
  const std::string_view line = std::string_view(received_).substr(used_, end - used_);
  used_ = end + 1;
  return line;
}

Result<bool> WireConnection::receive() {
  const std::size_t before = received_.size();
  if (before - used_ > kMostLineBytes) {
    return Error{.code = Code::unsupported, .text = "what comes there are no lines of nfbus: one is too long"};
  }
  received_.resize(before + kReadBytes);
  const ssize_t size = ::recv(socket_.get(), received_.data() + before, kReadBytes, 0);
  received_.resize(before + static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  if (size < 0 && errno != EINTR) return system_error("cannot read from the host");
  return size != 0;
}

Result<std::optional<std::string_view>> WireConnection::line(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    if (const auto line = received_line()) return line;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    const int ready = left.count() <= 0 ? 0 : ::poll(&waiting, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Error{.code = Code::busy, .text = "the host does not answer"};
    const auto open = receive();
    if (!open) return open.error();
    if (!*open) return std::optional<std::string_view>();
  }
}

Result<std::string> ask_status(const std::string& socket) {
  auto connection = WireConnection::open(socket);
  if (!connection) return connection.error();
  if (auto sent = connection->send(wire_line("subscribe:nfbus:status", "")); !sent) return sent.error();
  const auto line = connection->line(kAnswerWithin);
  if (!line) return line.error();
  const auto event = *line && !util::is_nested_deeper(**line)
                         ? nlohmann::json::parse((*line)->begin(), (*line)->end(), nullptr, false)
                         : nlohmann::json();
  const std::string status = event.is_object() && event.contains("value") && event["value"].is_string()
                                 ? event["value"].get<std::string>()
                                 : std::string();
  if (!util::is_nested_deeper(status) && nlohmann::json::parse(status, nullptr, false).is_object()) return status;
  return Error{.code = Code::unsupported, .text = fmt::format("{}: who answers there is no nfbus", socket)};
}

std::optional<bool> answers_lines(const std::string& socket) {
  constexpr std::chrono::seconds kPatience{1};
  auto connection = WireConnection::open(socket);
  if (!connection) return std::nullopt;
  std::string question = wire_line("subscribe:nfbus:status", "");
  ask_for_answer(question);
  if (!connection->send(question)) return std::nullopt;
  const auto line = connection->line(kPatience);
  if (!line && line.error().code == Code::busy) return false;  // it takes subscriptions, and knows of no status either
  if (!line || !*line) return std::nullopt;
  return WireScanner().scan(**line).topic == "nfbus:answer";
}

void WireConnection::end_sending() noexcept { ::shutdown(socket_.get(), SHUT_WR); }

bool WireConnection::all_was_read() const noexcept {
  int unread = 0;
  return ::ioctl(socket_.get(), SIOCOUTQ, &unread) == 0 && unread == 0;
}

void ask_for_answer(std::string& line) { line.insert(line.size() - 2, R"(,"answer":true)"); }

std::string wire_line(std::string_view topic, std::string_view value) {
  nlohmann::ordered_json line = {{"topic", topic}, {"value", value}};
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + '\n';
}

}  // namespace nfbus::host
