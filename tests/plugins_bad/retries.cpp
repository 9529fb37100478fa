#include "fixture.hpp"

#include <algorithm>

namespace {
class Retries : public fixture::Sink {
 public:
  Retries(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options),
        times_(fixture::integer(options, "/times")),
        done_(static_cast<std::uint32_t>(fixture::integer(options, "/done"))),
        retry_after_ms_(static_cast<std::uint32_t>(fixture::integer(options, "/retry_after_ms"))) {}

  std::uint32_t write(const nfbus_events& events, nfbus_report& report, nfbus_error* error) {
    called();
    if (times_-- <= 0) {
      delivered(events.count);
      return NFBUS_OK;
    }
    // One event at least is to come again, else a small batch would make the answer one that asks for nothing.
    const std::uint32_t done = std::min(done_, events.count - 1);
    if (done != 0) report.outcome(report.context, 0, done, NFBUS_DELIVERED, {});
    report.retry_after_ms = retry_after_ms_;
    delivered(done);
    return fixture::fail(error, "not now", NFBUS_RETRY);
  }

 private:
  std::int64_t times_;
  const std::uint32_t done_;
  const std::uint32_t retry_after_ms_;
};
}  // namespace

FIXTURE_SINK(Retries, "retries", "asks so many times for a retry, each time after so many events are done",
             R"(,"times":{"type":"integer"},"done":{"type":"integer"},"retry_after_ms":{"type":"integer"})");
