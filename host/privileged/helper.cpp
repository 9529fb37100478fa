#include "privileged/helper.hpp"

#include "privileged/protocol.hpp"

#include <cap-ng.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
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
#include <system_error>
#include <utility>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

constexpr int kRequests = 3;  // the helper's only descriptor besides 0, 1 and 2, which lead nowhere

Error system_error(const char* what) {
  return {.code = Code::io, .text = fmt::format("{}: {}", what, std::generic_category().message(errno))};
}

void keep_net_admin_alone() noexcept {
  capng_get_caps_process();
  const bool had_it = capng_have_capability(CAPNG_PERMITTED, CAP_NET_ADMIN) == 1;
  const bool may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
  capng_clear(CAPNG_SELECT_ALL);
  if (had_it) {
    capng_updatev(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), CAP_NET_ADMIN, -1);
  }
  capng_apply(may_bound ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS);
}

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

[[noreturn]] void run_helper(int socket, pid_t host) noexcept {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // also ends us when some other child still holds the near end of our socket
  if (::getppid() != host) ::_exit(0);
  ::prctl(PR_SET_NAME, "nfbus-helper");
  ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ignore_signals();
  close_everything_but(socket);
  if (::chdir("/") != 0) ::_exit(1);
  keep_net_admin_alone();
  try {
    serve_requests(kRequests);
  } catch (const std::bad_alloc&) {
    ::_exit(1);
  }
}

// The descriptor that came with `message`, or -1.
int received_descriptor(msghdr& message) noexcept {
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (rights == nullptr || rights->cmsg_level != SOL_SOCKET || rights->cmsg_type != SCM_RIGHTS) return -1;
  int descriptor = -1;
  std::memcpy(&descriptor, CMSG_DATA(rights), sizeof descriptor);
  return descriptor;
}

Error helper_gone() { return {.code = Code::io, .text = "the privileged helper has ended"}; }

}  // namespace

Result<PrivilegedHelper> PrivilegedHelper::start() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_error("cannot make the privileged helper's socket");
  }
  const pid_t host = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) run_helper(pair[1], host);
  ::close(pair[1]);
  if (child < 0) {
    ::close(pair[0]);
    return system_error("cannot start the privileged helper");
  }
  return PrivilegedHelper(pair[0], child);
}

PrivilegedHelper::PrivilegedHelper(PrivilegedHelper&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), child_(std::exchange(other.child_, -1)) {}

PrivilegedHelper& PrivilegedHelper::operator=(PrivilegedHelper&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(child_, other.child_);
  return *this;
}

PrivilegedHelper::~PrivilegedHelper() {
  if (socket_ < 0) return;
  ::close(socket_);
  while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

Result<int> PrivilegedHelper::bind_group(const GroupBinding& binding) const {
  const HelperRequest request{.command = HelperCommand::bind_group, .binding = binding};
  if (::send(socket_, &request, sizeof request, MSG_NOSIGNAL) < 0) return helper_gone();

  HelperReply reply{};
  iovec content{.iov_base = &reply, .iov_len = sizeof reply};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  ssize_t size = 0;
  do {
    size = ::recvmsg(socket_, &message, MSG_CMSG_CLOEXEC);
  } while (size < 0 && errno == EINTR);
  if (size != static_cast<ssize_t>(sizeof reply)) return helper_gone();
  if (reply.code != 0) {
    return Error{.code = static_cast<Code>(reply.code),
                 .text = std::string(reply.text.data(), std::min<std::size_t>(reply.text_size, reply.text.size()))};
  }
  const int descriptor = received_descriptor(message);
  if (descriptor < 0) {
    return Error{.code = Code::io, .text = "no room for one more descriptor: raise the limit (ulimit -n)"};
  }
  return descriptor;
}

void PrivilegedHelper::set_queue_threshold(std::uint16_t group, std::uint32_t queue_threshold) const noexcept {
  HelperRequest request{.command = HelperCommand::set_queue_threshold, .binding = {}};
  request.binding.group = group;
  request.binding.queue_threshold = queue_threshold;
  // Never waits: capture goes on whatever the helper does.
  [[maybe_unused]] const auto sent = ::send(socket_, &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL);
}

bool PrivilegedHelper::release_group(std::uint16_t group,
                                     std::chrono::steady_clock::time_point deadline) const noexcept {
  HelperRequest request{.command = HelperCommand::release_group, .binding = {}};
  request.binding.group = group;
  while (::send(socket_, &request, sizeof request, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return false;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd busy{.fd = socket_, .events = POLLOUT, .revents = 0};
    ::poll(&busy, 1, static_cast<int>(left.count()));
  }
  return true;
}

}  // namespace nfbus::host
