// The sources at work, each on a thread of its own, and what became of them.
#pragma once

#include "capture/source.hpp"

#include <nfbus/result.hpp>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <thread>
#include <vector>

namespace nfbus::host {

// Thread safety: [control], but counters() and snapshots() from any thread once start() was called.
class Sources {
 public:
  using Clock = std::chrono::steady_clock;

  Sources() = default;
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;
  // Stops what still runs, and waits for it without bound: see to ended_by() first.
  ~Sources();

  // The first that was added: that of the groups.
  [[nodiscard]] Source& of_groups() noexcept { return *sources_.front()->source; }
  // Before start().
  void add(std::unique_ptr<Source> source);
  // Starts the threads. ended is called once, on the thread of a source: when all have ended, by themselves or after a
  // stop, or when one that is essential has failed.
  void start(std::function<void()> ended);
  // Each is asked to drain and end.
  void stop() noexcept;
  // False when one has not ended by `deadline`: it is inside a filter, or its file does not end. It can never be ended
  // then, and the process must end without destroying this object.
  [[nodiscard]] bool ended_by(Clock::time_point deadline);
  // Once all have ended: what went wrong first with one that is essential.
  Result<void> join();

  // Returns whether all of them are; of none: false.
  [[nodiscard]] bool all_lossless() const noexcept;
  // Returns whether all of them are.
  [[nodiscard]] bool all_reloadable() const noexcept;
  // The account of each, in the order in which they were added.
  [[nodiscard]] std::vector<SourceSnapshot> counters() const;
  // The groups of all sources, in the order in which these were added.
  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const;

 private:
  struct RunningSource {
    explicit RunningSource(std::unique_ptr<Source> of) : source(std::move(of)) {}
    std::unique_ptr<Source> source;
    std::promise<Result<void>> done;  // set by its thread
    std::future<Result<void>> result = done.get_future();
    std::thread thread;
    std::atomic<SourceState> state{SourceState::running};
  };
  void run(RunningSource& running);

  std::vector<std::unique_ptr<RunningSource>> sources_;  // constant once they have started
  std::function<void()> ended_;
  std::atomic<std::size_t> left_{0};
  std::atomic<bool> told_{false};
};

}  // namespace nfbus::host
