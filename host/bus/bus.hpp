// The bus: hands each batch to the subscribers whose topics it has.
#pragma once

#include "bus/memory_queue.hpp"
#include "event/batch.hpp"
#include "event/topic_pattern.hpp"
#include "support/mutex.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Says what a subscriber wants to see.
struct Interest {
  std::vector<TopicPattern> topics;          // empty: every packet, no message
  std::uint32_t kinds = NFBUS_EVENT_PACKET;  // NFBUS_EVENT_*, ORed
};

// Gets batches from a bus. Thread safety: see Bus.
class Subscriber {
 public:
  Subscriber() = default;
  Subscriber(const Subscriber&) = delete;
  Subscriber& operator=(const Subscriber&) = delete;
  virtual ~Subscriber() = default;

  // Takes what it wants of a frozen batch. wait_for_room: waits until there is room for it; else never waits.
  virtual void offer(const BatchRef& batch, bool wait_for_room) = 0;
  // offer() never waits from now on, and takes what would have waited all the same. [any]
  virtual void end_waiting() = 0;
  [[nodiscard]] virtual bool wants_message(std::string_view topic) const = 0;
  // Returns whether it has no room left that anybody could wait for. [any]
  [[nodiscard]] virtual bool is_full() const { return false; }
};

// A subscriber with fixed topics and a queue.
class Subscription final : public Subscriber {
 public:
  Subscription(Interest interest, QueueLimits limits) : interest_(std::move(interest)), queue_(limits) {}

  void offer(const BatchRef& batch, bool wait_for_room) override;
  void end_waiting() override { queue_.end_waiting(); }
  [[nodiscard]] bool wants_message(std::string_view topic) const override;
  [[nodiscard]] bool is_full() const override { return queue_.is_full(); }

  [[nodiscard]] MemoryQueue& queue() noexcept { return queue_; }
  [[nodiscard]] const MemoryQueue& queue() const noexcept { return queue_; }

 private:
  enum class Match : std::uint8_t { unknown = 1, no, yes };

  // The indices of what is wanted; empty: all or none, as the count says.
  [[nodiscard]] std::size_t choose(const Batch& batch, std::vector<std::uint32_t>& wanted);
  [[nodiscard]] bool wants(const Batch::TopicCount& topic, std::uint32_t kind) NFBUS_REQUIRES(matched_mutex_);
  [[nodiscard]] bool fits_packet(std::string_view topic) const noexcept;
  [[nodiscard]] bool fits_message(std::string_view topic) const noexcept;

  const Interest interest_;
  MemoryQueue queue_;
  Mutex matched_mutex_;                                          // taken once a batch
  std::vector<Match> matched_ NFBUS_GUARDED_BY(matched_mutex_);  // by TopicId
};

// Thread safety: any thread. What one thread publishes reaches each subscriber in its order.
class Bus {
 public:
  void add(const std::shared_ptr<Subscriber>& subscriber) { replace(nullptr, subscriber); }
  void remove(const std::shared_ptr<Subscriber>& subscriber) { replace(subscriber, nullptr); }
  // Each batch goes to one of the two, none to both: nothing is lost or seen twice. Returns when no publish() can still
  // reach the old one. Not while publish_when_room() may wait, nor from within an offer(). Either may be null.
  void replace(const std::shared_ptr<Subscriber>& old, const std::shared_ptr<Subscriber>& fresh);

  // Offers a frozen batch to every subscriber but `publisher`; never waits.
  void publish(const BatchRef& batch, const Subscriber* publisher = nullptr) { offer(batch, publisher, false); }
  // As publish(), but waits until each subscriber has room: none drops any of it.
  void publish_when_room(const BatchRef& batch) { offer(batch, nullptr, true); }
  // publish_when_room() waits no more from now on, for whoever is subscribed now.
  void end_waiting();
  // Returns whether some subscriber has no room left.
  [[nodiscard]] bool is_full();
  // Returns whether publishing a message would reach anybody: spares making one for nobody.
  [[nodiscard]] bool wants_message(std::string_view topic, const Subscriber* publisher = nullptr);

 private:
  using List = std::vector<std::shared_ptr<Subscriber>>;

  // Reads the list while it lives: replace() waits for it.
  class Reading {
   public:
    explicit Reading(Bus& bus);
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;
    ~Reading();
    [[nodiscard]] const List& list() const noexcept { return *list_; }

   private:
    Bus& bus_;
    std::shared_ptr<const List> list_;
    std::uint64_t generation_ = 0;
  };

  void offer(const BatchRef& batch, const Subscriber* publisher, bool wait_for_room);
  void forget_unread() NFBUS_REQUIRES(mutex_);

  Mutex mutex_;
  Condition unread_;  // first_generation_ has grown
  std::shared_ptr<const List> subscribers_ NFBUS_GUARDED_BY(mutex_) =
      std::make_shared<const List>();  // replaced, never changed
  // How many read the list of each generation: of first_generation_, and so on, the last being that of subscribers_.
  std::deque<std::size_t> readers_ NFBUS_GUARDED_BY(mutex_) = {0};
  std::uint64_t first_generation_ NFBUS_GUARDED_BY(mutex_) = 0;
};

}  // namespace nfbus::host
