// The end of a fuzzer that has found something.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace nfbus::fuzz {

inline void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

}  // namespace nfbus::fuzz
