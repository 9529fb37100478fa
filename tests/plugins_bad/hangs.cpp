#include "fixture.hpp"

#include <unistd.h>

namespace {
class Hangs : public fixture::Sink {
 public:
  Hangs(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options),
        good_calls_(fixture::integer(options, "/after")),
        until_(fixture::string(options, "/until")) {}

  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* /*error*/) {
    called();
    if (good_calls_-- <= 0) {
      constexpr useconds_t kPollMicroseconds = 5000;
      while (until_.empty() || ::access(until_.c_str(), F_OK) != 0) ::usleep(kPollMicroseconds);
    }
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  std::int64_t good_calls_;
  const std::string until_;
};
}  // namespace

FIXTURE_SINK(Hangs, "hangs", "hangs in write() until a file appears, after so many good calls",
             R"(,"after":{"type":"integer"},"until":{"type":"string"})");
