#include "delivery/spill/crash_point.hpp"

#ifdef NFBUS_CRASH_POINTS

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <string_view>

namespace nfbus::host::spill {

void crash_point(const char* name) noexcept {
  static std::atomic<unsigned> passed{0};
  const char* value = std::getenv("NFBUS_CRASH_AT");  // NOLINT(concurrency-mt-unsafe): nobody sets it meanwhile
  if (value == nullptr) return;
  std::string_view wanted(value);
  unsigned count = 1;
  if (const auto colon = wanted.find(':'); colon != std::string_view::npos) {
    std::from_chars(wanted.data() + colon + 1, wanted.data() + wanted.size(), count);
    wanted = wanted.substr(0, colon);
  }
  if (wanted == name && passed.fetch_add(1) + 1 == count) static_cast<void>(std::raise(SIGKILL));
}

}  // namespace nfbus::host::spill

#endif
