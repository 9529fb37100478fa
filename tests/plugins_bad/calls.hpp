// System calls that a plugin has no use for and some that it has, tried by the plugin `tries` and by the program that
// it executes. Each is made in a form that needs no privilege, or whose arguments the kernel looks at first: without a
// filter its answer would be another one than EPERM.
#pragma once

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netdb.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include <array>
#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>

namespace calls {

struct Call {
  const char* name;
  long (*make)();  // -1: errno says why
};

inline char* nowhere() { return reinterpret_cast<char*>(1); }

inline long netlink(int protocol) { return ::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol); }

inline long socket_of(int family) { return ::socket(family, SOCK_SEQPACKET | SOCK_CLOEXEC, 0); }

inline long clone_into(unsigned long flags) {
  const long child = ::syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) ::_exit(0);
  return child;
}

inline constexpr Call kRefused[] = {
    {"mount", [] { return ::syscall(SYS_mount, nowhere(), nowhere(), nowhere(), 0, nullptr); }},
    {"umount2", [] { return ::syscall(SYS_umount2, "/", -1); }},
    {"chroot", [] { return ::syscall(SYS_chroot, nowhere()); }},
    {"open_tree", [] { return ::syscall(SYS_open_tree, AT_FDCWD, "/", 0); }},
    {"mount_setattr", [] { return ::syscall(SYS_mount_setattr, AT_FDCWD, "/", -1, nullptr, 0); }},
    {"process_vm_readv",
     [] {
       char from = 'x';
       char to = 0;
       const iovec near{.iov_base = &to, .iov_len = 1};
       const iovec far{.iov_base = &from, .iov_len = 1};
       return static_cast<long>(::process_vm_readv(::getpid(), &near, 1, &far, 1, 0));
     }},
    {"pidfd_getfd", [] { return ::syscall(SYS_pidfd_getfd, -1, 0, 0); }},
    {"kcmp", [] { return ::syscall(SYS_kcmp, ::getpid(), ::getpid(), 0, 0, 0); }},
    {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); }},
    {"bpf", [] { return ::syscall(SYS_bpf, -1, nullptr, 0); }},
    {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 0, nullptr); }},
    {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 1); }},
    {"add_key", [] { return ::syscall(SYS_add_key, nowhere(), nowhere(), nullptr, 0, 0); }},
    {"keyctl", [] { return ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_PROCESS_KEYRING, 1); }},
    {"unshare", [] { return static_cast<long>(::unshare(CLONE_NEWUSER)); }},
    {"unshare nothing", [] { return static_cast<long>(::unshare(0)); }},
    {"setns", [] { return static_cast<long>(::setns(-1, 0)); }},
    {"clone into a user namespace", [] { return clone_into(CLONE_NEWUSER); }},
    {"clone into two namespaces", [] { return clone_into(CLONE_NEWUSER | CLONE_NEWNET); }},
    {"setuid", [] { return ::syscall(SYS_setuid, ::getuid()); }},
    {"setgid", [] { return ::syscall(SYS_setgid, ::getgid()); }},
    {"setreuid", [] { return ::syscall(SYS_setreuid, -1, -1); }},
    {"setregid", [] { return ::syscall(SYS_setregid, -1, -1); }},
    {"setresuid", [] { return ::syscall(SYS_setresuid, -1, -1, -1); }},
    {"setresgid", [] { return ::syscall(SYS_setresgid, -1, -1, -1); }},
    {"setfsuid", [] { return ::syscall(SYS_setfsuid, -1); }},
    {"capset",
     [] {
       __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
       std::array<__user_cap_data_struct, 2> none{};
       return ::syscall(SYS_capset, &header, none.data());
     }},
    {"adjtimex",
     [] {
       timex look{};
       return ::syscall(SYS_adjtimex, &look);
     }},
    {"clock_settime", [] { return ::syscall(SYS_clock_settime, -1, nullptr); }},
    {"NETLINK_NETFILTER", [] { return netlink(NETLINK_NETFILTER); }},
    {"NETLINK_XFRM", [] { return netlink(NETLINK_XFRM); }},
    {"NETLINK_SOCK_DIAG", [] { return netlink(NETLINK_SOCK_DIAG); }},
    {"NETLINK_GENERIC", [] { return netlink(NETLINK_GENERIC); }},
    {"AF_ALG", [] { return socket_of(AF_ALG); }},
    {"AF_TIPC", [] { return socket_of(AF_TIPC); }},
    {"AF_RDS", [] { return socket_of(AF_RDS); }},
    {"AF_BLUETOOTH", [] { return socket_of(AF_BLUETOOTH); }},
    {"a family that nobody has", [] { return socket_of(AF_MAX + 100); }},
    {"a pair of AF_TIPC",
     [] {
       std::array<int, 2> pair{};
       return static_cast<long>(::socketpair(AF_TIPC, SOCK_SEQPACKET, 0, pair.data()));
     }},
    {"a protocol beyond 32 bits",
     [] { return ::syscall(SYS_socket, AF_NETLINK, SOCK_RAW, (1UL << 32U) | NETLINK_NETFILTER); }},
    {"a family beyond 32 bits",
     [] { return ::syscall(SYS_socket, (1UL << 32U) | AF_NETLINK, SOCK_RAW, NETLINK_XFRM); }},
    {"TIOCSTI", [] { return ::syscall(SYS_ioctl, -1, TIOCSTI, "x"); }},
    {"TIOCSTI beyond 32 bits", [] { return ::syscall(SYS_ioctl, -1, (1UL << 32U) | TIOCSTI, "x"); }},
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // LeakSanitizer has a use for it
    {"ptrace", [] { return static_cast<long>(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }},
#endif
#ifdef __x86_64__
    {"iopl", [] { return ::syscall(SYS_iopl, 0); }},
    {"a call of x32", [] { return ::syscall(0x40000000 | SYS_getpid); }},
    {"a call of i386",
     [] {
       long answer = 20;  // getpid
       asm volatile("int $0x80" : "+a"(answer) : : "memory");
       if (answer >= 0) return answer;
       errno = static_cast<int>(-answer);
       return -1L;
     }},
#endif
};

inline constexpr Call kAllowed[] = {
    {"a file", [] { return static_cast<long>(::fileno(std::tmpfile())); }},
    {"an IPv4 socket", [] { return static_cast<long>(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"an IPv6 socket", [] { return static_cast<long>(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)); }},
    {"a Unix socket", [] { return static_cast<long>(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }},
    {"rtnetlink", [] { return netlink(NETLINK_ROUTE); }},
    {"a name's address",
     [] {
       addrinfo* found = nullptr;
       const int error = ::getaddrinfo("localhost", "80", nullptr, &found);
       if (error != 0) return -1L;
       ::freeaddrinfo(found);
       return 0L;
     }},
    {"the interfaces", [] { return ::if_nameindex() == nullptr ? -1L : 0L; }},
    {"a thread",
     [] {
       long ran = -1;
       std::thread([&] { ran = 0; }).join();
       return ran;
     }},
    {"a process", [] { return clone_into(0); }},
    {"another program", [] { return ::system("true") == 0 ? 0L : -1L; }},
    {"memory that executes",
     [] {
       void* const page = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
       return page == MAP_FAILED ? -1L : 0L;
     }},
};

// Makes the call in a process of its own, whatever comes of it: its errno, 0 if it was done, or "signal N".
inline std::string outcome(const Call& call) {
  const pid_t child = ::fork();
  if (child < 0) return "no fork";
  if (child == 0) {
    errno = 0;
    ::_exit(call.make() < 0 ? errno : 0);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? std::to_string(WEXITSTATUS(status)) : "signal " + std::to_string(WTERMSIG(status));
}

// A line for each call: who refused|allowed OUTCOME NAME.
inline std::string try_all(const char* who) {
  std::string lines;
  const auto add = [&](const char* kind, const Call& call) {
    lines += std::string(who) + ' ' + kind + ' ' + outcome(call) + ' ' + call.name + '\n';
  };
  for (const Call& call : kRefused) add("refused", call);
  for (const Call& call : kAllowed) add("allowed", call);
  // The C library makes threads with clone() where there is no clone3().
  add("missing", {"clone3", [] { return ::syscall(SYS_clone3, nullptr, 0); }});
  return lines;
}

}  // namespace calls
