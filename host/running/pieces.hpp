// Makes what a configuration asks for, without opening it. Making it is all that `check` needs.
#pragma once

#include "capture/source.hpp"
#include "config/config.hpp"
#include "delivery/capture_filters.hpp"
#include "delivery/filter_chain.hpp"
#include "delivery/sink.hpp"
#include "formats/format.hpp"
#include "match/known_fields.hpp"
#include "plugins/instance.hpp"
#include "plugins/registry.hpp"
#include "plugins/source_instance.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

// What a sink is made of: made anew of an equal plan it would do the same.
struct SinkPlan {
  SinkConfig config;
  std::vector<FilterConfig> filters;
  std::vector<const nfbus_plugin*> code;  // of the sink, then of each filter: another one where its file was replaced

  bool operator==(const SinkPlan&) const = default;
};

// A sink with the filters that it alone has.
struct MadeSink {
  SinkPlan plan;
  std::uint32_t event_kinds;  // NFBUS_EVENT_*, ORed
  FilterChain filters;
  std::unique_ptr<Sink> instance;
};

// A source that a plugin brings.
struct MadeSource {
  PluginConfig config;
  std::unique_ptr<SourceInstance> instance;
};

// The filters of each group that has some.
using CaptureChains = std::vector<std::pair<std::uint16_t, CaptureFilterChain*>>;

// The filters of captures, made anew.
struct MadeCaptureFilters {
  FiltersOfGroups filters;  // of every group
  CaptureChains chains;     // owned by them
};

// Destroyed before the services that they were made with.
struct Pieces {
  std::vector<CaptureSpec> captures;
  CaptureChains capture_chains;  // owned by `captures`
  FilterChain bus_filters{{}};
  std::vector<MadeSink> sinks;
  std::vector<MadeSource> sources;
};

// [control] Makes every sink, and every filter that one of them or a capture names; opens nothing. Appends what plugins
// have against their options to `errors`: each mistake once, with its place. Some pieces are missing then.
[[nodiscard]] Pieces make_pieces(const Config& config, const PluginRegistry& plugins, const SharedServices& services,
                                 std::vector<Error>& errors);

// [control] Of a configuration that was checked: in its order.
[[nodiscard]] std::vector<SinkPlan> plans_of(const Config& config, const PluginRegistry& plugins);

// [control] The plugins of these instances, as SinkPlan::code.
[[nodiscard]] std::vector<const nfbus_plugin*> code_of(const std::vector<PluginConfig>& instances,
                                                       const PluginRegistry& plugins);

// [control] As make_pieces(), of these sinks alone.
[[nodiscard]] std::vector<MadeSink> make_sinks(const Config& config, const std::vector<SinkPlan>& plans,
                                               const PluginRegistry& plugins, const SharedServices& services,
                                               std::vector<Error>& errors);

// [control] As make_pieces(), of the filters of captures alone.
[[nodiscard]] MadeCaptureFilters make_capture_filters(const Config& config, const PluginRegistry& plugins,
                                                      const SharedServices& services, std::vector<Error>& errors);

// [control] As make_pieces(), of the filters of [bus] alone.
[[nodiscard]] FilterChain make_bus_filters(const Config& config, const PluginRegistry& plugins,
                                           const SharedServices& services, std::vector<Error>& errors);

// [control] For instances of which none is ever at work: nobody would hear what they publish, so that is refused.
// parts: null where none run.
[[nodiscard]] SharedServices services_at_rest(const FormatSet& formats, const Config& config,
                                              const PluginRegistry& plugins, PrivilegedParts* parts);

// [control] Each configured instance whose plugin has a privileged part that cannot be started, and why.
[[nodiscard]] std::vector<Error> missing_parts(const Config& config, const PluginRegistry& plugins);

// [control] Makes all pieces, and drops them: returns what plugins have against their options.
[[nodiscard]] std::vector<Error> try_pieces(const Config& config, const PluginRegistry& plugins);

// [control] The configurations of the filters with these names, which are declared.
[[nodiscard]] std::vector<FilterConfig> filter_configs(const Config& config, const std::vector<std::string>& names);

// [control] Returns what matches may ask for, beside what every event has: annotations of the declared filters.
[[nodiscard]] KnownFields known_fields(const Config& config, const PluginRegistry& plugins);

// An error of an instance, with its name in front and its place in the configuration.
[[nodiscard]] Error at(Error error, const PluginConfig& config, std::string_view kind);

}  // namespace nfbus::host
