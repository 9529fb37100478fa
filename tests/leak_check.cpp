// Linked into the program where AddressSanitizer is: when its leak check has to stay away.
#include <unistd.h>

// LeakSanitizer stops the threads of its process with ptrace(2), which the kernel refuses a process that ends halfway
// down from root, as `nfbus check` does, and then fails the program.
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off();  // NOLINT(bugprone-reserved-identifier)
extern "C" int __lsan_is_turned_off() { return ::getuid() != ::geteuid() ? 1 : 0; }
