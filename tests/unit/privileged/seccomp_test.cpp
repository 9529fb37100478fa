#include "privileged/seccomp.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

namespace nfbus::host {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // its runtime makes calls of its own: refused is then what remains
#else
constexpr bool kSanitized = false;
#endif

// What a call came to in a process of its own, once that has taken on the filter: "done", "refused", "killed", ...
std::string outcome(const std::function<Result<void>()>& confine, const std::function<long()>& call) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine()) ::_exit(255);
    errno = 0;
    ::_exit(call() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? "killed" : "signal " + std::to_string(WTERMSIG(status));
  switch (WEXITSTATUS(status)) {
    case 0: return "done";
    case EPERM: return "refused";
    case 255: return "no filter";
    default: return "error " + std::to_string(WEXITSTATUS(status));
  }
}

struct Call {
  const char* name;
  long (*make)();
};

constexpr Call kNeverNeeded[] = {
    {"open for writing", [] { return static_cast<long>(::open("/tmp", O_TMPFILE | O_RDWR, 0600)); }},
    {"make a file", [] { return static_cast<long>(::open("/dev/null", O_RDONLY | O_CREAT, 0600)); }},
    {"execute", [] { return static_cast<long>(::execl("/bin/true", "true", nullptr)); }},
    {"fork", [] { return ::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0); }},
    {"an IPv4 socket", [] { return static_cast<long>(::socket(AF_INET, SOCK_STREAM, 0)); }},
    {"a Unix socket", [] { return static_cast<long>(::socket(AF_UNIX, SOCK_STREAM, 0)); }},
    {"rtnetlink", [] { return static_cast<long>(::socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE)); }},
    {"kill", [] { return static_cast<long>(::kill(::getppid(), 0)); }},
    {"unlink", [] { return static_cast<long>(::unlink("/nowhere")); }},
    {"change the mode of a file", [] { return static_cast<long>(::chmod("/nowhere", 0)); }},
    {"another network", [] { return static_cast<long>(::unshare(CLONE_NEWNET)); }},
    {"memory that executes",
     [] {
       void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       return page == MAP_FAILED ? -1L : 0L;
     }},
};

constexpr Call kForBindingAlone[] = {
    {"open for reading", [] { return static_cast<long>(::open("/proc/self/status", O_RDONLY)); }},
    {"an NFLOG socket", [] { return static_cast<long>(::socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER)); }},
    {"become somebody", [] { return ::syscall(SYS_setresgid, ::getegid(), ::getegid(), ::getegid()); }},
    {"prctl", [] { return static_cast<long>(::prctl(PR_GET_DUMPABLE)); }},
};

constexpr Call kAlways[] = {
    {"memory",
     [] {
       for (std::size_t bytes = 16; bytes < (8U << 20U); bytes *= 4) {
         auto* const some = static_cast<volatile char*>(std::malloc(bytes));
         if (some == nullptr) return -1L;
         some[bytes - 1] = 1;
         std::free(const_cast<char*>(some));
       }
       return 0L;
     }},
    {"a request on a socket that is there, which is 0",
     [] {
       char byte = 0;
       return ::recv(0, &byte, 1, 0) == 1 && ::send(0, &byte, 1, MSG_NOSIGNAL) == 1 ? 0L : -1L;
     }},
    {"close it", [] { return static_cast<long>(::close(0)); }},
};

TEST(Seccomp, WhatTheHelperNeverNeedsIsRefusedBeforeItIsSealed) {
  for (const Call& call : kNeverNeeded) {
    if (kSanitized && std::string(call.name) == "memory that executes") continue;
    EXPECT_EQ(outcome(allow_binding, call.make), "refused") << call.name;
  }
}

TEST(Seccomp, WhatBindingTakesIsAllowedBeforeItIsSealed) {
  for (const Call& call : kForBindingAlone) EXPECT_EQ(outcome(allow_binding, call.make), "done") << call.name;
}

TEST(Seccomp, EverythingButServingEndsASealedHelper) {
  const auto seal = [] {
    if (auto first = allow_binding(); !first) return first;
    return allow_serving();
  };
  const std::string end = kSanitized ? "refused" : "killed";
  for (const Call& call : kForBindingAlone) {
    if (kSanitized && std::string(call.name) == "open for reading") continue;
    EXPECT_EQ(outcome(seal, call.make), end) << call.name;
  }
  // These two filters agree on a refusal; the stronger one decides.
  for (const Call& call : kNeverNeeded) {
    if (kSanitized && std::string(call.name) == "memory that executes") continue;
    EXPECT_EQ(outcome(seal, call.make), end) << call.name;
  }
}

TEST(Seccomp, ServingGoesOnUnderBothFilters) {
  std::array<int, 2> pair{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair.data()), 0);
  for (const Call& call : kAlways) {
    ASSERT_EQ(::send(pair[1], "x", 1, 0), 1);
    EXPECT_EQ(outcome(
                  [&] {
                    ::dup2(pair[0], 0);
                    if (auto first = allow_binding(); !first) return first;
                    return allow_serving();
                  },
                  call.make),
              "done")
        << call.name;
  }
  ::close(pair[0]);
  ::close(pair[1]);
}

}  // namespace
}  // namespace nfbus::host
