#include "bus/bus.hpp"

#include <algorithm>
#include <thread>
#include <utility>

namespace nfbus::host {

bool Subscription::matches(std::string_view topic) const noexcept {
  return interest_.topics.empty() || std::any_of(interest_.topics.begin(), interest_.topics.end(),
                                                 [&](const std::string& prefix) { return topic.starts_with(prefix); });
}

bool Subscription::wants(const Batch::TopicCount& topic) {
  if (topic.topic_id == 0) return matches(topic.topic);  // not interned, so there is no number to remember it by
  if (topic.topic_id >= matched_.size()) matched_.resize(topic.topic_id + 1, Match::unknown);
  Match& match = matched_[topic.topic_id];
  if (match == Match::unknown) match = matches(topic.topic) ? Match::yes : Match::no;
  return match == Match::yes;
}

bool Subscription::wants_message(std::string_view topic) const {
  return (interest_.kinds & NFBUS_EVENT_MESSAGE) != 0 && !interest_.topics.empty() && matches(topic);
}

void Subscription::offer(const BatchRef& batch, bool wait_for_room) {
  const std::uint32_t kind = batch->kind();
  if ((interest_.kinds & kind) == 0) return;
  if (kind == NFBUS_EVENT_MESSAGE && interest_.topics.empty()) return;
  std::size_t wanted_events = 0;
  for (const Batch::TopicCount& topic : batch->topics()) {
    if (wants(topic)) wanted_events += topic.events;
  }
  if (wanted_events == 0) return;
  std::vector<std::uint32_t> wanted;
  if (wanted_events != batch->events().size()) {
    wanted.reserve(wanted_events);
    for (const Event& event : batch->events()) {
      const bool wants_it = event.topic_id == 0 ? matches(view(event.topic)) : matched_[event.topic_id] == Match::yes;
      if (wants_it) wanted.push_back(event.index);
    }
  }
  if (wait_for_room) {
    queue_.push_when_room(batch, std::move(wanted));
  } else {
    queue_.push(batch, std::move(wanted));
  }
}

void Bus::replace(const std::shared_ptr<Subscriber>& old, const std::shared_ptr<Subscriber>& fresh) {
  std::shared_ptr<const List> before;
  {
    const std::lock_guard lock(mutex_);
    auto list = std::make_shared<List>(*subscribers_);
    std::erase(*list, old);
    if (fresh) list->push_back(fresh);
    before = std::exchange(subscribers_, std::move(list));
  }
  if (!old) return;
  // Whoever publishes by the list before holds a reference to it, for microseconds.
  while (before.use_count() > 1) std::this_thread::yield();
}

std::shared_ptr<const Bus::List> Bus::subscribers() {
  const std::lock_guard lock(mutex_);
  return subscribers_;
}

void Bus::offer(const BatchRef& batch, const Subscriber* publisher, bool wait_for_room) {
  const auto list = subscribers();
  for (const auto& subscriber : *list) {
    if (subscriber.get() != publisher) subscriber->offer(batch, wait_for_room);
  }
}

void Bus::end_waiting() {
  const auto list = subscribers();
  for (const auto& subscriber : *list) subscriber->end_waiting();
}

bool Bus::wants_message(std::string_view topic, const Subscriber* publisher) {
  const auto list = subscribers();
  return std::any_of(list->begin(), list->end(), [&](const std::shared_ptr<Subscriber>& subscriber) {
    return subscriber.get() != publisher && subscriber->wants_message(topic);
  });
}

}  // namespace nfbus::host
