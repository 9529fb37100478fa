// A host from its configuration to its end: the stages of the flow, wired together in their order. What it can do
// depends on how far it is, so each state is a type of its own that is only made from the one before:
//
//   MadePipeline     its plugins have made their instances; nothing is open
//   OpenPipeline     all that it reads and writes is open, with the rights of that moment; no thread runs
//   RunningPipeline  its threads run; sinks may be replaced
//   EndingPipeline   its sources have been stopped; what waits is delivered, and what is lost is told
#pragma once

#include "bus/server/hub.hpp"
#include "bus/server/listener.hpp"
#include "capture/source.hpp"
#include "config/config.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/registry.hpp"
#include "privileged/helper.hpp"
#include "support/call_clock.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

struct Stages;
struct Pieces;

// Opens the source of the groups that are captured.
using OpenSource =
    std::function<Result<std::unique_ptr<Source>>(std::vector<CaptureSpec> captures, const SourceContext& context)>;

// Holds what the states share. Thread safety: [control].
class PipelineState {
 public:
  PipelineState(const PipelineState&) = delete;
  PipelineState& operator=(const PipelineState&) = delete;
  PipelineState(PipelineState&& other) noexcept;
  PipelineState& operator=(PipelineState&& other) = delete;

 protected:
  explicit PipelineState(std::unique_ptr<Stages> stages) noexcept;
  ~PipelineState();

  std::unique_ptr<Stages> stages_;  // its address stays: threads and plugins call back into it
};

class EndingPipeline : PipelineState {
 public:
  using Clock = std::chrono::steady_clock;

  // Returns whether each source has ended in time; one that has not is inside a filter, or its file does not end. It
  // can never be ended then, and the process must end without destroying this object.
  [[nodiscard]] bool sources_ended() const noexcept { return sources_ended_; }
  // Returns what went wrong with them.
  [[nodiscard]] const Result<void>& sources_result() const noexcept { return sources_result_; }
  // All that they had is to be delivered, however long that takes.
  [[nodiscard]] bool lossless() const;
  // Returns whether no event waits for any sink.
  [[nodiscard]] bool all_settled() const;
  // Files are opened anew (SIGHUP).
  void reopen_sinks();
  void log_counters() const;

  // Filters say their last words, then every sink delivers what waits, until the deadline and a little longer, for
  // calls that have begun. False: a sink is stuck in its plugin, and the process must end without destroying this
  // object.
  [[nodiscard]] bool stop_sinks(Clock::time_point deadline);
  // Clients get what waits for them, as far as they take it until the deadline. Nor are there metrics any more. False:
  // the server's thread does not end, and the process must end without destroying this object.
  [[nodiscard]] bool stop_server(Clock::time_point deadline);
  // Once all has ended, or is left behind: events that it had received and that some sink did not get. What waits for
  // one that could not deliver it, what came to one that had failed since the sources were stopped (of a lossless
  // source, ever), what was to be dropped meanwhile, and what the sources have in their hands.
  [[nodiscard]] std::uint64_t lost_at_the_end() const;
  // Packets that the kernel dropped before the host saw them, of all groups.
  [[nodiscard]] std::uint64_t lost_by_kernel() const;
  // Returns whether a sink has failed for good, or could not bring to its destination what it had taken.
  [[nodiscard]] bool any_sink_failed() const;
  [[nodiscard]] bool any_sink_unflushed() const;
  // Names of the sinks that have not ended.
  [[nodiscard]] std::vector<std::string> running_sinks() const;
  // The calls into plugins that do not come back.
  [[nodiscard]] std::vector<RunningCall> stuck_calls() const;

 private:
  friend class RunningPipeline;
  EndingPipeline(PipelineState&& running, Clock::time_point deadline);

  bool sources_ended_ = false;
  Result<void> sources_result_;
};

class RunningPipeline : PipelineState {
 public:
  using Clock = std::chrono::steady_clock;

  // Files are opened anew (SIGHUP).
  void reopen_sinks();
  // Makes the socket's file again, if somebody removed or replaced it, and says so (SIGHUP).
  void renew_socket();
  // Returns whether reload() may be called.
  [[nodiscard]] bool reloadable() const;
  // Clients of the bus that ask for a reload, and have not been answered; each gets the outcome of one that begins now.
  [[nodiscard]] std::vector<std::uint64_t> take_reload_requests();
  void answer_reload(const std::vector<std::uint64_t>& clients, const ReloadOutcome& outcome);
  // Makes the sinks those of `next`, as Sinks::replace() does; those that differ also in their filters, have failed or
  // have another library by now are made anew, and said.
  // [host], [bus] and [[capture]] stay as they are; a line says so when they differ. Errors are those of
  // MadePipeline::make(): then nothing has changed. not_opened: of sinks that are not there any more, since what
  // replaces them cannot be opened.
  [[nodiscard]] std::vector<Error> reload(Config next, PluginRegistry plugins, Clock::time_point deadline,
                                          std::vector<Error>& not_opened);
  // Publishes what the host says of itself, and looks after the helper; call it each second.
  void watch();
  // One line per group and per sink, with every counter of design section 5.
  void log_counters() const;
  // The same, for any thread, until the last state of this pipeline is destroyed.
  [[nodiscard]] std::function<void()> counters_logger() const;
  // "2 groups, 3 sinks": for the ready line.
  [[nodiscard]] std::string summary() const;
  // The sources are asked to drain and end, and waited for until `deadline`; nobody waits for room any more.
  [[nodiscard]] EndingPipeline stop_sources(Clock::time_point deadline) &&;

 private:
  friend class OpenPipeline;
  explicit RunningPipeline(PipelineState&& open) noexcept : PipelineState(std::move(open)) {}
};

class OpenPipeline : PipelineState {
 public:
  // Starts the threads: those that take first, so that nothing waits for them. sources_ended is called once, on some
  // other thread, when they have ended by themselves or after a stop; reload_asked on another one, too, whenever a
  // client of the bus asks for a reload.
  [[nodiscard]] Result<RunningPipeline> start(std::function<void()> sources_ended,
                                              std::function<void()> reload_asked) &&;

 private:
  friend class MadePipeline;
  explicit OpenPipeline(PipelineState&& made) noexcept : PipelineState(std::move(made)) {}
};

class MadePipeline : PipelineState {
 public:
  // Makes all pieces of the configuration. parts: the plugins' privileged parts; null where none run. calls: all those
  // into the plugins. Both outlive the pipeline. Nothing: `errors` has got what plugins have against their options.
  [[nodiscard]] static std::optional<MadePipeline> make(Config config, PluginRegistry plugins, PrivilegedParts* parts,
                                                        RunningCalls& calls, std::vector<Error>& errors);
  MadePipeline(MadePipeline&& other) noexcept;
  ~MadePipeline();

  // In this order: the sinks; the bus for other programs (without a listener there is none); the metrics, if they are
  // configured; the source. helper: null if the source needs none; outlives the pipeline. An error names what could not
  // be opened, and its place.
  [[nodiscard]] Result<OpenPipeline> open(std::optional<Listener> listener, PrivilegedHelper* helper,
                                          const OpenSource& open_source) &&;

 private:
  explicit MadePipeline(std::unique_ptr<Stages> stages);

  std::unique_ptr<Pieces> pieces_;  // ends before the stages that it was made with
};

}  // namespace nfbus::host
