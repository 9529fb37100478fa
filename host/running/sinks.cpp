#include "running/sinks.hpp"

#include "report/log_lines.hpp"
#include "support/log.hpp"

#include <nfbus/util/private_folder.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

// Beyond a deadline: for a call that began before it, and the flush behind it.
constexpr std::chrono::milliseconds kLastCall{1000};

QueueLimits limits_of(const SinkConfig& config) noexcept {
  return {.events = config.queue_events, .bytes = config.queue_bytes, .overflow = config.overflow};
}

std::shared_ptr<Subscription> make_subscription(const MadeSink& sink) {
  return std::make_shared<Subscription>(Interest{.topics = sink.plan.config.topics, .kinds = sink.event_kinds},
                                        limits_of(sink.plan.config));
}

Result<std::unique_ptr<SpillQueue>> open_spill(const SinkConfig& config, std::shared_ptr<MemoryQueue> memory) {
  if (!config.spill) return std::unique_ptr<SpillQueue>();
  if (auto made = util::make_private_folder(config.spill->settings.folder); !made) return std::move(made).error();
  auto store = spill::Store::open(config.spill->settings);
  if (!store) return std::move(store).error();
  return std::make_unique<SpillQueue>(std::move(memory), std::move(store).value(), config.spill->mode,
                                      "sink." + config.name);
}

std::unique_ptr<DeadLetters> open_dead_letters(const SinkConfig& config, const FormatSet& formats) {
  if (config.dead_letters.file.empty()) return nullptr;
  auto letters =
      std::make_unique<DeadLetters>(config.dead_letters.file, config.dead_letters.max_bytes, formats, config.name);
  letters->open();
  return letters;
}

// Of a sink that has ended, or is left behind.
void warn_of_undelivered(const SinkSnapshot& s) {
  if (s.events.queued == 0) return;
  log::warning(fmt::format("sink.{}: {} events that it could not deliver in time are lost", s.name, s.events.queued));
}

}  // namespace

FilterMessages messages_of(const FilterChain& chain) {
  FilterMessages messages;
  for (const auto& stage : chain.stages()) {
    if (stage->messages()) messages.insert(stage->messages());
  }
  return messages;
}

void log_sink(const SinkSnapshot& sink) {
  log::info(log_line(sink));
  for (const FilterSnapshot& filter : sink.filters) log::info(log_line(filter, "sink." + sink.name));
}

Result<Sinks::RunningSink> Sinks::open(MadeSink made, std::shared_ptr<Subscription> subscription) {
  const SinkConfig& config = made.plan.config;
  if (auto opened = made.filters.open(); !opened) return at(std::move(opened).error(), config, "sink");
  auto spill = open_spill(config, std::shared_ptr<MemoryQueue>(subscription, &subscription->queue()));
  if (!spill) return at(std::move(spill).error(), config, "sink");
  SinkWorker::Parts parts{.filters = std::move(made.filters),
                          .subscription = std::move(subscription),
                          .queue = spill->get(),
                          .dead_letters = open_dead_letters(config, formats_),
                          .changed = changed_};
  auto shape = made.instance->open();
  if (!shape) return at(std::move(shape).error(), config, "sink");
  auto worker = std::make_unique<SinkWorker>(std::move(made.instance), *shape, std::move(parts));
  if (*spill) {
    if (auto served = spiller_.add(**spill); !served) return at(std::move(served).error(), config, "sink");
  }
  return RunningSink{.plan = std::move(made.plan), .spill = std::move(spill).value(), .worker = std::move(worker)};
}

void Sinks::put_away(RunningSink& sink, Clock::time_point deadline) {
  if (!sink.spill) return;
  if (spiller_.remove(*sink.spill, deadline)) return sink.spill->finish();
  log::error(fmt::format("sink.{}: the disk of its spill does not answer", sink.plan.config.name));
}

Result<void> Sinks::open(std::vector<MadeSink> made) {
  for (MadeSink& sink : made) {
    auto subscription = make_subscription(sink);
    auto opened = open(std::move(sink), subscription);
    if (!opened) return std::move(opened).error();
    bus_.add(subscription);
    for (const auto& messages : messages_of(opened->worker->filters())) bus_.add(messages);
    own_sinks().push_back(std::move(opened).value());
  }
  return {};
}

void Sinks::start() {
  for (const RunningSink& sink : own_sinks()) sink.worker->start();
}

void Sinks::request_reopen() {
  for (const RunningSink& sink : own_sinks()) sink.worker->request_reopen();
}

bool Sinks::runs(const SinkPlan& plan) const {
  return std::any_of(own_sinks().begin(), own_sinks().end(), [&](const RunningSink& sink) {
    return sink.plan == plan && !sink.left_behind && sink.worker->health().state != SinkState::failed;
  });
}

bool Sinks::has_failed(const std::string& name) const {
  return std::any_of(own_sinks().begin(), own_sinks().end(), [&](const RunningSink& sink) {
    return sink.plan.config.name == name && !sink.left_behind && sink.worker->health().state == SinkState::failed;
  });
}

std::vector<Error> Sinks::replace(const std::vector<SinkPlan>& next, std::vector<MadeSink> made,
                                  Clock::time_point deadline) {
  std::vector<RunningSink*> ending;
  for (RunningSink& sink : own_sinks()) {
    const bool is_replaced = std::any_of(made.begin(), made.end(), [&](const MadeSink& other) {
      return other.plan.config.name == sink.plan.config.name;
    });
    const bool stays = !is_replaced && !sink.left_behind && std::ranges::find(next, sink.plan) != next.end();
    if (!stays) ending.push_back(&sink);
  }
  Successors successors;
  end(ending, made, successors, deadline);
  // A worker that is stuck in its plugin must outlive the plugin's call.
  {
    const MutexLock changing(mutex_);
    std::erase_if(sinks_, [](const RunningSink& sink) { return sink.ended; });
  }
  std::vector<Error> not_opened;
  for (MadeSink& sink : made) {
    if (auto added = add(std::move(sink), successors); !added) not_opened.push_back(std::move(added).error());
  }
  return not_opened;
}

// The queue of a successor takes its predecessor's place on the bus before that is asked to end: each event is in one
// of the two. All are asked first and waited for then, so that their last deliveries share the time until the deadline.
void Sinks::end(const std::vector<RunningSink*>& sinks, const std::vector<MadeSink>& made, Successors& successors,
                Clock::time_point deadline) {
  for (RunningSink* const sink : sinks) {
    const auto next = std::find_if(made.begin(), made.end(),
                                   [&](const MadeSink& m) { return m.plan.config.name == sink->plan.config.name; });
    std::shared_ptr<Subscription> successor;
    if (next != made.end()) successor = successors[sink->plan.config.name] = make_subscription(*next);
    bus_.replace(sink->worker->subscription(), successor);
    sink->worker->request_stop(deadline);
  }
  for (RunningSink* const sink : sinks) {
    sink->ended = sink->worker->stopped_by(deadline + kLastCall);
    for (const auto& messages : messages_of(sink->worker->filters())) bus_.remove(messages);
    put_away(*sink, deadline + kLastCall);
    const SinkSnapshot last = sink->worker->snapshot();
    log_sink(last);
    warn_of_undelivered(last);
    sink->left_behind = !sink->ended;
    if (sink->left_behind) {
      log::error(fmt::format("sink.{}: its plugin does not return; it is left behind", sink->plan.config.name));
    }
  }
}

Result<void> Sinks::add(MadeSink made, const Successors& successors) {
  const auto successor = successors.find(made.plan.config.name);
  const bool on_bus = successor != successors.end();
  const auto subscription = on_bus ? successor->second : make_subscription(made);
  auto opened = open(std::move(made), subscription);
  if (!opened) {
    bus_.remove(subscription);
    Error error = std::move(opened).error();
    error.text += fmt::format("; {} events that waited for it are lost", subscription->queue().counters().queued);
    return error;
  }
  if (!on_bus) bus_.add(subscription);
  for (const auto& messages : messages_of(opened->worker->filters())) bus_.add(messages);
  opened->worker->start();
  const MutexLock changing(mutex_);
  sinks_.push_back(std::move(opened).value());
  return {};
}

void Sinks::note_the_end() {
  for (RunningSink& sink : own_sinks()) sink.before_the_end = sink.worker->snapshot().events;
}

void Sinks::request_stop(Clock::time_point deadline) {
  // First the last words of filters and sinks, for which every sink still runs.
  if (std::any_of(own_sinks().begin(), own_sinks().end(),
                  [](const auto& sink) { return sink.worker->has_last_words(); })) {
    for (const RunningSink& sink : own_sinks()) sink.worker->request_drain(deadline);
    for (const RunningSink& sink : own_sinks()) {
      if (sink.worker->has_last_words()) sink.worker->wait_drained(deadline);
    }
  }
  for (const RunningSink& sink : own_sinks()) {
    bus_.remove(sink.worker->subscription());  // what clients still publish would never be delivered
    sink.worker->request_stop(deadline);
  }
}

bool Sinks::stopped_by(Clock::time_point deadline) {
  for (RunningSink& sink : own_sinks()) {
    if (!sink.ended) sink.ended = sink.worker->stopped_by(deadline + kLastCall);
    put_away(sink, deadline + kLastCall);
    warn_of_undelivered(sink.worker->snapshot());
  }
  return not_ended().empty();
}

bool Sinks::all_settled() const {
  return std::all_of(own_sinks().begin(), own_sinks().end(), [](const RunningSink& sink) {
    return sink.worker->subscription()->queue().counters().queued == 0;
  });
}

std::uint64_t Sinks::lost_at_the_end(bool since_the_start) const {
  std::uint64_t lost = 0;
  for (const RunningSink& sink : own_sinks()) {
    const SinkSnapshot s = sink.worker->snapshot();
    const QueueCounters before = since_the_start ? QueueCounters() : sink.before_the_end;
    lost += s.events.queued + s.events.overflowed - before.overflowed;
    if (s.health.state == SinkState::failed) lost += s.events.rejected - before.rejected;
  }
  return lost;
}

bool Sinks::any_unflushed() const {
  return std::any_of(own_sinks().begin(), own_sinks().end(), [](const auto& sink) { return sink.worker->unflushed(); });
}

std::vector<std::string> Sinks::not_ended() const {
  std::vector<std::string> names;
  for (const RunningSink& sink : own_sinks()) {
    if (!sink.ended) names.push_back(sink.plan.config.name);
  }
  return names;
}

std::vector<SinkSnapshot> Sinks::snapshots() const {
  const MutexLock lock(mutex_);
  std::vector<SinkSnapshot> rows;
  rows.reserve(sinks_.size());
  for (const RunningSink& sink : sinks_) {
    rows.push_back(sink.worker->snapshot());
    rows.back().target = sink.plan.config.target;
    rows.back().limits = limits_of(sink.plan.config);
    if (sink.spill) rows.back().spill = sink.spill->spill();
  }
  return rows;
}

std::vector<std::pair<std::string, SinkHealth>> Sinks::health() const {
  const MutexLock lock(mutex_);
  std::vector<std::pair<std::string, SinkHealth>> rows;
  rows.reserve(sinks_.size());
  for (const RunningSink& sink : sinks_) rows.emplace_back(sink.plan.config.name, sink.worker->health());
  return rows;
}

bool Sinks::any_failed() const {
  const auto rows = health();
  return std::any_of(rows.begin(), rows.end(), [](const auto& row) { return row.second.state == SinkState::failed; });
}

}  // namespace nfbus::host
