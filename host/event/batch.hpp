// Batches: what travels from capture to the sinks. Built by one thread, then frozen and shared.
#pragma once

#include "event/event.hpp"
#include "event/slab.hpp"
#include "event/text_cache.hpp"
#include "support/mutex.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

class BatchPool;
class BatchRef;

// Bytes that a sink handles for this event: its record, or its text.
inline std::size_t event_size_bytes(const nfbus_event& event) noexcept {
  return event.kind == NFBUS_EVENT_MESSAGE ? event.payload.size : event.record.size;
}

// Names who published a message, and after how many others that were published one in answer to the other.
struct MessageOrigin {
  std::uint8_t hops = 0;
  std::string_view publisher;  // "sink.archive"; empty: no plugin
};

// Events of one kind, of any number of topics, with the slabs that they and their bytes live in.
// Thread safety: one thread until freeze(); after it, const members from any thread.
class Batch {
 public:
  // How many events of a frozen batch have a topic: lets a subscriber judge the batch without looking at its events.
  struct TopicCount {
    TopicId topic_id;  // 0: not interned, and told from others by its text
    std::uint32_t events;
    std::string_view topic;
  };

  // Room for up to `most` events in `writer`'s slab, which the batch then shares. Once only.
  void reserve_events(SlabWriter& writer, std::size_t most);
  // One event more, in that room: zeroed but for struct_size. Before any is frozen, but by freeze_next().
  Event& add_event() noexcept {
    Event& event = events_[count_++];
    std::memset(static_cast<void*>(&event), 0, sizeof event);
    event.struct_size = sizeof(nfbus_event);
    return event;
  }
  // The last event that was added is not wanted after all; it is not frozen yet.
  void remove_last() noexcept { --count_; }
  // Events that were made elsewhere, in a slab that the batch keeps. Once only.
  void adopt_events(Event* events, std::size_t count) noexcept;
  // Bytes in `writer`'s slab that live as long as the batch; in a slab of their own when they are more than one holds.
  std::span<std::uint8_t> allocate(SlabWriter& writer, std::size_t size_bytes);
  // Keeps a slab that events point into.
  void keep(const SlabRef& slab);
  // Removes the events whose verdict is NFBUS_DROP; before freeze(). verdicts.size() == events().size().
  void remove_dropped(std::span<const std::uint8_t> verdicts);
  // The first event that is not frozen yet is complete: sets its batch, origin and index and counts its topic.
  // While it is in the cache; but an event that a filter may drop must wait for freeze().
  void freeze_next() {
    Event& event = events_[frozen_];
    event.batch = this;
    event.origin = &event;
    event.index = static_cast<std::uint32_t>(frozen_);
    ++frozen_;
    content_bytes_ += event_size_bytes(event);
    // Packets of one topic come in runs.
    if (topics_.empty() || !has_topic(event, topics_[last_topic_])) find_topic(event);
    ++topics_[last_topic_].events;
  }
  // The batch is complete: freezes the events that are not. Nothing changes after.
  void freeze();
  // Of the message that is the batch, before others see it.
  void set_origin(const MessageOrigin& origin) {
    hops_ = origin.hops;
    publisher_ = origin.publisher;
  }

  [[nodiscard]] std::span<Event> mutable_events() noexcept { return {events_, count_}; }
  [[nodiscard]] std::span<const Event> events() const noexcept { return {events_, count_}; }
  [[nodiscard]] std::span<const TopicCount> topics() const noexcept { return topics_; }
  [[nodiscard]] std::uint32_t kind() const noexcept { return count_ == 0 ? NFBUS_EVENT_PACKET : events_[0].kind; }
  [[nodiscard]] std::span<const SlabRef> slabs() const noexcept { return slabs_; }
  // Of all records (or texts).
  [[nodiscard]] std::size_t content_bytes() const noexcept { return content_bytes_; }
  // And of the events: what a copy of the whole batch would take, about.
  [[nodiscard]] std::size_t size_bytes() const noexcept { return content_bytes_ + count_ * sizeof(Event); }
  [[nodiscard]] MessageOrigin origin() const noexcept { return {.hops = hops_, .publisher = publisher_}; }
  [[nodiscard]] TextCache& texts() const noexcept { return texts_; }

 private:
  friend class BatchRef;
  friend class BatchPool;
  void clear() noexcept;
  // Numbers tell interned topics apart, so that no text is compared for each packet.
  [[nodiscard]] static bool has_topic(const Event& event, const TopicCount& topic) noexcept {
    return event.topic_id == topic.topic_id && (event.topic_id != 0 || view(event.topic) == topic.topic);
  }
  void find_topic(const Event& event);  // or begins to count it

  BatchPool* pool_ = nullptr;  // null: freed with its last reference
  std::atomic<std::uint32_t> references_{0};
  Event* events_ = nullptr;
  std::size_t count_ = 0;
  std::size_t frozen_ = 0;  // so many of them are
  std::size_t content_bytes_ = 0;
  std::vector<SlabRef> slabs_;  // nearly always one
  std::vector<TopicCount> topics_;
  std::size_t last_topic_ = 0;  // in topics_: of the event frozen last
  std::uint8_t hops_ = 0;
  std::string publisher_;
  mutable TextCache texts_;
};

// Returns whether this is the event that a batch holds, by now frozen, and not one that a filter changed for one sink.
[[nodiscard]] inline bool is_in_batch(const Event& event) noexcept {
  return event.batch != nullptr && &event.batch->events()[event.index] == &event;
}

// Shared ownership of a batch. Thread safety: copies may live on any thread.
class BatchRef {
 public:
  BatchRef() noexcept = default;
  explicit BatchRef(Batch* batch) noexcept : batch_(batch) { retain(); }
  BatchRef(const BatchRef& other) noexcept : batch_(other.batch_) { retain(); }
  BatchRef(BatchRef&& other) noexcept : batch_(std::exchange(other.batch_, nullptr)) {}
  BatchRef& operator=(BatchRef other) noexcept {
    std::swap(batch_, other.batch_);
    return *this;
  }
  ~BatchRef() { reset(); }

  void reset() noexcept;
  [[nodiscard]] Batch* get() const noexcept { return batch_; }
  Batch* operator->() const noexcept { return batch_; }
  Batch& operator*() const noexcept { return *batch_; }
  explicit operator bool() const noexcept { return batch_ != nullptr; }

 private:
  void retain() const noexcept {
    if (batch_ != nullptr) batch_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  Batch* batch_ = nullptr;
};

// Reuses Batch objects (their slabs come from a SlabPool). Outlives its batches. Thread safety: any thread.
class BatchPool {
 public:
  explicit BatchPool(std::size_t keep_free);
  BatchPool(const BatchPool&) = delete;
  BatchPool& operator=(const BatchPool&) = delete;
  ~BatchPool();

  [[nodiscard]] BatchRef take();

 private:
  friend class BatchRef;
  void give_back(Batch* batch) noexcept;

  const std::size_t keep_free_;
  Mutex mutex_;
  std::vector<Batch*> free_ NFBUS_GUARDED_BY(mutex_);  // owned
};

// A frozen batch of its own that holds copies of the chosen events and of all that they point to.
[[nodiscard]] BatchRef copy_events(std::span<const Event* const> events);

// A frozen batch of one message event. topic_id: 0, since messages' topics are not interned.
[[nodiscard]] BatchRef make_message(std::string_view topic, std::string_view text, std::int64_t time_ns,
                                    std::uint32_t uid, const MessageOrigin& origin = {});

}  // namespace nfbus::host
