/* Preloaded into the host by test_allocations.py: counts what asks for memory, in a file that the test maps too. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic uint64_t* counter;

static void* (*real_malloc)(size_t);
static void* (*real_realloc)(void*, size_t);

__attribute__((constructor)) static void start(void) {
  const char* path = getenv("NFBUS_ALLOCATIONS_FILE");
  const int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void* map = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (map != MAP_FAILED) counter = map;
}

static void count(void) {
  if (counter != NULL) atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

void* malloc(size_t size) {
  if (real_malloc == NULL) *(void**)&real_malloc = dlsym(RTLD_NEXT, "malloc");
  count();
  return real_malloc(size);
}

void* realloc(void* old, size_t size) {
  if (real_realloc == NULL) *(void**)&real_realloc = dlsym(RTLD_NEXT, "realloc");
  count();
  return real_realloc(old, size);
}
