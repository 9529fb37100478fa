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

// Whoever gets batches from a bus. Thread safety: see Bus.
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
};

// A subscriber with fixed topics and a queue.
class Subscription final : public Subscriber {
 public:
  Subscription(Interest interest, QueueLimits limits) : interest_(std::move(interest)), queue_(limits) {}

  void offer(const BatchRef& batch, bool wait_for_room) override;
  void end_waiting() override { queue_.end_waiting(); }
  [[nodiscard]] bool wants_message(std::string_view topic) const override;

  [[nodiscard]] SubscriberQueue& queue() noexcept { return queue_; }
  [[nodiscard]] const SubscriberQueue& queue() const noexcept { return queue_; }

 private:
  enum class Match : std::uint8_t { unknown, no, yes };

  [[nodiscard]] bool wants(const Batch::TopicCount& topic);
  [[nodiscard]] bool matches(std::string_view topic) const noexcept;

  const Interest interest_;
  SubscriberQueue queue_;
  std::vector<Match> matched_;  // by TopicId; owned by the thread that publishes packets
};

// Thread safety: add(), remove(), replace() and publish() from any thread, but packets from one thread only.
class Bus {
 public:
  void add(const std::shared_ptr<Subscriber>& subscriber) { replace(nullptr, subscriber); }
  void remove(const std::shared_ptr<Subscriber>& subscriber) { replace(subscriber, nullptr); }
  // Each batch goes to one of the two, none to both: nothing is lost or seen twice. Returns when no publish() can still
  // reach the old one. Not while publish_when_room() may wait. Either may be null.
  void replace(const std::shared_ptr<Subscriber>& old, const std::shared_ptr<Subscriber>& fresh);

  // Offers a frozen batch to every subscriber but `publisher`; never waits.
  void publish(const BatchRef& batch, const Subscriber* publisher = nullptr) { offer(batch, publisher, false); }
  // As publish(), but waits until each subscriber has room: none drops any of it.
  void publish_when_room(const BatchRef& batch) { offer(batch, nullptr, true); }
  // publish_when_room() waits no more from now on, for whoever is subscribed now.
  void end_waiting();
  // Whether publishing a message would reach anybody: spares making one for nobody.
  [[nodiscard]] bool wants_message(std::string_view topic, const Subscriber* publisher = nullptr);

 private:
  using List = std::vector<std::shared_ptr<Subscriber>>;
  [[nodiscard]] std::shared_ptr<const List> subscribers();
  void offer(const BatchRef& batch, const Subscriber* publisher, bool wait_for_room);

  std::mutex mutex_;
  std::shared_ptr<const List> subscribers_ =
      std::make_shared<const List>();  // guarded by mutex_; replaced, never changed
};

}  // namespace nfbus::host
