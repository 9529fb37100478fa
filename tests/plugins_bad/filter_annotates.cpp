#include "fixture.hpp"

namespace {
class FilterAnnotates {
 public:
  FilterAnnotates(const nfbus_host& /*host*/, const nfbus_options& options)
      : name_(fixture::string(options, "/name")), value_(fixture::string(options, "/value")) {}
  std::uint32_t apply(nfbus_filter_call& call, nfbus_error* /*error*/) const {
    for (std::uint32_t i = 0; i < call.count; ++i) {
      const nfbus_field field = {fixture::text(name_), fixture::text(value_), NFBUS_VALUE_TEXT, 0};
      call.annotate(call.context, i, &field);
    }
    return NFBUS_OK;
  }

 private:
  const std::string name_;
  const std::string value_;
};
}  // namespace

FIXTURE_FILTER(FilterAnnotates, "filter_annotates", "adds one field to every event",
               R"("name":{"type":"string","default":"note"},"value":{"type":"string","default":"seen"})");
