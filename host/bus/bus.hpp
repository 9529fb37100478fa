// The bus: hands each batch to the subscribers whose topics it has.
#pragma once

#include "bus/queue.hpp"
#include "event/batch.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// What a subscriber wants to see.
struct Interest {
  std::vector<std::string> topics;           // prefixes of whole topics, byte for byte; empty: every packet, no message
  std::uint32_t kinds = NFBUS_EVENT_PACKET;  // NFBUS_EVENT_*, ORed
};

// One subscriber's topics and its queue. Thread safety: see Bus.
class Subscription {
 public:
  Subscription(Interest interest, QueueLimits limits) : interest_(std::move(interest)), queue_(limits) {}

  [[nodiscard]] SubscriberQueue& queue() noexcept { return queue_; }
  [[nodiscard]] const SubscriberQueue& queue() const noexcept { return queue_; }

 private:
  friend class Bus;
  enum class Match : std::uint8_t { unknown, no, yes };

  void offer(const BatchRef& batch, bool wait_for_room);
  [[nodiscard]] bool wants(const Batch::TopicCount& topic);
  [[nodiscard]] bool matches(std::string_view topic) const noexcept;

  const Interest interest_;
  SubscriberQueue queue_;
  std::vector<Match> matched_;  // by TopicId; owned by the thread that publishes packets
};

// Thread safety: add(), remove(), replace() and publish() from any thread, but packets from one thread only.
class Bus {
 public:
  void add(const std::shared_ptr<Subscription>& subscription) { replace(nullptr, subscription); }
  void remove(const std::shared_ptr<Subscription>& subscription) { replace(subscription, nullptr); }
  // Each batch goes to one of the two, none to both: nothing is lost or seen twice. Returns when no publish() can still
  // reach the old one. Not while publish_when_room() may wait. Either may be null.
  void replace(const std::shared_ptr<Subscription>& old, const std::shared_ptr<Subscription>& fresh);

  // Offers a frozen batch to every subscriber; never waits.
  void publish(const BatchRef& batch) { offer(batch, false); }
  // As publish(), but waits until each subscriber has room.
  void publish_when_room(const BatchRef& batch) { offer(batch, true); }

 private:
  using List = std::vector<std::shared_ptr<Subscription>>;
  void offer(const BatchRef& batch, bool wait_for_room);

  std::mutex mutex_;
  std::shared_ptr<const List> subscriptions_ =
      std::make_shared<const List>();  // guarded by mutex_; replaced, never changed
};

}  // namespace nfbus::host
