#include "bus/server/inbox.hpp"

#include "bus/server/prefix_walk.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

Inbox::Inbox(std::size_t most_bytes, std::string_view unwanted)
    : most_bytes_(most_bytes), unwanted_(unwanted), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

bool Inbox::wants(std::string_view topic) const noexcept {
  if (!unwanted_.empty() && topic == unwanted_) return false;
  bool wanted = false;
  for_each_prefix(prefixes_, topic, [&](const std::string& /*prefix*/) {
    wanted = true;
    return false;
  });
  return wanted;
}

bool Inbox::wants_message(std::string_view topic) const {
  const MutexLock lock(mutex_);
  return !closed_ && wants(topic);
}

bool Inbox::wants_any(const Batch& batch) {
  return std::ranges::any_of(batch.topics(), [this](const Batch::TopicCount& topic) NFBUS_REQUIRES(mutex_) {
    if (topic.topic_id == 0) return wants(topic.topic);  // not interned
    const bool is_judged = topic.topic_id < judged_.size() && judged_[topic.topic_id] != Verdict::unknown;
    return (is_judged ? judged_[topic.topic_id] : judge(topic)) == Verdict::wanted;
  });
}

Inbox::Verdict Inbox::judge(const Batch::TopicCount& topic) {
  if (topic.topic_id >= judged_.size()) judged_.resize(topic.topic_id + 1);
  judged_topics_.emplace(topic.topic, topic.topic_id);
  return judged_[topic.topic_id] = wants(topic.topic) ? Verdict::wanted : Verdict::unwanted;
}

// A slab that the newest batch pins, too, is counted once.
std::size_t Inbox::pinned_bytes(const Batch& batch) const noexcept {
  std::size_t bytes = 0;
  for (const SlabRef& slab : batch.slabs()) {
    if (batches_.empty() || batches_.back()->slabs().back().get() != slab.get()) bytes += slab->size_bytes();
  }
  return bytes;
}

void Inbox::offer(const BatchRef& batch, bool wait_for_room) {
  bool wake = false;
  {
    MutexLock lock(mutex_);
    if (closed_ || !wants_any(*batch)) return;
    if (wait_for_room) {
      waited_for_ = true;
      while (!closed_ && !never_wait_ && !fits(*batch, most_bytes_)) room_.wait(lock);
    } else if (waited_for_) {
      // Beside what was waited for, which nobody may push out, there is as much room again.
      if (!fits(*batch, 2 * most_bytes_)) return drop(*batch);
    } else {
      while (!fits(*batch, most_bytes_)) drop_oldest();
    }
    if (closed_) return;
    costs_.push_back(pinned_bytes(*batch));
    bytes_ += costs_.back();
    batches_.push_back(batch);
    wake = !std::exchange(woken_, true);
  }
  if (!wake) return;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

bool Inbox::fits(const Batch& batch, std::size_t most_bytes) const noexcept {
  return batches_.empty() || bytes_ + pinned_bytes(batch) <= most_bytes;
}

void Inbox::drop_oldest() {
  drop(*batches_.front());
  bytes_ -= costs_.front();
  costs_.pop_front();
  batches_.pop_front();
}

void Inbox::drop(const Batch& batch) {
  for (const Batch::TopicCount& topic : batch.topics()) {
    const auto known = std::find_if(dropped_.begin(), dropped_.end(),
                                    [&](const Dropped& dropped) { return dropped.topic == topic.topic; });
    if (known != dropped_.end()) {
      known->events += topic.events;
    } else {
      dropped_.push_back({.topic = std::string(topic.topic), .events = topic.events});
    }
  }
}

std::vector<std::pair<std::string_view, TopicId>> Inbox::judged_below(const std::string& prefix) const {
  std::vector<std::pair<std::string_view, TopicId>> topics;
  for_each_beginning_with(judged_topics_, prefix, [&](const auto& topic) { topics.emplace_back(topic); });
  return topics;
}

void Inbox::add_prefix(const std::string& prefix) {
  const MutexLock lock(mutex_);
  prefixes_.insert(prefix);
  for (const auto& [topic, id] : judged_below(prefix)) judged_[id] = Verdict::wanted;
}

void Inbox::remove_prefix(const std::string& prefix) {
  const MutexLock lock(mutex_);
  prefixes_.erase(prefix);
  for (const auto& [topic, id] : judged_below(prefix)) judged_[id] = wants(topic) ? Verdict::wanted : Verdict::unwanted;
}

void Inbox::take(std::deque<BatchRef>& batches, std::vector<Dropped>& dropped) {
  const MutexLock lock(mutex_);
  woken_ = false;
  // Also when nobody has woken us: who does so outside of the lock may come late.
  std::uint64_t wakes = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &wakes, sizeof wakes);
  dropped = std::exchange(dropped_, {});
  std::move(batches_.begin(), batches_.end(), std::back_inserter(batches));
  batches_.clear();
  costs_.clear();
  bytes_ = 0;
  room_.notify_all();
}

void Inbox::end_waiting() {
  const MutexLock lock(mutex_);
  never_wait_ = true;
  room_.notify_all();
}

void Inbox::close() {
  const MutexLock lock(mutex_);
  closed_ = true;
  room_.notify_all();
}

}  // namespace nfbus::host
