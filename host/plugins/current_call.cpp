#include "plugins/current_call.hpp"

#include "support/log.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

namespace nfbus::host {

namespace {

thread_local const PluginCall* current = nullptr;

// A line put together without memory of the heap, for signal handlers and children of threads.
class LastLine {
 public:
  LastLine& operator<<(std::string_view text) noexcept {
    const std::size_t size = std::min(text.size(), text_.size() - 1 - used_);
    if (size != 0) std::memcpy(text_.data() + used_, text.data(), size);
    used_ += size;
    return *this;
  }
  // A reader of standard error that does not read keeps nobody from ending.
  void write() noexcept {
    text_.at(used_++) = '\n';
    pollfd out{.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
    if (::poll(&out, 1, 0) != 1 || (out.revents & POLLOUT) == 0) return;
    static_cast<void>(!::write(STDERR_FILENO, text_.data(), used_));
  }

 private:
  std::array<char, 512> text_{};
  std::size_t used_ = 0;
};

void say(const PluginCall& call, std::string_view what, std::string_view how) noexcept {
  LastLine line;
  line << log::priority(log::Level::error) << "nfbus: error: " << call.instance << ": " << what << call.function << "()"
       << how;
  line.write();
}

struct Crash {
  int signal;
  std::string_view name;
};
constexpr std::array kCrashes{Crash{SIGSEGV, ": SIGSEGV"}, Crash{SIGBUS, ": SIGBUS"}, Crash{SIGFPE, ": SIGFPE"},
                              Crash{SIGILL, ": SIGILL"}, Crash{SIGABRT, ": SIGABRT"}};
std::array<struct sigaction, kCrashes.size()> handled_before{};

// In a signal handler: only what signal-safety(7) allows.
void tell_of_crash(int signal, siginfo_t* info, void* /*context*/) {
  const auto* const crash =
      std::find_if(kCrashes.begin(), kCrashes.end(), [signal](const Crash& one) { return one.signal == signal; });
  if (current != nullptr) say(*current, "its plugin crashed in ", crash->name);
  ::sigaction(signal, &handled_before.at(static_cast<std::size_t>(crash - kCrashes.begin())), nullptr);
  // A fault comes again by itself, now to whoever handled it before; what somebody sent has to be sent again.
  if (info->si_code <= 0) static_cast<void>(::raise(signal));
}

void tell_of_exit(int status, void* /*context*/) {
  if (current == nullptr) return;
  say(*current, "its plugin called exit() in ", ": the host ends");
  static_cast<void>(std::fflush(nullptr));
  // What is destroyed on the way of exit() is in use by other threads.
  ::_exit(status != EXIT_SUCCESS ? status : EXIT_FAILURE);
}

// Handlers run on it where a thread has used up its own stack.
class HandlerStack {
 public:
  HandlerStack() noexcept {
    stack_t there{};
    if (::sigaltstack(nullptr, &there) != 0 || (there.ss_flags & SS_DISABLE) == 0) return;  // a sanitizer's
    memory_.reset(new (std::nothrow) std::byte[kBytes]);
    if (memory_ == nullptr) return;
    const stack_t ours{.ss_sp = memory_.get(), .ss_flags = 0, .ss_size = kBytes};
    if (::sigaltstack(&ours, nullptr) != 0) memory_.reset();
  }
  HandlerStack(const HandlerStack&) = delete;
  HandlerStack& operator=(const HandlerStack&) = delete;
  ~HandlerStack() {
    if (memory_ == nullptr) return;
    const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
    ::sigaltstack(&none, nullptr);
  }

 private:
  static constexpr std::size_t kBytes = 16384;
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace

CurrentCall::CurrentCall(const PluginCall& call) noexcept : call_(call), outer_(current), process_(::getpid()) {
  static thread_local const HandlerStack stack;
  current = &call_;
  if (call_.clock != nullptr) call_.clock->begin(call_.function);
}

CurrentCall::~CurrentCall() {
  current = outer_;
  if (call_.clock != nullptr) call_.clock->end();
  if (::getpid() == process_) return;
  say(call_, "a child process that its plugin forked came back from ", ": it ends");
  ::_exit(EXIT_FAILURE);
}

void say_where_plugins_end_the_process() {
  for (std::size_t i = 0; i < kCrashes.size(); ++i) {
    struct sigaction ours {};
    ours.sa_sigaction = tell_of_crash;
    ours.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&ours.sa_mask);
    ::sigaction(kCrashes.at(i).signal, &ours, &handled_before.at(i));
  }
  static_cast<void>(::on_exit(tell_of_exit, nullptr));
}

}  // namespace nfbus::host
