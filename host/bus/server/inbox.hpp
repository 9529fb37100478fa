// Takes batches for the socket server: bounded, never waited for, and exact about what it had to drop.
#pragma once

#include "bus/bus.hpp"
#include "support/descriptor.hpp"
#include "support/mutex.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// Thread safety: offer() and wants_message() as Bus says; the rest from the one thread that serves the inbox.
class Inbox final : public Subscriber {
 public:
  // Events of one topic that were dropped before anybody saw them, since the inbox was full.
  struct Dropped {
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
  // Moves everything out: batches, oldest first, and what was dropped before the oldest.
  void take(std::deque<BatchRef>& batches, std::vector<Dropped>& dropped);
  // Nothing is taken any more, and nobody waits.
  void close();

 private:
  enum class Verdict : std::uint8_t { unknown, unwanted, wanted };

  [[nodiscard]] bool wants(std::string_view topic) const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool wants_any(const Batch& batch) NFBUS_REQUIRES(mutex_);
  [[nodiscard]] Verdict judge(const Batch::TopicCount& topic) NFBUS_REQUIRES(mutex_);
  [[nodiscard]] std::size_t pinned_bytes(const Batch& batch) const noexcept NFBUS_REQUIRES(mutex_);
  [[nodiscard]] bool fits(const Batch& batch, std::size_t most_bytes) const noexcept NFBUS_REQUIRES(mutex_);
  // Those of judged_topics_ that begin with it.
  [[nodiscard]] std::vector<std::pair<std::string_view, TopicId>> judged_below(const std::string& prefix) const
      NFBUS_REQUIRES(mutex_);
  void drop_oldest() NFBUS_REQUIRES(mutex_);
  void drop(const Batch& batch) NFBUS_REQUIRES(mutex_);

  const std::size_t most_bytes_;
  const std::string unwanted_;
  const Descriptor wake_;
  mutable Mutex mutex_;
  Condition room_;
  std::set<std::string, std::less<>> prefixes_ NFBUS_GUARDED_BY(mutex_);
  std::vector<Verdict> judged_ NFBUS_GUARDED_BY(mutex_);                                     // by TopicId
  std::multimap<std::string, TopicId, std::less<>> judged_topics_ NFBUS_GUARDED_BY(mutex_);  // of those that are judged
  std::deque<BatchRef> batches_ NFBUS_GUARDED_BY(mutex_);
  std::deque<std::size_t> costs_ NFBUS_GUARDED_BY(mutex_);  // of each of batches_, in pinned bytes
  std::size_t bytes_ NFBUS_GUARDED_BY(mutex_) = 0;
  std::vector<Dropped> dropped_ NFBUS_GUARDED_BY(mutex_);
  bool woken_ NFBUS_GUARDED_BY(mutex_) = false;  // the descriptor is readable
  bool waited_for_ NFBUS_GUARDED_BY(mutex_) =
      false;  // offers came that waited for room: a replay, of which nothing is dropped
  bool never_wait_ NFBUS_GUARDED_BY(mutex_) = false;
  bool closed_ NFBUS_GUARDED_BY(mutex_) = false;
};

}  // namespace nfbus::host
