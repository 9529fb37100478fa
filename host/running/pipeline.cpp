#include "running/pipeline.hpp"

#include "report/prometheus_text.hpp"
#include "running/plugin_source.hpp"
#include "running/spill_folders.hpp"
#include "running/stages.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <set>
#include <string_view>

namespace nfbus::host {

namespace {

void warn_of_abandoned_spills(const std::vector<SinkConfig>& sinks) {
  for (const std::string& found : abandoned_spills(sinks)) log::warning(found);
}

}  // namespace

PipelineState::PipelineState(std::unique_ptr<Stages> stages) noexcept : stages_(std::move(stages)) {}
PipelineState::PipelineState(PipelineState&& other) noexcept = default;
PipelineState::~PipelineState() = default;

MadePipeline::MadePipeline(std::unique_ptr<Stages> stages)
    : PipelineState(std::move(stages)), pieces_(std::make_unique<Pieces>()) {}
MadePipeline::MadePipeline(MadePipeline&& other) noexcept = default;
MadePipeline::~MadePipeline() = default;

std::optional<MadePipeline> MadePipeline::make(Config config, PluginRegistry plugins, PrivilegedParts* parts,
                                               RunningCalls& calls, std::vector<Error>& errors) {
  MadePipeline made(std::make_unique<Stages>(std::move(config), std::move(plugins), parts, calls));
  const Stages& stages = *made.stages_;
  const std::size_t before = errors.size();
  *made.pieces_ = make_pieces(stages.config, stages.plugins, stages.services, errors);
  if (errors.size() != before) return std::nullopt;
  return made;
}

Result<OpenPipeline> MadePipeline::open(std::optional<Listener> listener, PrivilegedHelper* helper,
                                        const OpenSource& open_source) && {
  Stages& stages = *stages_;
  if (auto opened = stages.sinks.open(std::move(pieces_->sinks)); !opened) return std::move(opened).error();
  if (listener) {
    std::vector<FilterConfig> configs = filter_configs(stages.config, stages.config.bus.filters);
    std::vector<const nfbus_plugin*> code = code_of(configs, stages.plugins);
    auto opened = stages.bus_filters.open(std::move(configs), std::move(code), std::move(pieces_->bus_filters));
    if (!opened) return std::move(opened).error();
    stages.open_server(std::move(*listener));
  }
  if (auto opened = stages.open_metrics(); !opened) return std::move(opened).error();

  auto filters_opened =
      stages.group_filters.open(group_filter_plan(stages.config, stages.plugins), std::move(pieces_->capture_chains));
  if (!filters_opened) return std::move(filters_opened).error();
  auto source = open_source(std::move(pieces_->captures), stages.source_context());
  if (!source) return std::move(source).error();
  stages.helper = helper;
  stages.sources.add(std::move(source).value());
  for (MadeSource& made : pieces_->sources) {
    if (auto opened = made.instance->open(); !opened) return at(std::move(opened).error(), made.config, "source");
    stages.sources.add(std::make_unique<PluginSource>(std::move(made.instance), stages.source_context()));
  }
  return OpenPipeline(std::move(*this));
}

Result<RunningPipeline> OpenPipeline::start(std::function<void()> sources_ended,
                                            std::function<void()> reload_asked) && {
  Stages& stages = *stages_;
  if (stages.server) {
    stages.server->serve_reloads(std::move(reload_asked));
    if (auto started = stages.server->start(); !started) return std::move(started).error();
  }
  stages.sinks.start();
  if (stages.sources.all_reloadable()) warn_of_abandoned_spills(stages.config.sinks);
  stages.sources.start(std::move(sources_ended));
  if (stages.metrics) {
    stages.metrics->start({.metrics = [&stages] { return to_prometheus_text(stages.report()); },
                           .health = [&stages] { return stages.health(); }});
  }
  return RunningPipeline(std::move(*this));
}

void RunningPipeline::reopen_sinks() { stages_->sinks.request_reopen(); }

void RunningPipeline::renew_socket() {
  if (!stages_->server) return;
  const auto renewed = stages_->server->renew_socket();
  if (!renewed) {
    log::error(
        fmt::format("bus: the socket's file was removed or replaced, and cannot be made again: {}; let the user "
                    "nfbus runs as write to the folder, or restart nfbus",
                    renewed.error().text));
  } else if (*renewed) {
    log::warning(fmt::format("bus: {} had been removed or replaced: it is made again", stages_->config.bus.socket));
  }
}

std::vector<std::uint64_t> RunningPipeline::take_reload_requests() {
  return stages_->server ? stages_->server->take_reload_requests() : std::vector<std::uint64_t>();
}

void RunningPipeline::answer_reload(const std::vector<std::uint64_t>& clients, const ReloadOutcome& outcome) {
  if (stages_->server) stages_->server->answer_reload(clients, outcome);
}

bool RunningPipeline::reloadable() const { return stages_->sources.all_reloadable(); }

namespace {

// Filters made anew, which have not taken the place of those that run.
struct FreshBusFilters {
  std::vector<FilterConfig> configs;
  std::vector<const nfbus_plugin*> code;
  FilterChain chain;
};
struct FreshGroupFilters {
  std::vector<CaptureConfig> captures;
  GroupFilterPlan plan;
  MadeCaptureFilters made;
};

// Nothing: those that run stay. Where there is no socket, a configuration with filters for it waits for the next start.
std::optional<FreshBusFilters> fresh_bus_filters(const Stages& stages, const Config& next,
                                                 const PluginRegistry& plugins, std::vector<Error>& errors) {
  if (!stages.server) return std::nullopt;
  std::vector<FilterConfig> configs = filter_configs(next, next.bus.filters);
  std::vector<const nfbus_plugin*> code = code_of(configs, plugins);
  if (configs == stages.bus_filters.configs() && code == stages.bus_filters.code()) return std::nullopt;
  return FreshBusFilters{.configs = std::move(configs),
                         .code = std::move(code),
                         .chain = make_bus_filters(next, plugins, stages.services, errors)};
}

// The same of the groups that are captured, which the next start may change. Where one with filters is gone by then, so
// may they.
std::optional<FreshGroupFilters> fresh_group_filters(const Stages& stages, const Config& next,
                                                     const PluginRegistry& plugins, std::vector<Error>& errors) {
  Config running = next;
  running.captures = stages.config.captures;
  for (CaptureConfig& capture : running.captures) {
    const auto now = std::ranges::find(next.captures, capture.group, &CaptureConfig::group);
    if (now == next.captures.end() && !capture.filters.empty()) return std::nullopt;
    if (now != next.captures.end()) capture.filters = now->filters;
  }
  GroupFilterPlan plan = group_filter_plan(running, plugins);
  if (plan == stages.group_filters.plan()) return std::nullopt;
  MadeCaptureFilters made = make_capture_filters(running, plugins, stages.services, errors);
  return FreshGroupFilters{.captures = std::move(running.captures), .plan = std::move(plan), .made = std::move(made)};
}

Result<void> replace_filters(Stages& stages, std::optional<FreshGroupFilters> groups,
                             std::optional<FreshBusFilters> bus, const std::vector<std::string>& bus_names) {
  if (groups) {
    auto replaced =
        stages.group_filters.replace(std::move(groups->plan), std::move(groups->made), stages.sources.of_groups());
    if (!replaced) return replaced;
    stages.config.captures = std::move(groups->captures);
  }
  if (bus) {
    auto replaced = stages.bus_filters.replace(std::move(bus->configs), std::move(bus->code), std::move(bus->chain));
    if (!replaced) return replaced;
    stages.config.bus.filters = bus_names;
  }
  return {};
}

// Says why sinks that the configuration leaves as they were are made anew.
void say_what_is_taken_up(const Stages& stages, const PluginRegistry& plugins, const std::vector<SinkPlan>& fresh) {
  for (const SinkPlan& plan : fresh) {
    if (stages.sinks.has_failed(plan.config.name)) {
      log::info(fmt::format("sink.{} had failed: it is made anew", plan.config.name));
    }
  }
  for (const Plugin& plugin : plugins.plugins()) {
    const Plugin* const before = stages.plugins.find(view(plugin.entry->name));
    if (before == nullptr || before->entry == plugin.entry) continue;
    log::info(fmt::format("plugin {}: {} is another library than before: what uses it is made anew",
                          view(plugin.entry->name), plugin.file.string()));
    for (const PluginConfig& source : stages.config.sources) {
      if (source.plugin != view(plugin.entry->name)) continue;
      log::warning(fmt::format("source.{} goes on with the one of before until the next start", source.name));
    }
  }
}

}  // namespace

std::vector<Error> RunningPipeline::reload(Config next, PluginRegistry plugins, Clock::time_point deadline,
                                           std::vector<Error>& not_opened) {
  Stages& stages = *stages_;
  const std::vector<SinkPlan> plans = plans_of(next, plugins);
  std::vector<SinkPlan> fresh = plans;
  std::erase_if(fresh, [&](const SinkPlan& plan) { return stages.sinks.runs(plan); });
  // Instances keep the fields that they were made with; if one cannot be made, all is as before.
  KnownFields fields = std::exchange(stages.services.fields, known_fields(next, plugins));
  std::vector<Error> errors;
  std::vector<MadeSink> made = make_sinks(next, fresh, plugins, stages.services, errors);
  auto groups = fresh_group_filters(stages, next, plugins, errors);
  auto bus = fresh_bus_filters(stages, next, plugins, errors);
  if (errors.empty()) {
    auto replaced = replace_filters(stages, std::move(groups), std::move(bus), next.bus.filters);
    if (!replaced) errors.push_back(std::move(replaced).error());
  }
  if (!errors.empty()) {
    stages.services.fields = std::move(fields);
    return errors;
  }
  Config& config = stages.config;
  if (next.host != config.host || next.bus != config.bus || next.metrics != config.metrics ||
      next.captures != config.captures || next.sources != config.sources) {
    log::warning(
        "changes of [host], [bus], [metrics], [source.NAME] and [[capture]], but for its filters, take effect at the "
        "next start");
  }
  say_what_is_taken_up(stages, plugins, fresh);
  std::swap(stages.plugins, plugins);
  not_opened = stages.sinks.replace(plans, std::move(made), deadline);
  config.filters = std::move(next.filters);
  config.sinks = std::move(next.sinks);
  warn_of_abandoned_spills(config.sinks);
  return {};
}

void RunningPipeline::watch() {
  Stages& stages = *stages_;
  if (stages.helper != nullptr) stages.helper->check();
  if (stages.services.parts != nullptr) stages.services.parts->check();
  stages.long_calls.tell(stages.services.calls->longer_than(LongCalls::kLong));
  const std::string losses = stages.losses.new_losses(stages.sources.snapshots());
  if (!losses.empty()) stages.publish_own(kLossTopic, losses);
  // Making a status asks every thread for its numbers: not for nobody.
  if (stages.bus.wants_message(kStatusTopic)) stages.publish_own(kStatusTopic, to_json(stages.report()));
}

void RunningPipeline::log_counters() const { stages_->log_counters(); }

std::function<void()> RunningPipeline::counters_logger() const {
  return [stages = stages_.get()] { stages->log_counters(); };
}

std::string RunningPipeline::summary() const {
  const auto plural = [](std::size_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  const std::size_t sources = stages_->config.sources.size();
  return plural(stages_->config.captures.size(), "group") + ", " + plural(stages_->sinks.size(), "sink") +
         (sources == 0 ? "" : ", " + plural(sources, "source"));
}

EndingPipeline RunningPipeline::stop_sources(Clock::time_point deadline) && { return {std::move(*this), deadline}; }

}  // namespace nfbus::host
