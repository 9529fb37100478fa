#include "bus/bus.hpp"

#include <algorithm>
#include <utility>

namespace nfbus::host {

bool Subscription::fits_packet(std::string_view topic) const noexcept {
  return interest_.topics.empty() || std::any_of(interest_.topics.begin(), interest_.topics.end(),
                                                 [&](const TopicPattern& one) { return one.fits_packet(topic); });
}

bool Subscription::fits_message(std::string_view topic) const noexcept {
  return std::any_of(interest_.topics.begin(), interest_.topics.end(),
                     [&](const TopicPattern& one) { return one.fits_message(topic); });
}

bool Subscription::wants(const Batch::TopicCount& topic, std::uint32_t kind) {
  if (kind == NFBUS_EVENT_MESSAGE) return fits_message(topic.topic);
  if (topic.topic_id == 0) return fits_packet(topic.topic);  // not interned, so there is no number to remember it by
  if (topic.topic_id >= matched_.size()) matched_.resize(topic.topic_id + 1, Match::unknown);
  Match& match = matched_[topic.topic_id];
  if (match == Match::unknown) match = fits_packet(topic.topic) ? Match::yes : Match::no;
  return match == Match::yes;
}

bool Subscription::wants_message(std::string_view topic) const {
  return (interest_.kinds & NFBUS_EVENT_MESSAGE) != 0 && fits_message(topic);
}

std::size_t Subscription::choose(const Batch& batch, std::vector<std::uint32_t>& wanted) {
  const MutexLock lock(matched_mutex_);
  std::size_t events = 0;
  for (const Batch::TopicCount& topic : batch.topics()) {
    if (wants(topic, batch.kind())) events += topic.events;
  }
  if (events == 0 || events == batch.events().size()) return events;
  wanted.reserve(events);
  for (const Event& event : batch.events()) {
    bool wants_it = false;
    if (batch.kind() == NFBUS_EVENT_MESSAGE) {
      wants_it = fits_message(view(event.topic));
    } else {
      wants_it = event.topic_id == 0 ? fits_packet(view(event.topic)) : matched_[event.topic_id] == Match::yes;
    }
    if (wants_it) wanted.push_back(event.index);
  }
  return events;
}

void Subscription::offer(const BatchRef& batch, bool wait_for_room) {
  const std::uint32_t kind = batch->kind();
  if ((interest_.kinds & kind) == 0) return;
  if (kind == NFBUS_EVENT_MESSAGE && interest_.topics.empty()) return;
  std::vector<std::uint32_t> wanted;
  if (choose(*batch, wanted) == 0) return;
  if (wait_for_room) {
    queue_.push_when_room(batch, std::move(wanted));
  } else {
    queue_.push(batch, std::move(wanted));
  }
}

Bus::Reading::Reading(Bus& bus) : bus_(bus) {
  const MutexLock lock(bus.mutex_);
  list_ = bus.subscribers_;
  generation_ = bus.first_generation_ + bus.readers_.size() - 1;
  ++bus.readers_.back();
}

Bus::Reading::~Reading() {
  const MutexLock lock(bus_.mutex_);
  --bus_.readers_[generation_ - bus_.first_generation_];
  bus_.forget_unread();
}

void Bus::forget_unread() {
  const std::uint64_t before = first_generation_;
  while (readers_.size() > 1 && readers_.front() == 0) {
    readers_.pop_front();
    ++first_generation_;
  }
  if (first_generation_ != before) unread_.notify_all();
}

void Bus::replace(const std::shared_ptr<Subscriber>& old, const std::shared_ptr<Subscriber>& fresh) {
  std::shared_ptr<const List> before;  // ends without the lock
  MutexLock lock(mutex_);
  auto list = std::make_shared<List>(*subscribers_);
  std::erase(*list, old);
  if (fresh) list->push_back(fresh);
  before = std::exchange(subscribers_, std::move(list));
  const std::uint64_t replaced = first_generation_ + readers_.size() - 1;
  readers_.push_back(0);
  forget_unread();
  if (!old) return;
  // Who reads this generation's list or one before it may still be about to offer to the old one.
  while (first_generation_ <= replaced) unread_.wait(lock);
}

void Bus::offer(const BatchRef& batch, const Subscriber* publisher, bool wait_for_room) {
  const Reading reading(*this);
  for (const auto& subscriber : reading.list()) {
    if (subscriber.get() != publisher) subscriber->offer(batch, wait_for_room);
  }
}

void Bus::end_waiting() {
  const Reading reading(*this);
  for (const auto& subscriber : reading.list()) subscriber->end_waiting();
}

bool Bus::is_full() {
  const Reading reading(*this);
  const List& list = reading.list();
  return std::any_of(list.begin(), list.end(),
                     [](const std::shared_ptr<Subscriber>& subscriber) { return subscriber->is_full(); });
}

bool Bus::wants_message(std::string_view topic, const Subscriber* publisher) {
  const Reading reading(*this);
  return std::any_of(reading.list().begin(), reading.list().end(), [&](const std::shared_ptr<Subscriber>& subscriber) {
    return subscriber.get() != publisher && subscriber->wants_message(topic);
  });
}

}  // namespace nfbus::host
