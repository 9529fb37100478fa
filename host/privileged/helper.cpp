#include "privileged/helper.hpp"

#include "privileged/helper_rights.hpp"
#include "privileged/protocol.hpp"
#include "privileged/seccomp.hpp"
#include "support/log.hpp"
#include "support/system_error.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>
#include <utility>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

using Clock = std::chrono::steady_clock;

// Naming the holder of a group takes longest: all of /proc is looked at.
constexpr std::chrono::seconds kAnswerDeadline{5};

// How long the helper may take to end once its socket is closed, and again once it is killed.
constexpr std::chrono::milliseconds kEndDeadline{1000};

constexpr int kRequests = 3;  // the helper's only descriptor besides 0, 1 and 2, which lead nowhere

// Signals that a terminal or an administrator sends to all of nfbus: the host drains first, then closes our socket.
void ignore_signals() noexcept {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE}) {
    static_cast<void>(::signal(number, SIG_IGN));
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

void close_everything_but(int socket) noexcept {
  ::dup2(socket, kRequests);
  ::close_range(kRequests + 1, ~0U, 0);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);  // an inherited pipe would outlive the host for its reader
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  if (null > kRequests) ::close(null);
}

// The host's copy is gone from sight already, this one from memory: the helper needs none.
void forget_environment() noexcept {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    ::explicit_bzero(*variable, std::strlen(*variable));
  }
}

[[noreturn]] void run_helper(int socket, pid_t host) noexcept {
  end_with(host);
  ::prctl(PR_SET_NAME, "nfbus-helper");
  ignore_signals();
  close_everything_but(socket);
  forget_environment();
  if (::chdir("/") != 0) ::_exit(1);
  keep_binding_rights();
  try {
    // Without the filter it serves as well; a kernel that has none is told about once it is sealed.
    static_cast<void>(allow_binding());
    serve_requests(kRequests, host);
  } catch (const std::bad_alloc&) {
    ::_exit(1);
  }
}

// The descriptor that came with `message`, or none.
Descriptor received_descriptor(msghdr& message) noexcept {
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) return {};
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  return Descriptor(descriptor);
}

Error helper_gone() { return {.code = Code::io, .text = "the privileged helper has ended"}; }
Error no_answer() { return {.code = Code::io, .text = "the privileged helper does not answer"}; }

std::string text_of(const HelperReply& reply) {
  return {reply.text.data(), std::min<std::size_t>(reply.text_size, reply.text.size())};
}

// glibc 2.36 declares these without C linkage.
int pidfd_open(pid_t process) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }
void pidfd_kill(int process) noexcept { ::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0); }

bool wait_readable(int descriptor, std::chrono::milliseconds timeout) noexcept {
  const auto deadline = Clock::now() + timeout;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waiting, 1, std::max(0, static_cast<int>(left.count())));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// Of a child that has ended; see waitid(2).
std::string describe_end(int process) {
  siginfo_t child{};
  if (::waitid(P_PIDFD, static_cast<id_t>(process), &child, WEXITED | WNOHANG | WNOWAIT) != 0) return "unknown why";
  return fmt::format("{} {}", child.si_code == CLD_EXITED ? "exit status" : "signal", child.si_status);
}

void tell_trouble(const std::string& what) {
  log::error(
      fmt::format("the privileged helper {}: capture goes on, but latency_ms = 0 does not adapt any more, and "
                  "what the kernel still holds when nfbus stops is lost; restart nfbus",
                  what));
}

}  // namespace

struct PrivilegedHelper::Answer {
  HelperReply reply;
  Descriptor descriptor;
};

Result<PrivilegedHelper> PrivilegedHelper::start() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_error("cannot make the privileged helper's socket");
  }
  Descriptor near_end(pair[0]);
  const Descriptor far_end(pair[1]);
  const pid_t host = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) run_helper(far_end.get(), host);
  if (child < 0) return system_error("cannot start the privileged helper");
  Descriptor process(pidfd_open(child));
  if (!process.valid()) return system_error("cannot watch the privileged helper");
  return PrivilegedHelper(std::move(near_end), std::move(process));
}

PrivilegedHelper::PrivilegedHelper(Descriptor socket, Descriptor process) noexcept
    : socket_(std::move(socket)), process_(std::move(process)) {}

PrivilegedHelper::PrivilegedHelper(PrivilegedHelper&& other) noexcept
    : socket_(std::move(other.socket_)),
      process_(std::move(other.process_)),
      requests_(other.requests_),
      ping_(std::exchange(other.ping_, std::nullopt)),
      state_(other.state_.load()) {}

PrivilegedHelper& PrivilegedHelper::operator=(PrivilegedHelper&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(process_, other.process_);
  std::swap(requests_, other.requests_);
  std::swap(ping_, other.ping_);
  state_ = other.state_.exchange(state_);
  return *this;
}

PrivilegedHelper::~PrivilegedHelper() {
  if (!process_.valid()) return;
  socket_ = Descriptor();
  if (!wait_readable(process_.get(), kEndDeadline)) {
    pidfd_kill(process_.get());
    wait_readable(process_.get(), kEndDeadline);
  }
  siginfo_t child{};
  ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &child, WEXITED | WNOHANG);
}

Result<PrivilegedHelper::Answer> PrivilegedHelper::receive() {
  Answer answer{};
  iovec content{.iov_base = &answer.reply, .iov_len = sizeof answer.reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = ::recvmsg(socket_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size != static_cast<ssize_t>(sizeof answer.reply)) return helper_gone();
  answer.descriptor = received_descriptor(message);
  if (ping_ && answer.reply.number == ping_->number) ping_.reset();
  return answer;
}

Result<PrivilegedHelper::Answer> PrivilegedHelper::ask(HelperRequest request) {
  request.number = ++requests_;
  if (::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return errno == EAGAIN ? no_answer() : helper_gone();
  }
  const auto deadline = Clock::now() + kAnswerDeadline;
  while (wait_readable(socket_.get(), std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()))) {
    auto answer = receive();
    if (!answer) return answer;
    if (answer->reply.number != request.number) continue;  // of a ping
    if (answer->reply.code == 0) return answer;
    return Error{.code = static_cast<Code>(answer->reply.code), .text = text_of(answer->reply)};
  }
  return no_answer();
}

Result<int> PrivilegedHelper::bind_group(const GroupBinding& binding) {
  HelperRequest request{.command = HelperCommand::bind_group};
  request.binding = binding;
  auto answer = ask(request);
  if (!answer) return answer.error();
  if (!answer->descriptor.valid()) {
    return Error{.code = Code::io, .text = "no room for one more descriptor: raise the limit (ulimit -n)"};
  }
  return answer->descriptor.release();
}

Result<void> PrivilegedHelper::seal() {
  HelperRequest request{.command = HelperCommand::seal};
  request.uid = ::geteuid();
  request.gid = ::getegid();
  const auto answer = ask(request);
  if (!answer) return answer.error();
  if (const std::string lacks = text_of(answer->reply); !lacks.empty()) {
    log::warning("the privileged helper goes on without a filter of its system calls: " + lacks);
  }
  return {};
}

void PrivilegedHelper::look() {
  if (state_ == HelperState::gone) return;
  while (wait_readable(socket_.get(), std::chrono::milliseconds(0)) && receive()) {
  }
  if (wait_readable(process_.get(), std::chrono::milliseconds(0))) {
    state_ = HelperState::gone;
    return tell_trouble(fmt::format("has ended ({})", describe_end(process_.get())));
  }
  const auto now = Clock::now();
  if (!ping_) {
    if (state_.exchange(HelperState::running) == HelperState::stuck) log::info("the privileged helper answers again");
    ping_ = {.number = ++requests_, .since = now, .sent = false};
  }
  if (!ping_->sent) {  // there is no room while a stuck helper's socket is full of requests
    const HelperRequest request{.command = HelperCommand::ping, .number = ping_->number};
    ping_->sent = ::send(socket_.get(), &request, sizeof request, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
  }
  if (state_ == HelperState::stuck || now - ping_->since < kAnswerDeadline) return;
  state_ = HelperState::stuck;
  tell_trouble(fmt::format("has not answered for {} s", kAnswerDeadline.count()));
}

void PrivilegedHelper::set_queue_threshold(std::uint16_t group, std::uint32_t queue_threshold) const noexcept {
  HelperRequest request{.command = HelperCommand::set_queue_threshold};
  request.binding.group = group;
  request.binding.queue_threshold = queue_threshold;
  // Never waits: capture goes on whatever the helper does.
  [[maybe_unused]] const auto sent = ::send(socket_.get(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool PrivilegedHelper::release_group(std::uint16_t group,
                                     std::chrono::steady_clock::time_point deadline) const noexcept {
  HelperRequest request{.command = HelperCommand::release_group};
  request.binding.group = group;
  while (::send(socket_.get(), &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd busy{.fd = socket_.get(), .events = POLLOUT, .revents = 0};
    ::poll(&busy, 1, static_cast<int>(left.count()));
  }
  return true;
}

}  // namespace nfbus::host
