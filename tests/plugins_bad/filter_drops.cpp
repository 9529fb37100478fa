#include "fixture.hpp"

namespace {
class FilterDrops {
 public:
  FilterDrops(const nfbus_host& /*host*/, const nfbus_options& /*options*/) {}
  std::uint32_t apply(nfbus_filter_call& call, nfbus_error* /*error*/) {
    for (std::uint32_t i = 0; i < call.count; ++i) {
      if (seen_++ % 2 != 0) call.verdicts[i] = NFBUS_DROP;
    }
    return NFBUS_OK;
  }

 private:
  std::uint64_t seen_ = 0;
};
}  // namespace

FIXTURE_FILTER(FilterDrops, "filter_drops", "drops every second event", "");
