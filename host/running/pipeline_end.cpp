// The end of a host: the sources, the sinks, the server, and what was lost by then.
#include "running/pipeline.hpp"
#include "running/stages.hpp"

#include <fmt/format.h>

#include <utility>

namespace nfbus::host {

EndingPipeline::EndingPipeline(PipelineState&& running, Clock::time_point deadline)
    : PipelineState(std::move(running)) {
  const auto time = std::chrono::ceil<std::chrono::seconds>(deadline - Clock::now());
  stages_->sinks.note_the_end();
  stages_->stop_sources();  // they may have ended by themselves
  sources_ended_ = stages_->sources.ended_by(deadline);
  sources_result_ = sources_ended_
                        ? stages_->sources.join()
                        : Error{.code = Code::io,
                                .text = fmt::format("the source did not end in {} s: one of its filters does not "
                                                    "return, or its file does not; the host ends without it",
                                                    time.count())};
}

bool EndingPipeline::lossless() const { return stages_->sources.all_lossless(); }

bool EndingPipeline::all_settled() const { return stages_->sinks.all_settled(); }

void EndingPipeline::reopen_sinks() { stages_->sinks.request_reopen(); }

void EndingPipeline::log_counters() const { stages_->log_counters(); }

bool EndingPipeline::stop_sinks(Clock::time_point deadline) {
  stages_->sinks.request_stop(deadline);
  return stages_->sinks.stopped_by(deadline);
}

bool EndingPipeline::stop_server(Clock::time_point deadline) {
  if (stages_->metrics) stages_->metrics->stop();
  return !stages_->server || stages_->server->stop(deadline);
}

std::uint64_t EndingPipeline::lost_at_the_end() const {
  // A lossless source may lose nothing at all; what a live host had lost before has been told by its counters.
  std::uint64_t lost = stages_->sinks.lost_at_the_end(lossless());
  for (const SourceSnapshot& s : stages_->sources.counters()) {
    // A source that did not end in time goes on counting while these are read.
    const std::uint64_t settled = s.published + s.filtered + s.malformed + s.refused;
    lost += s.received > settled ? s.received - settled : 0;
  }
  return lost;
}

std::uint64_t EndingPipeline::lost_by_kernel() const {
  std::uint64_t lost = 0;
  for (const CaptureSnapshot& group : stages_->sources.snapshots()) lost += group.lost;
  return lost;
}

bool EndingPipeline::any_sink_failed() const { return stages_->sinks.any_failed(); }

bool EndingPipeline::any_sink_unflushed() const { return stages_->sinks.any_unflushed(); }

std::vector<std::string> EndingPipeline::running_sinks() const { return stages_->sinks.not_ended(); }

std::vector<RunningCall> EndingPipeline::stuck_calls() const {
  constexpr std::chrono::seconds kStuck{1};
  return stages_->services.calls->all_longer_than(kStuck);
}

}  // namespace nfbus::host
