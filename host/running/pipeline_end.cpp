// The end of a host: the source, the sinks, the server, and what was lost by then.
#include "running/pipeline.hpp"

#include <algorithm>

namespace nfbus::host {

void Pipeline::stop_source() {
  for (RunningSink& sink : sinks_) sink.before_the_end = sink.worker->snapshot().events;
  source_->stop();
  bus_.end_waiting();
}

Result<void> Pipeline::join_source() {
  source_thread_.join();
  return source_result_.get();
}

bool Pipeline::source_ended_by(std::chrono::steady_clock::time_point deadline) {
  return source_result_.wait_until(deadline) == std::future_status::ready;
}

void Pipeline::stop_sinks(std::chrono::steady_clock::time_point deadline) {
  // First the last words of filters, for which every sink still runs.
  if (std::any_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink.worker->filters().finishes(); })) {
    for (const RunningSink& sink : sinks_) sink.worker->request_drain(deadline);
    for (const RunningSink& sink : sinks_) {
      if (sink.worker->filters().finishes()) sink.worker->wait_drained(deadline);
    }
  }
  for (const RunningSink& sink : sinks_) {
    bus_.remove(sink.worker->subscription());  // what clients still publish would never be delivered
    sink.worker->request_stop(deadline);
  }
}

bool Pipeline::stop_server(std::chrono::steady_clock::time_point deadline) {
  if (metrics_) metrics_->stop();
  return !server_ || server_->stop(deadline);
}

bool Pipeline::all_settled() const {
  return std::all_of(sinks_.begin(), sinks_.end(), [](const RunningSink& sink) {
    return sink.worker->subscription()->queue().counters().queued == 0;
  });
}

std::uint64_t Pipeline::lost_at_the_end(const RunningSink& sink) const {
  const SinkSnapshot s = sink.worker->snapshot();
  // A replay may lose nothing at all; what a live host had lost before has been told by its counters.
  const QueueCounters before = replays_ ? QueueCounters() : sink.before_the_end;
  std::uint64_t lost = s.events.queued + s.events.overflowed - before.overflowed;
  if (s.state == SinkState::failed) lost += s.events.rejected - before.rejected;
  return lost;
}

std::uint64_t Pipeline::lost_at_the_end() const {
  std::uint64_t lost = 0;
  for (const RunningSink& sink : sinks_) lost += lost_at_the_end(sink);
  for (const CaptureSnapshot& c : source_->snapshots()) {
    // A source that did not end in time goes on counting while these are read.
    const std::uint64_t settled = c.published + c.not_forwarded + c.filtered;
    lost += c.received > settled ? c.received - settled : 0;
  }
  return lost;
}

bool Pipeline::any_sink_failed() const {
  return std::any_of(sinks_.begin(), sinks_.end(),
                     [](const auto& sink) { return sink.worker->snapshot().state == SinkState::failed; });
}

bool Pipeline::any_sink_unflushed() const {
  return std::any_of(sinks_.begin(), sinks_.end(), [](const auto& sink) { return sink.worker->unflushed(); });
}

std::vector<std::string> Pipeline::running_sinks() const {
  std::vector<std::string> names;
  for (const RunningSink& sink : sinks_) {
    if (!sink.ended) names.push_back(sink.config.name);
  }
  return names;
}

}  // namespace nfbus::host
