#include "fixture.hpp"

#include <deque>

namespace {
class Complains : public fixture::Sink {
 public:
  Complains(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options),
        tick_ms_(static_cast<std::uint32_t>(fixture::integer(options, "/tick_ms"))),
        bad_ticks_(fixture::integer(options, "/bad_ticks")),
        flaps_(fixture::integer(options, "/flaps") != 0),
        line_(fixture::string(options, "/line")),
        allocates_(static_cast<std::size_t>(fixture::integer(options, "/allocates"))),
        hoards_(fixture::integer(options, "/hoards") != 0) {}

  std::uint32_t open(nfbus_shape& shape, nfbus_error* error) const {
    shape.tick_ms = tick_ms_;
    return Sink::open(shape, error);
  }

  std::uint32_t tick(nfbus_error* error) {
    if (bad_ticks_-- <= 0) return NFBUS_OK;
    return fixture::fail(error, "its clock is broken");
  }

  std::uint32_t write(const nfbus_events& events, nfbus_report& report, nfbus_error* error) {
    called();
    if (flaps_ && (is_bad_ = !is_bad_)) {
      report.retry_after_ms = 1;
      return fixture::fail(error, "not now", NFBUS_RETRY);
    }
    if (allocates_ != 0) memory_.reserve(allocates_);
    while (hoards_) hoard_.emplace_back().reserve(65536);
    for (std::uint32_t i = 0; i < events.count && !line_.empty(); ++i) {
      const std::string line = line_ + " " + std::to_string(++said_);
      host().log(host().context, NFBUS_LOG_WARNING, fixture::text(line));
    }
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  const std::uint32_t tick_ms_;
  std::int64_t bad_ticks_;
  const bool flaps_;
  bool is_bad_ = false;
  const std::string line_;
  const std::size_t allocates_;
  const bool hoards_;
  std::string memory_;
  std::deque<std::string> hoard_;
  std::uint64_t said_ = 0;
};
}  // namespace

FIXTURE_SINK(Complains, "complains",
             "asks for a retry in every second call, fails ticks, logs a line for each event, takes memory, at once or "
             "without an end",
             R"(,"tick_ms":{"type":"integer"},"bad_ticks":{"type":"integer"},"flaps":{"type":"integer"},)"
             R"("line":{"type":"string"},"allocates":{"type":"integer"},"hoards":{"type":"integer"})");
