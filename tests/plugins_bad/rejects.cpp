#include "fixture.hpp"

namespace {
struct Rejects : fixture::Sink {
  using Sink::Sink;
  std::uint32_t write(const nfbus_events& events, nfbus_report& report, nfbus_error* /*error*/) {
    called();
    std::uint32_t rejected = 0;
    for (std::uint32_t i = 0; i < events.count; ++i) {
      if (seen_++ % 2 == 0) continue;
      report.outcome(report.context, i, 1, NFBUS_REJECTED, fixture::text("this sink takes only every second event"));
      ++rejected;
    }
    delivered(events.count - rejected);
    return NFBUS_OK;
  }

 private:
  std::uint64_t seen_ = 0;
};
}  // namespace

FIXTURE_SINK(Rejects, "rejects", "rejects every second event", "");
