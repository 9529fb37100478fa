#include "fixture.hpp"

#include <stdexcept>

namespace {
struct FilterThrows {
  FilterThrows(const nfbus_host& /*host*/, const nfbus_options& /*options*/) {}
  std::uint32_t apply(nfbus_filter_call& call, nfbus_error* /*error*/) {
    call.verdicts[0] = NFBUS_DROP;  // must not count
    throw std::runtime_error("this filter always throws");
  }
};
}  // namespace

FIXTURE_FILTER(FilterThrows, "filter_throws", "throws out of apply()", "");
