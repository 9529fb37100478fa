// Linked into what runs with AddressSanitizer: where its leak check has to stay away, or would err.
#include <unistd.h>

// LeakSanitizer stops the threads of its process with ptrace(2), which the kernel refuses a process that ends halfway
// down from root, as `nfbus check` does, and then fails the program.
extern "C" __attribute__((visibility("default"))) int __lsan_is_turned_off();  // NOLINT(bugprone-reserved-identifier)
extern "C" int __lsan_is_turned_off() { return ::getuid() != ::geteuid() ? 1 : 0; }

// GCC 12's runtime takes what lies before a library's thread-local variables for a header of glibc 2.19 wherever they
// begin 16 bytes into a page. It then reads its own allocator's words as an address, and the leak check dies of it with
// "Tracer caught signal 11": one end of a process in some hundreds.
extern "C" __attribute__((visibility("default"))) const char*
__asan_default_options();  // NOLINT(bugprone-reserved-identifier)
extern "C" const char* __asan_default_options() { return "intercept_tls_get_addr=0"; }
