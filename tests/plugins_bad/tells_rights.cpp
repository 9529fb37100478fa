// Says in place of a summary with whose rights the loader ran its constructors.
#include "fixture.hpp"

#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

namespace {

struct Nothing : fixture::Sink {
  using Sink::Sink;
  static std::uint32_t write(const nfbus_events& /*events*/, nfbus_report& /*report*/, nfbus_error* /*error*/) {
    return NFBUS_OK;
  }
};

std::string rights() {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
  if (::syscall(SYS_capget, &header, sets.data()) != 0) return "cannot tell";
  return "uid " + std::to_string(::geteuid()) + " with capabilities " + std::to_string(sets[0].effective);
}

constexpr nfbus_sink kSink = fixture::sink_of<Nothing>();
const std::string kRights = rights();

}  // namespace

static const nfbus_plugin kPlugin =
    fixture::plugin_of(NFBUS_PLUGIN_SINK, &kSink, nullptr, "tells_rights", kRights, R"({"type":"object"})");
FIXTURE_LIBRARY;
