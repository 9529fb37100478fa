#include "privileged/part_process.hpp"

#include "privileged/helper_rights.hpp"
#include "privileged/seccomp.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

using Clock = std::chrono::steady_clock;

// A part that opens reads its options, and may look at the machine.
constexpr std::chrono::milliseconds kOpenTimeout{5000};

enum class RequestKind : std::uint32_t { open = 1, request = 2 };
enum class AnswerKind : std::uint32_t { done = 1, failed = 2 };

// What passes between the two: this, then so many bytes.
struct FrameHeader {
  std::uint32_t kind;  // RequestKind, or AnswerKind
  std::uint32_t size_bytes;
};

// ---- The far end.

// False: the other end is closed.
bool read_all(int socket, char* to, std::size_t size) noexcept {
  while (size != 0) {
    const ssize_t got = ::recv(socket, to, size, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

bool write_all(int socket, const char* from, std::size_t size) noexcept {
  while (size != 0) {
    const ssize_t sent = ::send(socket, from, size, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    from += sent;
    size -= static_cast<std::size_t>(sent);
  }
  return true;
}

bool write_frame(int socket, AnswerKind kind, std::string_view body) noexcept {
  const FrameHeader header = {.kind = static_cast<std::uint32_t>(kind),
                              .size_bytes = static_cast<std::uint32_t>(body.size())};
  return write_all(socket, reinterpret_cast<const char*>(&header), sizeof header) &&
         write_all(socket, body.data(), body.size());
}

// The first request opens, and no other does: who takes over the host cannot give the part other options.
Result<std::string> handle(PartHandler& handler, bool& is_open, RequestKind kind, std::string_view body) {
  const bool opens = kind == RequestKind::open;
  if (opens == is_open) return Error{.code = Code::refused, .text = is_open ? "it is open" : "it is not open"};
  if (!opens) return handler.request(body);
  auto opened = handler.open(body);
  if (!opened) return opened.error();
  is_open = true;
  return std::string();
}

void serve_part(int socket, PartHandler& handler) {
  bool is_open = false;
  std::string body;
  for (;;) {
    FrameHeader header{};
    if (!read_all(socket, reinterpret_cast<char*>(&header), sizeof header)) return;
    if (header.size_bytes > kMaxPartFrameBytes) return;
    body.resize(header.size_bytes);
    if (!read_all(socket, body.data(), body.size())) return;
    const auto answer = handle(handler, is_open, static_cast<RequestKind>(header.kind), body);
    const bool written = answer ? write_frame(socket, AnswerKind::done, *answer)
                                : write_frame(socket, AnswerKind::failed, answer.error().text);
    if (!written) return;
  }
}

void run_part(const PartStart& start, const std::function<std::unique_ptr<PartHandler>()>& make, pid_t host) {
  auto ready = keep_part_rights(start.uid, start.gid, host);
  if (ready) ready = confine_part();
  if (!ready) {
    const std::string why = ready.error().text;  // the answer to open(), whatever it asks for
    static_cast<void>(write_frame(ChildProcess::kSocket, AnswerKind::failed, why));
    ::_exit(EXIT_FAILURE);
  }
  const auto handler = make();
  serve_part(ChildProcess::kSocket, *handler);
}

}  // namespace

// ---- The near end.

struct PartProcess::Exchange {
  Mutex mutex;
  std::vector<char> out NFBUS_GUARDED_BY(mutex);  // the request, with its header
  std::size_t sent NFBUS_GUARDED_BY(mutex) = 0;
  FrameHeader header NFBUS_GUARDED_BY(mutex){};  // of the answer
  std::string body NFBUS_GUARDED_BY(mutex);
  std::size_t got NFBUS_GUARDED_BY(mutex) = 0;  // of header and body
  bool is_begun NFBUS_GUARDED_BY(mutex) = false;
  bool is_broken NFBUS_GUARDED_BY(mutex) = false;  // the process has ended

  enum class Step : std::uint8_t { done = 1, timeout, broken };

  void begin(std::uint32_t kind, std::string_view request) NFBUS_REQUIRES(mutex) {
    const FrameHeader begins = {.kind = kind, .size_bytes = static_cast<std::uint32_t>(request.size())};
    out.resize(sizeof begins + request.size());
    std::memcpy(out.data(), &begins, sizeof begins);
    std::memcpy(out.data() + sizeof begins, request.data(), request.size());
    sent = 0;
    got = 0;
    is_begun = true;
  }

  // Goes on where it was left.
  Step finish(int socket, Clock::time_point deadline) NFBUS_REQUIRES(mutex) {
    while (sent < out.size()) {
      const ssize_t now = ::send(socket, out.data() + sent, out.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
      if (const Step step = judge(socket, POLLOUT, now, deadline); step != Step::done) return step;
      if (now > 0) sent += static_cast<std::size_t>(now);
    }
    for (;;) {
      char* to = reinterpret_cast<char*>(&header) + got;
      std::size_t wanted = sizeof header - std::min(got, sizeof header);
      if (wanted == 0) {
        if (header.size_bytes > kMaxPartFrameBytes) return Step::broken;
        body.resize(header.size_bytes);
        to = body.data() + (got - sizeof header);
        wanted = sizeof header + body.size() - got;
      }
      if (wanted == 0) break;
      const ssize_t now = ::recv(socket, to, wanted, MSG_DONTWAIT);
      if (now == 0) return Step::broken;
      if (const Step step = judge(socket, POLLIN, now, deadline); step != Step::done) return step;
      if (now > 0) got += static_cast<std::size_t>(now);
    }
    is_begun = false;
    return Step::done;
  }

 private:
  static Step judge(int socket, short events, ssize_t moved, Clock::time_point deadline) {
    if (moved >= 0 || errno == EINTR) return Step::done;
    if (errno != EAGAIN) return Step::broken;
    return wait_for(socket, events, deadline) ? Step::done : Step::timeout;
  }
};

PartProcess::PartProcess(ChildProcess child, std::string what)
    : child_(std::move(child)), what_(std::move(what)), exchange_(std::make_unique<Exchange>()) {}

PartProcess::PartProcess(PartProcess&& other) noexcept = default;
PartProcess& PartProcess::operator=(PartProcess&& other) noexcept = default;
PartProcess::~PartProcess() = default;

Result<PartProcess> PartProcess::start(const PartStart& start,
                                       const std::function<std::unique_ptr<PartHandler>()>& make) {
  auto child = ChildProcess::start(
      {.what = start.what, .name = start.name, .socket_type = SOCK_STREAM, .also_keep = start.library},
      [&](pid_t host) {
        run_part(start, make, host);
        ::_exit(EXIT_SUCCESS);
      });
  if (!child) return child.error();
  return PartProcess(std::move(child).value(), start.what);
}

Result<std::string> PartProcess::ask(std::uint32_t kind, std::string_view body, std::chrono::milliseconds timeout) {
  if (body.size() > kMaxPartFrameBytes) {
    return Error{.code = Code::refused,
                 .text = fmt::format("the request has {} bytes; {} are allowed", body.size(), kMaxPartFrameBytes)};
  }
  const auto deadline = Clock::now() + timeout;
  Exchange& exchange = *exchange_;
  const MutexLock lock(exchange.mutex);
  using Step = Exchange::Step;
  Step step = exchange.is_broken ? Step::broken : Step::done;
  if (step == Step::done && exchange.is_begun) step = exchange.finish(child_.socket(), deadline);
  if (step == Step::done) {
    exchange.begin(kind, body);
    step = exchange.finish(child_.socket(), deadline);
  }
  if (step == Step::timeout) {
    return Error{.code = Code::busy, .text = fmt::format("{} did not answer in {} ms", what_, timeout.count())};
  }
  if (step == Step::broken) {
    exchange.is_broken = true;
    return Error{.code = Code::io, .text = fmt::format("{} has ended", what_)};
  }
  if (exchange.header.kind == static_cast<std::uint32_t>(AnswerKind::done)) return std::move(exchange.body);
  return Error{.code = Code::invalid, .text = exchange.body};
}

Result<void> PartProcess::open(std::string_view options_json) {
  auto answer = ask(static_cast<std::uint32_t>(RequestKind::open), options_json, kOpenTimeout);
  if (!answer) return answer.error();
  return {};
}

Result<std::string> PartProcess::request(std::string_view request, std::chrono::milliseconds timeout) {
  return ask(static_cast<std::uint32_t>(RequestKind::request), request, timeout);
}

std::string PartProcess::new_end() {
  if (end_is_reported_ || !child_.has_ended()) return {};
  end_is_reported_ = true;
  return child_.how_it_ended();
}

}  // namespace nfbus::host
