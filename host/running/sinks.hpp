// The sinks at work: opened, replaced by others, drained and stopped. Each has its worker, and its queue on the bus.
#pragma once

#include "bus/bus.hpp"
#include "config/config.hpp"
#include "delivery/sink_worker.hpp"
#include "delivery/spill_queue.hpp"
#include "delivery/spiller.hpp"
#include "formats/format.hpp"
#include "running/pieces.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

// Says where the messages of these filters wait for them: each once, though several chains may share a filter.
using FilterMessages = std::set<std::shared_ptr<Subscription>>;
[[nodiscard]] FilterMessages messages_of(const FilterChain& chain);

// Thread safety: [control], but snapshots(), health() and any_failed() from any thread.
class Sinks {
 public:
  using Clock = std::chrono::steady_clock;

  // changed: as SinkWorker says. bus and formats outlive the sinks.
  Sinks(Bus& bus, const FormatSet& formats, SinkWorker::StateChanged changed)
      : bus_(bus), formats_(formats), changed_(std::move(changed)) {}

  // Opens them: from now on events wait for them. An error names the sink and its place; those before it are open.
  Result<void> open(std::vector<MadeSink> made);
  // Starts the thread of each.
  void start();
  // Returns whether a sink that has not failed runs by just this plan, so that nobody has to make it anew.
  [[nodiscard]] bool runs(const SinkPlan& plan) const;
  [[nodiscard]] bool has_failed(const std::string& name) const;
  // Makes the sinks those of `next`. `made` are those of them that are made anew. What they take the place of, and what
  // is gone, delivers what waits until the deadline and is closed; then the new ones are opened and started. They miss
  // no event between, the others go on untouched. Returns why some could not be opened: those are left out.
  [[nodiscard]] std::vector<Error> replace(const std::vector<SinkPlan>& next, std::vector<MadeSink> made,
                                           Clock::time_point deadline);
  void request_reopen();

  // From now on lost_at_the_end() counts what is dropped. Once, before the sources are stopped.
  void note_the_end();
  // Filters are finished and sinks flushed once what waits is delivered; then every sink is asked to deliver what
  // waits, until the deadline. Waits for those only that may have last words.
  void request_stop(Clock::time_point deadline);
  // True when every sink has ended; waits for that until `deadline` and a little longer, for calls that have begun. A
  // sink that has not is stuck in its plugin, and the process must end without destroying this object.
  [[nodiscard]] bool stopped_by(Clock::time_point deadline);

  [[nodiscard]] std::size_t size() const noexcept { return own_sinks().size(); }
  // Returns whether no event waits for any sink.
  [[nodiscard]] bool all_settled() const;
  // Events that some sink did not get: what waits for one that could not deliver it, and what came to one that had
  // failed or had to be dropped, since note_the_end() or, with since_the_start, ever.
  [[nodiscard]] std::uint64_t lost_at_the_end(bool since_the_start) const;
  // Returns whether a sink could not bring to its destination what it had taken.
  [[nodiscard]] bool any_unflushed() const;
  // Names of the sinks that have not ended.
  [[nodiscard]] std::vector<std::string> not_ended() const;
  [[nodiscard]] std::vector<SinkSnapshot> snapshots() const;
  // By name.
  [[nodiscard]] std::vector<std::pair<std::string, SinkHealth>> health() const;
  // Returns whether a sink has failed for good.
  [[nodiscard]] bool any_failed() const;

 private:
  struct RunningSink {
    SinkPlan plan;
    std::unique_ptr<SpillQueue> spill;  // null: there is no disk queue; outlives the worker
    std::unique_ptr<SinkWorker> worker;
    bool ended = false;
    bool left_behind = false;  // asked to end, and did not
    QueueCounters before_the_end{};
  };
  using Successors = std::map<std::string, std::shared_ptr<Subscription>>;  // by name

  Result<RunningSink> open(MadeSink made, std::shared_ptr<Subscription> subscription);
  // What it has not delivered goes to disk. Its thread has ended, or does not return.
  void put_away(RunningSink& sink, Clock::time_point deadline);
  void end(const std::vector<RunningSink*>& sinks, const std::vector<MadeSink>& made, Successors& successors,
           Clock::time_point deadline);
  Result<void> add(MadeSink made, const Successors& successors);

  // The view of [control], which alone adds and removes sinks, with the mutex held.
  [[nodiscard]] std::vector<RunningSink>& own_sinks() noexcept NFBUS_OWNERS_VIEW { return sinks_; }
  [[nodiscard]] const std::vector<RunningSink>& own_sinks() const noexcept NFBUS_OWNERS_VIEW { return sinks_; }

  Bus& bus_;
  const FormatSet& formats_;
  const SinkWorker::StateChanged changed_;
  mutable Mutex mutex_;
  std::vector<RunningSink> sinks_ NFBUS_GUARDED_BY(mutex_);
  Spiller spiller_;  // ends before the queues that it serves
};

// One line for each counter of a sink, and of its filters.
void log_sink(const SinkSnapshot& sink);

}  // namespace nfbus::host
