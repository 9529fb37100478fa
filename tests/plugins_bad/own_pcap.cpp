// Brings a function that the host, too, has from a shared library, as a static library in a plugin does; its summary
// says which of the two it got.
#include "fixture.hpp"

extern "C" __attribute__((visibility("default"))) const char* pcap_lib_version() { return "its own"; }

namespace {

struct Nothing : fixture::Sink {
  using Sink::Sink;
  static std::uint32_t write(const nfbus_events& /*events*/, nfbus_report& /*report*/, nfbus_error* /*error*/) {
    return NFBUS_OK;
  }
};

constexpr nfbus_sink kSink = fixture::sink_of<Nothing>();
const std::string kGot = pcap_lib_version();

}  // namespace

static const nfbus_plugin kPlugin =
    fixture::plugin_of(NFBUS_PLUGIN_SINK, &kSink, nullptr, "own_pcap", kGot, R"({"type":"object"})");
FIXTURE_LIBRARY;
