#include "running/sources.hpp"

#include <pthread.h>

#include <algorithm>
#include <string>
#include <utility>

namespace nfbus::host {

Sources::~Sources() {
  stop();
  for (const auto& running : sources_) {
    if (running->thread.joinable()) running->thread.join();
  }
}

void Sources::add(std::unique_ptr<Source> source) {
  sources_.push_back(std::make_unique<RunningSource>(std::move(source)));
}

void Sources::start(std::function<void()> ended) {
  ended_ = std::move(ended);
  left_ = sources_.size();
  for (const auto& running : sources_) {
    running->thread = std::thread([this, of = running.get()] { run(*of); });
    const std::string thread_name =
        running->source->essential() ? "capture" : "source:" + std::string(running->source->name());
    ::pthread_setname_np(running->thread.native_handle(), thread_name.substr(0, 15).c_str());
  }
}

void Sources::run(RunningSource& running) {
  Result<void> result = running.source->run();
  const bool failed = !result.ok();
  running.state = failed ? SourceState::failed : SourceState::ended;
  running.done.set_value(std::move(result));
  const bool last = left_.fetch_sub(1) == 1;
  if (((failed && running.source->essential()) || last) && !told_.exchange(true)) ended_();
}

void Sources::stop() noexcept {
  for (const auto& running : sources_) running->source->stop();
}

bool Sources::ended_by(Clock::time_point deadline) {
  return std::all_of(sources_.begin(), sources_.end(), [&](const auto& running) {
    return running->result.wait_until(deadline) == std::future_status::ready;
  });
}

Result<void> Sources::join() {
  Result<void> first;
  for (const auto& running : sources_) {
    running->thread.join();
    Result<void> result = running->result.get();
    if (!result && first && running->source->essential()) first = std::move(result);
  }
  return first;
}

bool Sources::all_lossless() const noexcept {
  return !sources_.empty() &&
         std::all_of(sources_.begin(), sources_.end(), [](const auto& running) { return running->source->lossless(); });
}

bool Sources::all_reloadable() const noexcept {
  return std::all_of(sources_.begin(), sources_.end(),
                     [](const auto& running) { return running->source->reloadable(); });
}

std::vector<SourceSnapshot> Sources::counters() const {
  std::vector<SourceSnapshot> rows;
  rows.reserve(sources_.size());
  for (const auto& running : sources_) {
    rows.push_back(running->source->counters());
    rows.back().state = running->state;
  }
  return rows;
}

std::vector<CaptureSnapshot> Sources::snapshots() const {
  std::vector<CaptureSnapshot> rows;
  for (const auto& running : sources_) {
    for (const CaptureSnapshot& row : running->source->snapshots()) rows.push_back(row);
  }
  return rows;
}

}  // namespace nfbus::host
