#include "fixture.hpp"

#include <unistd.h>

namespace {
class FilterHangs {
 public:
  FilterHangs(const nfbus_host& /*host*/, const nfbus_options& options)
      : good_calls_(fixture::integer(options, "/after")), until_(fixture::string(options, "/until")) {}
  std::uint32_t apply(nfbus_filter_call& /*call*/, nfbus_error* /*error*/) {
    if (good_calls_-- <= 0) {
      constexpr useconds_t kPollMicroseconds = 5000;
      while (until_.empty() || ::access(until_.c_str(), F_OK) != 0) ::usleep(kPollMicroseconds);
    }
    return NFBUS_OK;
  }

 private:
  std::int64_t good_calls_;
  const std::string until_;
};
}  // namespace

FIXTURE_FILTER(FilterHangs, "filter_hangs", "hangs in apply() until a file appears, after so many good calls",
               R"("after":{"type":"integer"},"until":{"type":"string"})");
