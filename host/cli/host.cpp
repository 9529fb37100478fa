#include "cli/host.hpp"

#include "capture/replay.hpp"
#include "delivery/capture_filters.hpp"
#include "support/log.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

// Free slabs and batches kept for reuse: what one capture round and a busy sink hand back and forth.
constexpr std::size_t kKeepSlabs = 4;
constexpr std::size_t kKeepBatches = 256;

std::int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Error at(Error error, const PluginConfig& config, std::string_view kind) {
  error.text = fmt::format("{}.{}: {}", kind, config.name, error.text);
  if (!error.where) error.where = config.where;
  return error;
}

}  // namespace

Host::Host(const Config& config, const PluginRegistry& plugins)
    : config_(config),
      plugins_(plugins),
      slabs_(kSlabBytes, kKeepSlabs),
      batches_(kKeepBatches),
      topics_(config.host.topic_root),
      formats_(config.host.device),
      services_{.formats = formats_, .publish = [this](std::string_view topic, std::string_view text) {
                  return publish_message(topic, text);
                }} {}

Host::~Host() {
  if (source_thread_.joinable()) {
    stop_source();
    source_thread_.join();
  }
}

Result<FilterChain> Host::make_filters(const std::vector<std::string>& names) {
  std::vector<std::unique_ptr<FilterInstance>> filters;
  for (const std::string& name : names) {
    // The configuration was checked: the filter is declared, and its plugin exists.
    const auto& config =
        *std::find_if(config_.filters.begin(), config_.filters.end(), [&](const auto& f) { return f.name == name; });
    auto filter = FilterInstance::create(*plugins_.find(config.plugin), name, config.options_json, services_);
    if (!filter) return at(std::move(filter).error(), config, "filter");
    filters.push_back(std::move(filter).value());
  }
  return FilterChain(std::move(filters));
}

Result<void> Host::open_sinks() {
  for (const SinkConfig& config : config_.sinks) {
    if (auto opened = open_sink(config); !opened) return opened;
  }
  sink_ended_.assign(sinks_.size(), false);
  return {};
}

Result<void> Host::open_sink(const SinkConfig& config) {
  const Plugin& plugin = *plugins_.find(config.plugin);
  auto filters = make_filters(config.filters);
  if (!filters) return std::move(filters).error();
  auto sink = SinkInstance::create(plugin, config.name, config.options_json, services_);
  if (!sink) return at(std::move(sink).error(), config, "sink");
  auto shape = (*sink)->open();
  if (!shape) return at(std::move(shape).error(), config, "sink");
  const std::uint32_t kinds = plugin.entry->event_kinds == 0 ? NFBUS_EVENT_PACKET : plugin.entry->event_kinds;
  auto subscription =
      bus_.add({.topics = config.topics, .kinds = kinds},
               {.events = config.queue_events, .bytes = config.queue_bytes, .overflow = config.overflow});
  sinks_.push_back(std::make_unique<SinkWorker>(std::move(sink).value(), *shape, std::move(filters).value(),
                                                std::move(subscription)));
  return {};
}

Result<void> Host::open_source(PrivilegedHelper* helper, const std::optional<std::string>& replay_file) {
  std::vector<CaptureSpec> captures;
  for (const CaptureConfig& config : config_.captures) {
    std::unique_ptr<CaptureFilters> filters;
    if (!config.filters.empty()) {
      auto chain = make_filters(config.filters);
      if (!chain) return std::move(chain).error();
      filters = std::make_unique<CaptureFilterChain>(std::move(chain).value());
    }
    captures.push_back({.config = config, .filters = std::move(filters)});
  }
  SourceContext context{.topics = topics_, .slabs = slabs_, .batches = batches_, .publish = {}};
  if (replay_file) {
    context.publish = [this](const BatchRef& batch) { bus_.publish_when_room(batch); };
  } else {
    context.publish = [this](const BatchRef& batch) { bus_.publish(batch); };
  }
  auto source = replay_file ? open_replay(*replay_file, std::move(captures), std::move(context))
                            : open_nflog(std::move(captures), *helper, std::move(context));
  if (!source) return std::move(source).error();
  source_ = std::move(source).value();
  return {};
}

void Host::start(std::function<void()> source_ended) {
  for (const auto& sink : sinks_) sink->start();
  source_thread_ = std::thread([this, ended = std::move(source_ended)] {
    source_result_ = source_->run();
    ended();
  });
  ::pthread_setname_np(source_thread_.native_handle(), "capture");
}

void Host::reopen_sinks() {
  for (const auto& sink : sinks_) sink->request_reopen();
}

void Host::stop_source() {
  source_->stop();
  for (const auto& sink : sinks_) sink->subscription()->queue().end_waiting();
}

Result<void> Host::join_source() {
  source_thread_.join();
  return *source_result_;
}

void Host::stop_sinks(std::chrono::steady_clock::time_point deadline) {
  for (const auto& sink : sinks_) sink->request_stop(deadline);
}

bool Host::sinks_stopped_by(std::chrono::steady_clock::time_point deadline) {
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    if (!sink_ended_[i]) sink_ended_[i] = sinks_[i]->stopped_by(deadline);
  }
  return running_sinks().empty();
}

std::vector<std::string> Host::running_sinks() const {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    if (!sink_ended_[i]) names.push_back(sinks_[i]->name());
  }
  return names;
}

bool Host::publish_message(std::string_view topic, std::string_view text) {
  if (topic.starts_with(config_.host.topic_root) || topic.starts_with("nfbus:")) return false;
  bus_.publish(make_message(topic, text, now_ns(), ::getuid()));
  return true;
}

void Host::log_counters() const {
  for (const CaptureSnapshot& c : source_->snapshots()) {
    log::info(
        fmt::format("capture group={} received={} lost={} published={} not_forwarded={} filtered={} "
                    "decode_errors={} enobufs={}",
                    c.group, c.received, c.lost, c.published, c.not_forwarded, c.filtered, c.decode_errors, c.enobufs));
  }
  for (const auto& sink : sinks_) {
    const SinkSnapshot s = sink->snapshot();
    std::string line = fmt::format(
        "sink name={} plugin={} state={} published={} delivered={} filtered={} overflowed={} rejected={} corrupted=0 "
        "queued={} spilled=0 recovered=0 retries={}",
        s.name, s.plugin, to_string(s.state), s.events.published, s.events.delivered, s.events.filtered,
        s.events.overflowed, s.events.rejected, s.events.queued, s.retries);
    for (const auto& [name, value] : s.own) line += fmt::format(" {}={}", name, value);
    log::info(line);
  }
  log::info("counters end");
}

std::string Host::summary() const {
  const auto plural = [](std::size_t n, std::string_view what) {
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  return plural(config_.captures.size(), "group") + ", " + plural(sinks_.size(), "sink");
}

}  // namespace nfbus::host
