// Where the socket server gets batches: bounded, never waited for, and exact about what it had to shed.
#pragma once

#include "bus/bus.hpp"
#include "support/descriptor.hpp"

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Thread safety: offer() and wants_message() as Bus says; the rest from the one thread that serves the inbox.
class Inbox final : public Subscriber {
 public:
  // Events of one topic that were dropped before anybody saw them, since the inbox was full.
  struct Shed {
    std::string topic;
    std::uint64_t events;
  };

  // unwanted: a topic that is never taken, whatever the prefixes; empty: there is none.
  explicit Inbox(std::size_t most_bytes, std::string_view unwanted = {});

  void offer(const BatchRef& batch, bool wait_for_room) override;
  void end_waiting() override;
  [[nodiscard]] bool wants_message(std::string_view topic) const override;

  // Topics that begin with one of the prefixes are taken, and no others; an empty one stands for all. A change costs a
  // search, and a look at each packet topic that begins with it.
  void add_prefix(const std::string& prefix);
  void remove_prefix(const std::string& prefix);
  // Readable while something is to be taken.
  [[nodiscard]] int descriptor() const noexcept { return wake_.get(); }
  // Moves everything out: batches, oldest first, and what was shed before the oldest.
  void take(std::deque<BatchRef>& batches, std::vector<Shed>& shed);
  // Nothing is taken any more, and nobody waits.
  void close();

 private:
  enum class Verdict : std::uint8_t { unknown, unwanted, wanted };

  [[nodiscard]] bool wants(std::string_view topic) const noexcept;
  [[nodiscard]] bool wants_any(const Batch& batch);
  [[nodiscard]] Verdict judge(const Batch::TopicCount& topic);
  [[nodiscard]] std::size_t pinned_bytes(const Batch& batch) const noexcept;
  [[nodiscard]] bool fits(const Batch& batch, std::size_t most_bytes) const noexcept;
  void shed_oldest();
  void shed(const Batch& batch);

  const std::size_t most_bytes_;
  const std::string unwanted_;
  const Descriptor wake_;
  mutable std::mutex mutex_;
  // Guarded by mutex_:
  std::condition_variable room_;
  std::set<std::string, std::less<>> prefixes_;
  std::vector<Verdict> judged_;                                     // by TopicId
  std::multimap<std::string, TopicId, std::less<>> judged_topics_;  // of those that are judged
  std::deque<BatchRef> batches_;
  std::deque<std::size_t> costs_;  // of each of batches_, in pinned bytes
  std::size_t bytes_ = 0;
  std::vector<Shed> shed_;
  bool woken_ = false;       // the descriptor is readable
  bool waited_for_ = false;  // offers came that waited for room: a replay, of which nothing is shed
  bool never_wait_ = false;
  bool closed_ = false;
};

}  // namespace nfbus::host
