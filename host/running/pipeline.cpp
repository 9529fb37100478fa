#include "running/pipeline.hpp"

#include "capture/replay.hpp"
#include "plugins/annotations.hpp"
#include "plugins/handshake.hpp"
#include "report/log_lines.hpp"
#include "report/own_events.hpp"
#include "report/prometheus_text.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace nfbus::host {

namespace {

// Free slabs and batches kept for reuse: what one capture round and a busy sink hand back and forth.
constexpr std::size_t kKeepSlabs = 4;
constexpr std::size_t kKeepBatches = 256;

// The bus's socket: what may wait for one client, and for all of them; a line that several wait for counts once there.
constexpr std::size_t kClientBytes = 8UL << 20U;
constexpr std::size_t kAllClientsBytes = 64UL << 20U;
constexpr std::size_t kMostClients = 4096;

// Beyond a deadline: for a call that began before it, and the flush behind it.
constexpr std::chrono::milliseconds kLastCall{1000};

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// The configuration was checked: every filter that is named is declared, and every plugin exists.
std::vector<FilterConfig> filter_configs(const Config& config, const std::vector<std::string>& names) {
  std::vector<FilterConfig> configs;
  configs.reserve(names.size());
  for (const std::string& name : names) {
    configs.push_back(
        *std::find_if(config.filters.begin(), config.filters.end(), [&](const auto& f) { return f.name == name; }));
  }
  return configs;
}

std::vector<std::vector<FilterConfig>> filters_of_captures(const Config& config) {
  std::vector<std::vector<FilterConfig>> filters;
  filters.reserve(config.captures.size());
  for (const CaptureConfig& capture : config.captures) filters.push_back(filter_configs(config, capture.filters));
  return filters;
}

KnownFields known_fields(const std::vector<FilterConfig>& filters, const PluginRegistry& plugins) {
  std::vector<std::string> names;
  names.reserve(filters.size());
  for (const FilterConfig& filter : filters) names.push_back(filter.plugin);
  return annotations_of(plugins, names);
}

// Where messages wait for the filters of a chain.
std::set<std::shared_ptr<Subscription>> messages_of(const FilterChain& chain) {
  std::set<std::shared_ptr<Subscription>> messages;
  for (const auto& stage : chain.stages()) {
    if (stage->messages()) messages.insert(stage->messages());
  }
  return messages;
}

void log_sink(const SinkSnapshot& sink) {
  log::info(log_line(sink));
  for (const FilterSnapshot& filter : sink.filters) log::info(log_line(filter, "sink." + sink.name));
}

// Of a sink that has ended, or is left behind.
void warn_of_undelivered(const SinkSnapshot& s) {
  if (s.events.queued == 0) return;
  log::warning(fmt::format("sink.{}: {} events that it could not deliver in time are lost", s.name, s.events.queued));
}

Error at(Error error, const PluginConfig& config, std::string_view kind) {
  error.text = fmt::format("{}.{}: {}", kind, config.name, error.text);
  if (!error.where) error.where = config.where;
  return error;
}

// A filter may be made for several sinks.
void add_once(const Error& error, std::vector<Error>& errors) {
  const auto is_same = [&](const Error& other) { return to_string(other) == to_string(error); };
  if (std::none_of(errors.begin(), errors.end(), is_same)) errors.push_back(error);
}

}  // namespace

Pipeline::Pipeline(Config config, PluginRegistry plugins)
    : config_(std::move(config)),
      plugins_(std::move(plugins)),
      capture_filters_(filters_of_captures(config_)),
      slabs_(kSlabBytes, kKeepSlabs),
      batches_(kKeepBatches),
      topics_(config_.host.topic_root),
      formats_(config_.host.device),
      services_{.formats = formats_,
                .publish = [this](std::string_view topic, std::string_view text,
                                  const MessageOrigin& origin) { return publish_message(topic, text, origin); },
                .fields = known_fields(config_.filters, plugins_)} {}

Pipeline::~Pipeline() {
  metrics_.reset();
  server_.reset();
  if (source_thread_.joinable()) {
    stop_source();
    source_thread_.join();
  }
}

FilterChain Pipeline::make_filters(const std::vector<FilterConfig>& configs, Stages& stages,
                                   std::vector<Error>& errors) {
  std::vector<std::shared_ptr<FilterStage>> chain;
  chain.reserve(configs.size());
  for (const FilterConfig& config : configs) {
    auto& stage = stages[config.name];
    if (!stage) {
      auto filter = FilterInstance::create(*plugins_.find(config.plugin), config.name, config.options_json, services_);
      if (!filter) {
        add_once(at(std::move(filter).error(), config, "filter"), errors);
        continue;
      }
      stage = std::make_shared<FilterStage>(std::move(filter).value());
    }
    chain.push_back(stage);
  }
  return FilterChain(std::move(chain));
}

std::vector<Pipeline::CreatedSink> Pipeline::create_sinks(const Config& config,
                                                          const std::function<bool(const SinkConfig&)>& is_new,
                                                          std::vector<Error>& errors) {
  std::vector<CreatedSink> created;
  for (const SinkConfig& sink : config.sinks) {
    if (!is_new(sink)) continue;
    std::vector<FilterConfig> filters = filter_configs(config, sink.filters);
    Stages stages;
    FilterChain chain = make_filters(filters, stages, errors);
    auto instance = SinkInstance::create(*plugins_.find(sink.plugin), sink.name, sink.options_json, services_);
    if (!instance) {
      add_once(at(std::move(instance).error(), sink, "sink"), errors);
      continue;
    }
    created.push_back({.config = sink,
                       .filter_configs = std::move(filters),
                       .filters = std::move(chain),
                       .instance = std::move(instance).value()});
  }
  return created;
}

std::vector<Error> Pipeline::create() {
  std::vector<Error> errors;
  Stages stages;  // shared by the groups, which one thread serves: what one teaches a filter, it knows of all
  for (const CaptureConfig& config : config_.captures) {
    std::unique_ptr<CaptureFilters> filters;
    if (!config.filters.empty()) {
      auto made =
          std::make_unique<CaptureFilterChain>(make_filters(filter_configs(config_, config.filters), stages, errors));
      capture_chains_.emplace_back(config.group, made.get());
      filters = std::move(made);
    }
    created_captures_.push_back({.config = config, .filters = std::move(filters)});
  }
  created_sinks_ = create_sinks(
      config_, [](const SinkConfig&) { return true; }, errors);
  return errors;
}

Result<void> Pipeline::open_sinks() {
  for (CreatedSink& created : std::exchange(created_sinks_, {})) {
    auto subscription = make_subscription(created.config);
    auto opened = open_sink(std::move(created), subscription);
    if (!opened) return std::move(opened).error();
    bus_.add(subscription);
    listen(messages_of(opened->worker->filters()));
    sinks_.push_back(std::move(opened).value());
  }
  return {};
}

void Pipeline::listen(const Messages& subscriptions) {
  for (const auto& subscription : subscriptions) bus_.add(subscription);
}

std::shared_ptr<Subscription> Pipeline::make_subscription(const SinkConfig& config) const {
  return std::make_shared<Subscription>(
      Interest{.topics = config.topics, .kinds = event_kinds_of(*plugins_.find(config.plugin)->entry)},
      QueueLimits{.events = config.queue_events, .bytes = config.queue_bytes, .overflow = config.overflow});
}

Result<Pipeline::RunningSink> Pipeline::open_sink(CreatedSink created, std::shared_ptr<Subscription> subscription) {
  if (auto opened = created.filters.open(); !opened) return at(std::move(opened).error(), created.config, "sink");
  auto shape = created.instance->open();
  if (!shape) return at(std::move(shape).error(), created.config, "sink");
  auto worker = std::make_unique<SinkWorker>(
      std::move(created.instance), *shape, std::move(created.filters), std::move(subscription),
      [this](const SinkWorker& of, SinkState state, std::string_view why) {
        publish_own("nfbus:sink", sink_event(of.name(), of.plugin(), state, why));
      });
  return RunningSink{
      .config = std::move(created.config), .filters = std::move(created.filter_configs), .worker = std::move(worker)};
}

Result<void> Pipeline::open_source(PrivilegedHelper* helper, std::optional<ReplayFile> replay_file) {
  for (const auto& [group, chain] : capture_chains_) {
    if (auto opened = chain->open(); !opened) return opened;
  }
  Messages messages;  // each once, though groups share their stages
  for (const auto& [group, chain] : capture_chains_) messages.merge(messages_of(chain->chain()));
  listen(messages);
  replays_ = replay_file.has_value();
  SourceContext context{.topics = topics_, .slabs = slabs_, .batches = batches_, .publish = {}};
  if (replay_file) {
    context.publish = [this](const BatchRef& batch) { bus_.publish_when_room(batch); };
  } else {
    context.publish = [this](const BatchRef& batch) { bus_.publish(batch); };
  }
  auto source = replay_file ? open_replay(std::move(*replay_file), std::move(created_captures_), std::move(context))
                            : open_nflog(std::move(created_captures_), *helper, std::move(context));
  if (!source) return std::move(source).error();
  source_ = std::move(source).value();
  helper_ = helper;
  return {};
}

void Pipeline::open_server(std::optional<Listener> listener) {
  if (!listener) return;
  const FormatId packet = formats_.find(config_.bus.payload == BusPayload::full ? "packet_full" : "packet");
  const FormatId form = config_.bus.format == BusFormat::packet ? packet : formats_.find("ulogd");
  server_ = std::make_unique<Server>(std::move(*listener), bus_, formats_,
                                     ServerSettings{.hub = {.topic_root = config_.host.topic_root,
                                                            .default_form = form,
                                                            .packet_form = packet,
                                                            .fields = services_.fields,
                                                            .client_bytes = kClientBytes,
                                                            .total_bytes = kAllClientsBytes},
                                                    .most_clients = kMostClients},
                                     [this](const ServerSnapshot& server) { return to_json(report(server)); });
}

Result<void> Pipeline::open_metrics() {
  if (!config_.metrics.listen) return {};
  auto opened = MetricsServer::open(config_.metrics);
  if (!opened) return std::move(opened).error();
  metrics_.emplace(std::move(opened).value());
  log::info(fmt::format("metrics: http://{}/metrics", metrics_->address()));
  return {};
}

Result<void> Pipeline::start(std::function<void()> source_ended) {
  if (server_) {
    if (auto started = server_->start(); !started) return started;
  }
  for (const RunningSink& sink : sinks_) sink.worker->start();
  source_thread_ = std::thread([this, ended = std::move(source_ended)] {
    source_done_.set_value(source_->run());
    ended();
  });
  ::pthread_setname_np(source_thread_.native_handle(), "capture");
  if (metrics_) {
    metrics_->start(
        {.metrics = [this] { return to_prometheus_text(report()); }, .trouble = [this] { return trouble(); }});
  }
  return {};
}

void Pipeline::reopen_sinks() {
  for (const RunningSink& sink : sinks_) sink.worker->request_reopen();
}

std::vector<Error> Pipeline::reload(Config next, PluginRegistry plugins,
                                    std::chrono::steady_clock::time_point deadline) {
  const auto stays = [&](const RunningSink& sink) {
    return std::any_of(next.sinks.begin(), next.sinks.end(), [&](const SinkConfig& config) {
      return config == sink.config && filter_configs(next, config.filters) == sink.filters;
    });
  };
  const auto is_new = [&](const SinkConfig& config) {
    return std::none_of(sinks_.begin(), sinks_.end(),
                        [&](const RunningSink& sink) { return sink.config.name == config.name && stays(sink); });
  };
  std::swap(plugins_, plugins);
  KnownFields fields = std::exchange(services_.fields, known_fields(next.filters, plugins_));
  std::vector<Error> errors;
  std::vector<CreatedSink> created = create_sinks(next, is_new, errors);
  if (!errors.empty()) {
    std::swap(plugins_, plugins);
    services_.fields = std::move(fields);
    return errors;
  }
  if (next.host != config_.host || next.bus != config_.bus || next.metrics != config_.metrics ||
      next.captures != config_.captures || filters_of_captures(next) != capture_filters_) {
    log::warning(
        "changes of [host], [bus], [metrics] and [[capture]], and of its filters, take effect at the next start");
  }
  // Those that end, each replaced on the bus at once by the queue of its successor, if it has one.
  std::map<std::string, std::shared_ptr<Subscription>> successors;
  std::unique_lock changing(sinks_mutex_);
  const auto ending = std::stable_partition(sinks_.begin(), sinks_.end(), stays);
  changing.unlock();
  for (auto sink = ending; sink != sinks_.end(); ++sink) {
    const auto config = std::find_if(next.sinks.begin(), next.sinks.end(),
                                     [&](const SinkConfig& other) { return other.name == sink->config.name; });
    std::shared_ptr<Subscription> successor;
    if (config != next.sinks.end()) successor = successors[config->name] = make_subscription(*config);
    bus_.replace(sink->worker->subscription(), successor);
    sink->worker->request_stop(deadline);
  }
  for (auto sink = ending; sink != sinks_.end(); ++sink) {
    sink->ended = sink->worker->stopped_by(deadline + kLastCall);
    for (const auto& messages : messages_of(sink->worker->filters())) bus_.remove(messages);
    log_sink(sink->worker->snapshot());
    warn_of_undelivered(sink->worker->snapshot());
    if (!sink->ended)
      log::error(fmt::format("sink.{}: its plugin does not return; it is left behind", sink->config.name));
  }
  // A worker that is stuck in its plugin must outlive the plugin's call.
  changing.lock();
  std::erase_if(sinks_, [](const RunningSink& sink) { return sink.ended; });
  changing.unlock();

  for (CreatedSink& sink : created) {
    auto& subscription = successors[sink.config.name];
    const bool on_bus = subscription != nullptr;
    if (!on_bus) subscription = make_subscription(sink.config);
    auto opened = open_sink(std::move(sink), subscription);
    if (!opened) {
      bus_.remove(subscription);
      log::error(fmt::format("{}; {} events that waited for it are lost", to_string(opened.error()),
                             subscription->queue().counters().queued));
      continue;
    }
    if (!on_bus) bus_.add(subscription);
    listen(messages_of(opened->worker->filters()));
    opened->worker->start();
    changing.lock();
    sinks_.push_back(std::move(opened).value());
    changing.unlock();
  }
  config_.filters = std::move(next.filters);
  config_.sinks = std::move(next.sinks);
  return {};
}

bool Pipeline::sinks_stopped_by(std::chrono::steady_clock::time_point deadline) {
  for (RunningSink& sink : sinks_) {
    if (!sink.ended) sink.ended = sink.worker->stopped_by(deadline + kLastCall);
    warn_of_undelivered(sink.worker->snapshot());
  }
  return running_sinks().empty();
}

void Pipeline::renew_socket() {
  if (!server_) return;
  const auto renewed = server_->renew_socket();
  if (!renewed) {
    log::error(
        fmt::format("bus: the socket's file was removed or replaced, and cannot be made again: {}; let the user "
                    "nfbus runs as write to the folder, or restart nfbus",
                    renewed.error().text));
  } else if (*renewed) {
    log::warning(fmt::format("bus: {} had been removed or replaced: it is made again", config_.bus.socket));
  }
}

bool Pipeline::publish_message(std::string_view topic, std::string_view text, const MessageOrigin& origin) {
  if (topic.starts_with(config_.host.topic_root) || topic.starts_with("nfbus:")) return false;
  bus_.publish(make_message(topic, text, now_ns(), ::getuid(), origin));
  return true;
}

void Pipeline::publish_own(std::string_view topic, std::string_view text) {
  bus_.publish(make_message(topic, text, now_ns(), ::getuid()));
}

void Pipeline::look_around() {
  if (helper_ != nullptr) helper_->look();
  const std::string event = loss_.look(source_->snapshots());
  if (!event.empty()) publish_own("nfbus:loss", event);
}

void Pipeline::log_counters() const {
  for (const CaptureSnapshot& capture : source_->snapshots()) log::info(log_line(capture));
  for (const CaptureFilterSnapshot& shared : snapshots_of(capture_chains_)) {
    log::info(log_line(shared.filter, shared.of()));
  }
  for (const RunningSink& sink : sinks_) log_sink(sink.worker->snapshot());
  log::info("counters end");
}

StatusReport Pipeline::report() const { return report(server_ ? server_->snapshot() : ServerSnapshot()); }

StatusReport Pipeline::report(ServerSnapshot server) const {
  StatusReport report{.uptime = std::chrono::steady_clock::now() - started_,
                      .process = look_at_process(),
                      .topic_root = config_.host.topic_root,
                      .helper = helper_ != nullptr ? std::optional(helper_->state()) : std::nullopt,
                      .captures = source_->snapshots(),
                      .capture_filters = snapshots_of(capture_chains_),
                      .sinks = {},
                      .log_dropped = log::dropped(),
                      .server = std::move(server)};
  const std::lock_guard lock(sinks_mutex_);
  report.sinks.reserve(sinks_.size());
  for (const RunningSink& sink : sinks_) report.sinks.push_back(sink.worker->snapshot());
  return report;
}

std::string Pipeline::trouble() const {
  std::string lines;
  if (helper_ != nullptr && helper_->state() != HelperState::running) {
    lines += "the privileged helper has ended or does not answer\n";
  }
  const std::lock_guard lock(sinks_mutex_);
  for (const RunningSink& sink : sinks_) {
    if (sink.worker->snapshot().state == SinkState::failed)
      lines += fmt::format("sink.{} has failed\n", sink.config.name);
  }
  return lines;
}

std::string Pipeline::summary() const {
  const auto plural = [](std::size_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  return plural(config_.captures.size(), "group") + ", " + plural(sinks_.size(), "sink");
}

}  // namespace nfbus::host
