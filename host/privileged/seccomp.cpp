#include "privileged/seccomp.hpp"

#include "support/log.hpp"

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <seccomp.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <type_traits>

#include <fmt/format.h>

// A sanitizer's own calls: of its memory, its report, and of what LeakSanitizer does to its threads at the end.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NFBUS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define NFBUS_SANITIZED 1
#endif
#endif
#ifndef NFBUS_SANITIZED
#define NFBUS_SANITIZED 0
#endif

namespace nfbus::host {

namespace {

constexpr bool kSanitized = NFBUS_SANITIZED != 0;
constexpr std::uint32_t kRefuse = SCMP_ACT_ERRNO(EPERM);

constexpr int kDumpableForAll = 1;  // SUID_DUMP_USER

// The kernel looks at the low half of these arguments alone, and so do we.
constexpr scmp_datum_t kInt = 0xffffffff;

// The argument, as far as the mask goes, is `value`.
constexpr scmp_arg_cmp masked(unsigned argument, scmp_datum_t mask, scmp_datum_t value) noexcept {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}
constexpr scmp_arg_cmp differs(unsigned argument, scmp_datum_t value) noexcept {
  return {.arg = argument, .op = SCMP_CMP_NE, .datum_a = value, .datum_b = 0};
}

// A filter under construction; the first error stays.
class Filter {
 public:
  explicit Filter(std::uint32_t default_action) : context_(::seccomp_init(default_action)) {
    if (!context_) error_ = -ENOMEM;
    // x32, and 32-bit programs where the host is a 64-bit one.
    set(SCMP_FLTATR_ACT_BADARCH, kRefuse);
    // A search tree instead of a chain, and no mitigation that would cost every thread time: only trusted code runs
    // here. Where libseccomp or the kernel knows neither, the filter is as good.
    if (context_) {
      static_cast<void>(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2));
      static_cast<void>(::seccomp_attr_set(context_.get(), SCMP_FLTATR_CTL_SSB, 1));
    }
  }

  void on_all_threads() { set(SCMP_FLTATR_CTL_TSYNC, 1); }

  // A call that this architecture or this libseccomp does not know is left out.
  void add(std::uint32_t action, const char* call, std::initializer_list<scmp_arg_cmp> conditions = {}) {
    const int number = ::seccomp_syscall_resolve_name(call);
    if (error_ != 0 || number == __NR_SCMP_ERROR) return;
    error_ = ::seccomp_rule_add_array(context_.get(), action, number, static_cast<unsigned>(conditions.size()),
                                      conditions.begin());
    rule_failed_ = error_ != 0;
  }
  void add(std::uint32_t action, std::span<const char* const> calls) {
    for (const char* call : calls) add(action, call);
  }

  Result<void> load() {
    if (error_ == 0) error_ = ::seccomp_load(context_.get());
    if (error_ == 0) return {};
    const bool unknown = !rule_failed_ && (error_ == -EINVAL || error_ == -ENOSYS || error_ == -EOPNOTSUPP);
    return Error{.code = unknown ? Code::unsupported : Code::io,
                 .text = fmt::format("cannot load a seccomp filter: {}", std::generic_category().message(-error_))};
  }

 private:
  void set(scmp_filter_attr attribute, std::uint32_t value) {
    if (error_ == 0) error_ = ::seccomp_attr_set(context_.get(), attribute, value);
  }

  struct Release {
    void operator()(scmp_filter_ctx context) const noexcept { ::seccomp_release(context); }
  };
  std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> context_;
  int error_ = 0;
  bool rule_failed_ = false;  // which says nothing of the kernel
};

// Most of these need a capability as well; that is one bug of a kernel away, this is a second lock.
constexpr const char* kNoPluginNeeds[] = {
    // Mounts and roots.
    "mount", "umount", "umount2", "pivot_root", "chroot", "fsopen", "fsconfig", "fsmount", "fspick", "move_mount",
    "open_tree", "open_tree_attr", "mount_setattr", "quotactl", "quotactl_fd", "swapon", "swapoff", "fanotify_init",
    "open_by_handle_at",
    // Other processes.
    "process_vm_readv", "process_vm_writev", "process_madvise", "pidfd_getfd", "kcmp", "perf_event_open",
    // The kernel itself.
    "bpf", "init_module", "finit_module", "delete_module", "create_module", "query_module", "get_kernel_syms",
    "kexec_load", "kexec_file_load", "reboot", "syslog", "acct", "nfsservctl", "lookup_dcookie", "vhangup", "uselib",
    "ustat", "sysfs", "_sysctl", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "iopl",
    "ioperm", "vm86", "vm86old", "modify_ldt",
    // Keyrings.
    "add_key", "request_key", "keyctl",
    // Namespaces; clone() is looked at below.
    "unshare", "setns",
    // Who we are.
    "setuid", "setuid32", "setgid", "setgid32", "setreuid", "setreuid32", "setregid", "setregid32", "setresuid",
    "setresuid32", "setresgid", "setresgid32", "setfsuid", "setfsuid32", "setfsgid", "setfsgid32", "setgroups",
    "setgroups32", "capset",
    // What the machine is.
    "sethostname", "setdomainname", "settimeofday", "stime", "clock_settime", "clock_settime64", "adjtimex",
    "clock_adjtime", "clock_adjtime64"};

// Of sockets. Asking for one of another family makes the kernel load the module that has it.
constexpr int kFamilies[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_VSOCK};

constexpr scmp_datum_t kNewNamespaces[] = {CLONE_NEWNS,   CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC,
                                           CLONE_NEWUSER, CLONE_NEWPID,    CLONE_NEWNET};

// What malloc and the end of a process take.
constexpr const char* kMemoryAndEnd[] = {"brk",  "munmap",     "mremap",          "madvise",      "futex",
                                         "exit", "exit_group", "restart_syscall", "futex_time64", "rt_sigreturn"};

constexpr const char* kMessages[] = {"recv", "recvfrom", "recvmsg", "send", "sendto", "sendmsg", "close"};

constexpr const char* kForBinding[] = {
    // The NFLOG socket; socket() is looked at below.
    "bind", "setsockopt",
    // /proc, for the holder of a group and for libcap-ng.
    "read", "readv", "_llseek", "lseek", "fstat", "fstat64", "newfstatat", "fstatat64", "statx", "statfs", "statfs64",
    "fstatfs", "fstatfs64", "getdents64", "readlink", "readlinkat", "fcntl", "fcntl64",
    // Becoming the user, and the next filter.
    "prctl", "seccomp", "capget", "capset", "setgroups", "setgroups32", "setresgid", "setresgid32", "setresuid",
    "setresuid32", "getpid", "getppid", "gettid", "getuid", "getuid32", "geteuid", "geteuid32", "getgid", "getgid32",
    "getegid", "getegid32", "getrandom", "clock_gettime", "clock_gettime64"};

// UBSan's look at a virtual table goes through a pipe.
constexpr const char* kSanitizersOwn[] = {
    "mmap",   "mmap2",     "mprotect",  "sched_yield",   "sigaltstack", "getpid",         "gettid",
    "write",  "pipe",      "pipe2",     "read",          "readlink",    "rt_sigprocmask", "rt_sigaction",
    "tgkill", "getrlimit", "prlimit64", "clock_gettime", "nanosleep",   "clock_nanosleep"};

void refuse_other_families(Filter& filter, const char* call) {
  for (int family = 0; family < AF_MAX; ++family) {
    if (std::ranges::find(kFamilies, family) != std::end(kFamilies)) continue;
    filter.add(kRefuse, call, {masked(0, kInt, static_cast<scmp_datum_t>(family))});
  }
  filter.add(kRefuse, call, {{.arg = 0, .op = SCMP_CMP_GE, .datum_a = AF_MAX, .datum_b = 0}});
}

void refuse_what_no_plugin_needs(Filter& filter) {
  filter.add(kRefuse, kNoPluginNeeds);
  if (!kSanitized) filter.add(kRefuse, "ptrace");  // LeakSanitizer looks at the threads of its own process with it
  for (const scmp_datum_t space : kNewNamespaces) {
    filter.add(kRefuse, "clone", {masked(0, space, space)});
  }
  // Its flags lie in memory, where a filter does not look; the C library then uses clone().
  filter.add(SCMP_ACT_ERRNO(ENOSYS), "clone3");
  // Typing into the terminal of whoever started us.
  for (const scmp_datum_t request : {scmp_datum_t{TIOCSTI}, scmp_datum_t{TIOCLINUX}}) {
    filter.add(kRefuse, "ioctl", {masked(1, kInt, request)});
  }
  refuse_other_families(filter, "socket");
  refuse_other_families(filter, "socketpair");
}

void allow_opening_to_read(Filter& filter) {
  constexpr scmp_datum_t kWrites = O_ACCMODE | O_CREAT | O_TRUNC;
  filter.add(SCMP_ACT_ALLOW, "open", {masked(1, kWrites, O_RDONLY)});
  filter.add(SCMP_ACT_ALLOW, "openat", {masked(2, kWrites, O_RDONLY)});
}

void allow_memory_and_messages(Filter& filter) {
  filter.add(SCMP_ACT_ALLOW, kMemoryAndEnd);
  filter.add(SCMP_ACT_ALLOW, kMessages);
  for (const char* const map : {"mmap", "mmap2"}) {
    filter.add(SCMP_ACT_ALLOW, map, {masked(2, PROT_EXEC, 0)});
  }
  // A group that is released gets a larger buffer first.
  filter.add(SCMP_ACT_ALLOW, "getsockopt");
  for (const scmp_datum_t size : {scmp_datum_t{SO_RCVBUF}, scmp_datum_t{SO_RCVBUFFORCE}}) {
    filter.add(SCMP_ACT_ALLOW, "setsockopt", {masked(1, kInt, SOL_SOCKET), masked(2, kInt, size)});
  }
  if (!kSanitized) return;
  filter.add(SCMP_ACT_ALLOW, kSanitizersOwn);
  allow_opening_to_read(filter);
}

}  // namespace

Result<void> confine_host() {
  // After a change of ids the system's own choice holds already: no core file, or one for root alone.
  if (::prctl(PR_GET_DUMPABLE) == kDumpableForAll) ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);

  Filter filter(SCMP_ACT_ALLOW);
  filter.on_all_threads();
  refuse_what_no_plugin_needs(filter);
  // getaddrinfo() and the table of interfaces ask rtnetlink. What lies above the low half of the protocol is refused
  // with it.
  filter.add(kRefuse, "socket", {masked(0, kInt, AF_NETLINK), differs(2, NETLINK_ROUTE)});
  auto loaded = filter.load();
  if (loaded || loaded.error().code != Code::unsupported) return loaded;
  log::warning(loaded.error().text + ": plugins may ask the kernel for all that an unprivileged program may");
  return {};
}

Result<void> confine_part() {
  Filter filter(SCMP_ACT_ALLOW);
  refuse_what_no_plugin_needs(filter);
  auto loaded = filter.load();
  // A kernel without seccomp is told about by the host, and all goes on.
  if (!loaded && loaded.error().code == Code::unsupported) return {};
  return loaded;
}

Result<void> allow_binding() {
  Filter filter(kRefuse);
  allow_memory_and_messages(filter);
  filter.add(SCMP_ACT_ALLOW, kForBinding);
  filter.add(SCMP_ACT_ALLOW, "socket", {masked(0, kInt, AF_NETLINK), masked(2, kInt, NETLINK_NETFILTER)});
  allow_opening_to_read(filter);
  return filter.load();
}

Result<void> allow_serving() {
  Filter filter(kSanitized ? kRefuse : SCMP_ACT_KILL_PROCESS);
  allow_memory_and_messages(filter);
  return filter.load();
}

}  // namespace nfbus::host
