#include "control.hpp"

#include "state.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nfbus::util::Descriptor;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostClients = 16;
constexpr std::size_t kMostLine = std::size_t{1} << 20;
constexpr timeval kSendPatience{.tv_sec = 2, .tv_usec = 0};

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return std::nullopt;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

Error failed(const std::string& what, const std::string& path, int error) {
  return {error == EACCES || error == EPERM ? Code::refused : Code::io,
          "cannot " + what + ' ' + path + ": " + std::strerror(error)};
}

bool is_trusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

bool send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

std::string control_path(const std::string& state_dir) {
  return state_dir + "/control-" + std::to_string(network_namespace());
}

ControlServer::ControlServer(Descriptor listener, Descriptor wake, std::string path, ControlHandler& handler)
    : listener_(std::move(listener)), wake_(std::move(wake)), path_(std::move(path)), handler_(handler) {
  thread_ = std::thread([this] { run(); });
}

Result<std::unique_ptr<ControlServer>> ControlServer::start(const std::string& path, ControlHandler& handler) {
  const auto address = address_of(path);
  if (!address) return Error{Code::invalid, "the path of state_dir is too long for a socket: " + path};
  if (ControlClient::connect(path))
    return Error{Code::busy,
                 "another nfbus, or another sink of this one, holds the rules of this network namespace; "
                 "put them all into one sink"};
  ::unlink(path.c_str());
  Descriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  Descriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!listener.valid() || !wake.valid()) return failed("make the socket", path, errno);
  if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(listener.get(), static_cast<int>(kMostClients)) != 0) {
    return failed("listen at", path, errno);
  }
  return std::unique_ptr<ControlServer>(new ControlServer(std::move(listener), std::move(wake), path, handler));
}

ControlServer::~ControlServer() {
  is_stopping_ = true;
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_.get(), &one, sizeof one));
  thread_.join();
  ::unlink(path_.c_str());
}

void ControlServer::run() {
  while (!is_stopping_) {
    std::vector<pollfd> waits = {{wake_.get(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
    std::vector<std::uint64_t> numbers;
    for (const auto& [number, client] : clients_) {
      waits.push_back({client.socket.get(), POLLIN, 0});
      numbers.push_back(number);
    }
    if (::poll(waits.data(), waits.size(), -1) < 0) continue;
    for (std::size_t i = 0; i < numbers.size() && !is_stopping_; ++i) {
      if (waits[i + 2].revents == 0) continue;
      if (read_client(numbers[i], clients_.at(numbers[i]))) continue;
      clients_.erase(numbers[i]);
      handler_.gone(numbers[i]);
    }
    if (waits[1].revents != 0) accept_client();
  }
}

void ControlServer::accept_client() {
  Descriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!socket.valid() || clients_.size() >= kMostClients || !is_trusted(socket.get())) return;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &kSendPatience, sizeof kSendPatience);
  clients_.emplace(next_client_++, Client{std::move(socket), {}});
}

bool ControlServer::read_client(std::uint64_t number, Client& client) {
  std::array<char, 65536> buffer;
  const ssize_t size = ::recv(client.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  if (size == 0) return false;
  client.line.append(buffer.data(), static_cast<std::size_t>(size));
  const std::size_t end = client.line.find('\n');
  if (end == std::string::npos) return client.line.size() <= kMostLine;
  const std::string request = client.line.substr(0, end);
  client.line.erase(0, end + 1);
  return send_all(client.socket.get(), handler_.answer(number, request) + '\n');
}

Result<ControlClient> ControlClient::connect(const std::string& path) {
  const auto address = address_of(path);
  if (!address) return Error{Code::invalid, "the path of state_dir is too long for a socket: " + path};
  Descriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket.valid()) return failed("make a socket for", path, errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0) {
    return ControlClient(std::move(socket));
  }
  if (errno == ENOENT || errno == ECONNREFUSED || errno == ENOTDIR)
    return Error{Code::not_found, "no host holds rules here"};
  return failed("connect to", path, errno);
}

Result<std::string> ControlClient::ask(std::string_view request, std::chrono::milliseconds timeout) {
  if (!send_all(socket_.get(), std::string(request) + '\n')) return Error{Code::io, "the host has gone"};
  const auto deadline = Clock::now() + timeout;
  std::string line;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wait{socket_.get(), POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) return Error{Code::busy, "the host does not answer"};
    const ssize_t size = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Error{Code::io, "the host has gone"};
    line.append(buffer.data(), static_cast<std::size_t>(size));
    if (const std::size_t end = line.find('\n'); end != std::string::npos) return line.substr(0, end);
    if (line.size() > 2 * kMostLine) return Error{Code::io, "the host answers without end"};
  }
}

}  // namespace nftrules
