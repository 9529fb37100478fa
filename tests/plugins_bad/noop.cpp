#include "fixture.hpp"

namespace {
struct Noop : fixture::Sink {
  using Sink::Sink;
  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* /*error*/) const {
    called();
    delivered(events.count);
    return NFBUS_OK;
  }
};
}  // namespace

FIXTURE_SINK(Noop, "noop", "counts events and drops them", "");
