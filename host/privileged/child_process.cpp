#include "privileged/child_process.hpp"

#include "privileged/helper_rights.hpp"
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
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <utility>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

using Clock = std::chrono::steady_clock;

// How long the child may take to end once its socket is closed, and again once it is killed.
constexpr std::chrono::milliseconds kEndDeadline{1000};

// The host drains first, then closes our socket.
void ignore_signals() noexcept {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE}) {
    static_cast<void>(::signal(number, SIG_IGN));
  }
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Standard streams lead nowhere: an inherited pipe would outlive the host for its reader.
void keep_descriptors(int socket, int also_keep) noexcept {
  ::dup2(socket, ChildProcess::kSocket);
  const int null = ::open("/dev/null", O_RDWR);
  for (const int standard : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null, standard);
  unsigned first = ChildProcess::kSocket + 1;
  if (also_keep > ChildProcess::kSocket) {
    const auto kept = static_cast<unsigned>(also_keep);
    if (kept > first) ::close_range(first, kept - 1, 0);
    first = kept + 1;
  }
  ::close_range(first, ~0U, 0);
}

// The host's copy is gone from sight already, this one from memory: the child needs none.
void forget_environment() noexcept {
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    ::explicit_bzero(*variable, std::strlen(*variable));
  }
}

[[noreturn]] void run_child(const ChildProcess::Start& start, int socket, pid_t host,
                            const std::function<void(pid_t host)>& run) noexcept {
  end_with(host);
  ::prctl(PR_SET_NAME, start.name.c_str());
  ignore_signals();
  keep_descriptors(socket, start.also_keep);
  forget_environment();
  if (::chdir("/") != 0) ::_exit(EXIT_FAILURE);
  try {
    run(host);
  } catch (const std::exception&) {  // memory is short
  }
  ::_exit(EXIT_FAILURE);
}

// glibc 2.36 declares these without C linkage.
int pidfd_open(pid_t process) noexcept { return static_cast<int>(::syscall(SYS_pidfd_open, process, 0)); }
void pidfd_kill(int process) noexcept { ::syscall(SYS_pidfd_send_signal, process, SIGKILL, nullptr, 0); }

}  // namespace

bool wait_for(int descriptor, short events, Clock::time_point deadline) noexcept {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    pollfd waiting{.fd = descriptor, .events = events, .revents = 0};
    const int ready = ::poll(&waiting, 1, std::max(0, static_cast<int>(left.count())));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

Result<ChildProcess> ChildProcess::start(const Start& start, const std::function<void(pid_t host)>& run) {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, start.socket_type | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_error(fmt::format("cannot make the socket of {}", start.what));
  }
  Descriptor near_end(pair[0]);
  const Descriptor far_end(pair[1]);
  const pid_t host = ::getpid();
  const pid_t child = ::fork();
  if (child == 0) run_child(start, far_end.get(), host, run);
  if (child < 0) return system_error(fmt::format("cannot start {}", start.what));
  Descriptor process(pidfd_open(child));
  if (!process.valid()) return system_error(fmt::format("cannot watch {}", start.what));
  return ChildProcess(std::move(near_end), std::move(process));
}

ChildProcess::ChildProcess(Descriptor socket, Descriptor process) noexcept
    : socket_(std::move(socket)), process_(std::move(process)) {}

ChildProcess::~ChildProcess() {
  if (!process_.valid()) return;
  socket_.close();
  if (!wait_for(process_.get(), POLLIN, Clock::now() + kEndDeadline)) {
    pidfd_kill(process_.get());
    wait_for(process_.get(), POLLIN, Clock::now() + kEndDeadline);
  }
  siginfo_t child{};
  ::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &child, WEXITED | WNOHANG);
}

bool ChildProcess::has_ended() const noexcept { return wait_for(process_.get(), POLLIN, Clock::now()); }

std::string ChildProcess::how_it_ended() const {
  siginfo_t child{};
  if (::waitid(P_PIDFD, static_cast<id_t>(process_.get()), &child, WEXITED | WNOHANG | WNOWAIT) != 0) {
    return "unknown why";
  }
  return fmt::format("{} {}", child.si_code == CLD_EXITED ? "exit status" : "signal", child.si_status);
}

}  // namespace nfbus::host
