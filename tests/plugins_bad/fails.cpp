#include "fixture.hpp"

#include <stdexcept>

namespace {
class Fails : public fixture::Sink {
 public:
  Fails(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options), at_(fixture::string(options, "/at")), good_calls_(fixture::integer(options, "/after")) {
    const std::string path = fixture::string(options, "/paths/0");
    if (at_ == "create") {
      throw std::invalid_argument("this sink cannot be created" + (path.empty() ? "" : " from " + path));
    }
  }

  std::uint32_t open(nfbus_shape& shape, nfbus_error* error) const {
    if (at_ == "open") return fixture::fail(error, "this sink cannot be opened");
    return Sink::open(shape, error);
  }

  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* error) {
    called();
    if (good_calls_-- <= 0) return fixture::fail(error, "this sink cannot go on");
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  const std::string at_;
  std::int64_t good_calls_;
};
}  // namespace

FIXTURE_SINK(Fails, "fails", "fails for good in create(), open() or, after so many good calls, in write()",
             R"(,"after":{"type":"integer"},"at":{"type":"string","enum":["create","open","write"]},)"
             R"("paths":{"type":"array","maxItems":2,"items":{"type":"string","minLength":2,"x-path":true}},)"
             R"("fatal":{"type":"boolean","deprecated":true,"description":"give at = \"create\" in its place"})");
