// Any bytes as a configuration, and as a plugin's schema.
#include "given.hpp"
#include "must.hpp"

#include "config/document.hpp"
#include "schema/schema.hpp"

#include <cstddef>
#include <cstdint>

using nfbus::fuzz::must;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const nfbus::host::PluginRegistry kPlugins = nfbus::test::plugins();
  static const nfbus::test::Given kGiven("");
  const std::string_view text(reinterpret_cast<const char*>(data), size);

  kGiven.write("c.toml", text);
  const auto loaded =
      nfbus::host::load_config(nfbus::host::read_config_file(kGiven.path("c.toml"), false), kPlugins, {.replay = true});
  for (const nfbus::Error& error : loaded.errors) {
    must(error.where.has_value(), "an error without a file");
    must(to_string(error).find('\n') == std::string::npos, "an error of two lines");
  }
  if (loaded.errors.empty()) {
    for (const auto& sink : loaded.config.sinks) must(!sink.plugin.empty(), "a sink without a plugin");
    for (const auto& capture : loaded.config.captures) must(capture.latency_ms <= 10000, "a value out of range");
  }

  const bool good = nfbus::host::check_schema(text, NFBUS_PLUGIN_SINK).ok();
  must(good || nfbus::host::describe_schema(text).empty(), "options of a refused schema");
  return 0;
}
