#include "running/pieces.hpp"

#include "plugins/annotations.hpp"
#include "plugins/handshake.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace nfbus::host {

namespace {

using Stages = std::map<std::string, std::shared_ptr<FilterStage>>;  // by name

// A filter may be made for several sinks.
void add_once(const Error& error, std::vector<Error>& errors) {
  const auto is_same = [&](const Error& other) { return to_string(other) == to_string(error); };
  if (std::none_of(errors.begin(), errors.end(), is_same)) errors.push_back(error);
}

// Makes one configuration's pieces. The configuration was checked: every filter that is named is declared, and every
// plugin exists.
class Maker {
 public:
  Maker(const Config& config, const PluginRegistry& plugins, const SharedServices& services, std::vector<Error>& errors)
      : config_(config), plugins_(plugins), services_(services), errors_(errors) {}

  MadeCaptureFilters make_capture_filters() {
    MadeCaptureFilters made;
    Stages stages;  // shared by the groups, which one thread serves: what one teaches a filter, it knows of all
    for (const CaptureConfig& config : config_.captures) {
      auto& filters = made.filters.emplace_back(config.group, nullptr).second;
      if (config.filters.empty()) continue;
      auto chain = std::make_unique<CaptureFilterChain>(make_chain(filter_configs(config_, config.filters), stages));
      made.chains.emplace_back(config.group, chain.get());
      filters = std::move(chain);
    }
    return made;
  }

  void make_captures(Pieces& pieces) {
    MadeCaptureFilters made = make_capture_filters();
    pieces.capture_chains = std::move(made.chains);
    for (std::size_t i = 0; i < made.filters.size(); ++i) {
      pieces.captures.push_back({.config = config_.captures[i], .filters = std::move(made.filters[i].second)});
    }
  }

  FilterChain make_bus_filters() {
    Stages stages;
    return make_chain(filter_configs(config_, config_.bus.filters), stages);
  }

  void make_sink(const SinkPlan& plan, std::vector<MadeSink>& sinks) {
    const SinkConfig& config = plan.config;
    Stages stages;
    FilterChain chain = make_chain(plan.filters, stages);
    const Plugin& plugin = *plugins_.find(config.plugin);
    auto instance = SinkInstance::create(plugin, config.name, config.options_json, services_);
    if (!instance) return add_once(at(std::move(instance).error(), config, "sink"), errors_);
    sinks.push_back({.plan = plan,
                     .event_kinds = event_kinds_of(*plugin.entry),
                     .filters = std::move(chain),
                     .instance = std::move(instance).value()});
  }

  void make_source(const PluginConfig& config, std::vector<MadeSource>& sources) {
    auto instance = SourceInstance::create(*plugins_.find(config.plugin), config.name, config.options_json, services_);
    if (!instance) return add_once(at(std::move(instance).error(), config, "source"), errors_);
    sources.push_back({.config = config, .instance = std::move(instance).value()});
  }

 private:
  // Makes the stages that are not in `stages` yet, and adds them. Those that cannot be made are left out.
  FilterChain make_chain(const std::vector<FilterConfig>& configs, Stages& stages) {
    std::vector<std::shared_ptr<FilterStage>> chain;
    chain.reserve(configs.size());
    for (const FilterConfig& config : configs) {
      auto& stage = stages[config.name];
      if (!stage) {
        auto filter =
            FilterInstance::create(*plugins_.find(config.plugin), config.name, config.options_json, services_);
        if (!filter) {
          add_once(at(std::move(filter).error(), config, "filter"), errors_);
          continue;
        }
        stage = std::make_shared<FilterStage>(std::move(filter).value());
      }
      chain.push_back(stage);
    }
    return FilterChain(std::move(chain));
  }

  const Config& config_;
  const PluginRegistry& plugins_;
  const SharedServices& services_;
  std::vector<Error>& errors_;
};

}  // namespace

Pieces make_pieces(const Config& config, const PluginRegistry& plugins, const SharedServices& services,
                   std::vector<Error>& errors) {
  Pieces pieces;
  Maker maker(config, plugins, services, errors);
  maker.make_captures(pieces);
  pieces.bus_filters = maker.make_bus_filters();
  for (const SinkPlan& plan : plans_of(config, plugins)) maker.make_sink(plan, pieces.sinks);
  for (const PluginConfig& source : config.sources) maker.make_source(source, pieces.sources);
  return pieces;
}

std::vector<const nfbus_plugin*> code_of(const std::vector<PluginConfig>& instances, const PluginRegistry& plugins) {
  std::vector<const nfbus_plugin*> code;
  code.reserve(instances.size());
  for (const PluginConfig& instance : instances) code.push_back(plugins.find(instance.plugin)->entry);
  return code;
}

std::vector<SinkPlan> plans_of(const Config& config, const PluginRegistry& plugins) {
  std::vector<SinkPlan> plans;
  plans.reserve(config.sinks.size());
  for (const SinkConfig& sink : config.sinks) {
    SinkPlan plan{
        .config = sink, .filters = filter_configs(config, sink.filters), .code = {plugins.find(sink.plugin)->entry}};
    for (const nfbus_plugin* const code : code_of(plan.filters, plugins)) plan.code.push_back(code);
    plans.push_back(std::move(plan));
  }
  return plans;
}

std::vector<MadeSink> make_sinks(const Config& config, const std::vector<SinkPlan>& plans,
                                 const PluginRegistry& plugins, const SharedServices& services,
                                 std::vector<Error>& errors) {
  std::vector<MadeSink> sinks;
  Maker maker(config, plugins, services, errors);
  for (const SinkPlan& plan : plans) maker.make_sink(plan, sinks);
  return sinks;
}

MadeCaptureFilters make_capture_filters(const Config& config, const PluginRegistry& plugins,
                                        const SharedServices& services, std::vector<Error>& errors) {
  return Maker(config, plugins, services, errors).make_capture_filters();
}

FilterChain make_bus_filters(const Config& config, const PluginRegistry& plugins, const SharedServices& services,
                             std::vector<Error>& errors) {
  return Maker(config, plugins, services, errors).make_bus_filters();
}

SharedServices services_at_rest(const FormatSet& formats, const Config& config, const PluginRegistry& plugins,
                                PrivilegedParts* parts) {
  return {.formats = formats,
          .publish = [](std::string_view, std::string_view, const MessageOrigin&) { return false; },
          .fields = known_fields(config, plugins),
          .parts = parts};
}

std::vector<Error> missing_parts(const Config& config, const PluginRegistry& plugins) {
  std::vector<Error> missing;
  const auto look = [&](const PluginConfig& configured, std::string_view kind) {
    if ((plugins.find(configured.plugin)->entry->flags & NFBUS_HAS_PRIVILEGED_PART) == 0) return;
    const auto found = find_privileged_part(configured.plugin, plugins.folders());
    if (found) return;
    Error error = found.error();
    error.text = fmt::format("its privileged part will not run: {}", error.text);
    missing.push_back(at(std::move(error), configured, kind));
  };
  for (const PluginConfig& source : config.sources) look(source, "source");
  for (const FilterConfig& filter : config.filters) look(filter, "filter");
  for (const SinkConfig& sink : config.sinks) look(sink, "sink");
  return missing;
}

std::vector<Error> try_pieces(const Config& config, const PluginRegistry& plugins) {
  const FormatSet formats(config.host.device);
  const SharedServices services = services_at_rest(formats, config, plugins, nullptr);
  std::vector<Error> errors;
  const Pieces pieces = make_pieces(config, plugins, services, errors);
  return errors;
}

std::vector<FilterConfig> filter_configs(const Config& config, const std::vector<std::string>& names) {
  std::vector<FilterConfig> configs;
  configs.reserve(names.size());
  for (const std::string& name : names) {
    configs.push_back(
        *std::find_if(config.filters.begin(), config.filters.end(), [&](const auto& f) { return f.name == name; }));
  }
  return configs;
}

KnownFields known_fields(const Config& config, const PluginRegistry& plugins) {
  std::vector<std::string> names;
  names.reserve(config.filters.size());
  for (const FilterConfig& filter : config.filters) names.push_back(filter.plugin);
  KnownFields known = annotations_of(plugins, names);
  known.topic_root = config.host.topic_root;
  return known;
}

Error at(Error error, const PluginConfig& config, std::string_view kind) {
  if (auto place = config.places.find(error.option)) {
    error.text = fmt::format("{}: {}", place->name, error.text);
    error.where = std::move(place->where);
    return error;
  }
  error.text = fmt::format("{}.{}: {}", kind, config.name, error.text);
  if (!error.where) error.where = config.where;
  return error;
}

}  // namespace nfbus::host
