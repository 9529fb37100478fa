#include "fixture.hpp"

#include <stdexcept>

namespace {
class Throws : public fixture::Sink {
 public:
  Throws(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options), good_calls_(fixture::integer(options, "/after")) {}

  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* /*error*/) {
    called();
    if (good_calls_-- <= 0) throw std::runtime_error("this sink always throws");
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  std::int64_t good_calls_;
};
}  // namespace

FIXTURE_SINK(Throws, "throws", "throws out of write(), after so many good calls", R"(,"after":{"type":"integer"})");
