#include "trigger.hpp"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

namespace pcapsink {
namespace {

// An attacker who triggers with made-up addresses must not fill the memory.
constexpr std::size_t kMaxActive = 16'384;
// What a copy costs beside its record.
constexpr std::size_t kCopyBytes = 1600;

}  // namespace

Trigger::Trigger(nfbus::Host host, nfbus::Match when, TriggerSettings settings)
    : host_(host),
      when_(std::move(when)),
      settings_(settings),
      unwritten_(host.counter("unwritten")),
      dropped_(host.counter("context_dropped")) {}

// Both directions of a conversation are one pair, so the smaller address comes first. The size in front keeps an IPv4
// pair apart from an IPv6 pair that begins with the same bytes.
Trigger::Pair Trigger::pair_of(nfbus::Event event) noexcept {
  Pair out{};
  std::span<const std::uint8_t> low = event.source_bytes();
  std::span<const std::uint8_t> high = event.destination_bytes();
  if (std::lexicographical_compare(high.begin(), high.end(), low.begin(), low.end())) std::swap(low, high);
  out[0] = static_cast<std::uint8_t>(low.size());
  std::copy(low.begin(), low.end(), out.begin() + 1);
  std::copy(high.begin(), high.end(), out.begin() + 17);
  return out;
}

void Trigger::judge(EventList events) {
  // A batch that was written in part comes again, with what has come since behind it. To judge an event twice would
  // count it twice against `after`, and hold it twice: its first verdict stands. Only its address is new.
  batch_size_ = events.size();
  const std::size_t again = std::min(judged_, events.size());
  for (std::size_t i = 0; i < picks_.size(); ++i) {
    if (!picks_[i].is_past && picks_[i].place < again) chosen_[i] = events[picks_[i].place];
  }
  for (std::size_t place = again; place < events.size(); ++place) judge_one(nfbus::Event(events[place]), place);
  judged_ = events.size();
}

// Four ends: unwanted and not worth holding; held, since a later packet may ask for it; written, since it matters; or
// written, since one before it asked for those that follow. One that matters while others are wanted begins the count
// of those anew.
void Trigger::judge_one(nfbus::Event event, std::size_t place) {
  const Pair pair = pair_of(event);
  const bool matters = when_(event);
  const auto found = flows_.find(pair);
  if (!matters && found == flows_.end() && settings_.before == 0) return unwritten_.add();
  Flow& flow = found != flows_.end() ? found->second : flows_[pair];
  if (!matters && flow.wanted == 0) return hold(pair, flow, event);
  if (matters) pick_past(flow, place);
  chosen_.push_back(event.raw());
  picks_.push_back({.place = place, .is_past = false});
  set_wanted(pair, flow, matters ? settings_.after : flow.wanted - 1);
  forget_if_idle(pair);
}

// The held copies come before the event that asks for them, in their order. They belong to no place of the batch: that
// event is not settled before they are written.
void Trigger::pick_past(Flow& flow, std::size_t place) {
  for (const auto held : flow.held) {
    held_bytes_ -= held->size_bytes;
    chosen_.push_back(held->copy.event().raw());
    picks_.push_back({.place = place, .is_past = true});
    past_.push_back(std::move(held->copy));
    held_.erase(held);
  }
  flow.held.clear();
}

// A flow stands in active_ as long as more of it is wanted. Past the bound the one that has been active for longest
// loses its claim: made-up addresses push each other out, and a flow that matters again comes to the end of the list.
void Trigger::set_wanted(const Pair& pair, Flow& flow, std::size_t wanted) {
  if (flow.wanted == 0 && wanted != 0) {
    flow.active = active_.insert(active_.end(), pair);
  } else if (flow.wanted != 0 && wanted == 0) {
    active_.erase(flow.active);
  }
  flow.wanted = wanted;
  if (active_.size() <= kMaxActive) return;
  const Pair oldest = active_.front();
  set_wanted(oldest, flows_[oldest], 0);
  if (oldest != pair) forget_if_idle(oldest);
}

// Bounded twice: for each pair by number, whose oldest then count as not wanted, and over all pairs by bytes, where the
// oldest of all goes, whichever pair it is of, and counts as dropped: somebody may still have asked for that one.
void Trigger::hold(const Pair& pair, Flow& flow, nfbus::Event event) {
  const std::size_t size_bytes = event.raw()->record.size + kCopyBytes;
  const auto drop = [&] {
    dropped_.add();
    forget_if_idle(pair);
  };
  if (size_bytes > settings_.context_bytes) return drop();
  try {
    held_.push_back({.pair = pair, .copy = host_.copy(event), .size_bytes = size_bytes});
  } catch (const std::bad_alloc&) {
    return drop();
  }
  held_bytes_ += size_bytes;
  flow.held.push_back(std::prev(held_.end()));
  if (flow.held.size() > settings_.before) drop_oldest_of(flow, unwritten_);
  while (held_bytes_ > settings_.context_bytes) {
    const Pair oldest = held_.front().pair;
    drop_oldest_of(flows_[oldest], dropped_);
    forget_if_idle(oldest);
  }
}

void Trigger::drop_oldest_of(Flow& flow, const nfbus::Counter& counter) {
  held_bytes_ -= flow.held.front()->size_bytes;
  held_.erase(flow.held.front());
  flow.held.pop_front();
  counter.add();
}

void Trigger::forget_if_idle(const Pair& pair) {
  const auto found = flows_.find(pair);
  if (found != flows_.end() && found->second.held.empty() && found->second.wanted == 0) flows_.erase(found);
}

// The sink counts in what was chosen, the host in events of the batch. The first event that was chosen and not written
// stops the count: all before it are settled, also those that were not chosen. What is left moves to the front, as the
// host will bring it.
std::size_t Trigger::settle(std::size_t written) {
  const std::size_t settled = written < picks_.size() ? picks_[written].place : batch_size_;
  const auto past = std::count_if(picks_.begin(), picks_.begin() + static_cast<std::ptrdiff_t>(written),
                                  [](const Pick& pick) { return pick.is_past; });
  past_.erase(past_.begin(), past_.begin() + past);
  picks_.erase(picks_.begin(), picks_.begin() + static_cast<std::ptrdiff_t>(written));
  chosen_.erase(chosen_.begin(), chosen_.begin() + static_cast<std::ptrdiff_t>(written));
  for (Pick& pick : picks_) pick.place -= settled;
  judged_ = batch_size_ - settled;
  return settled;
}

void Trigger::close() {
  unwritten_.add(held_.size() + past_.size());
  picks_.clear();
  chosen_.clear();
  past_.clear();
  flows_.clear();
  active_.clear();
  held_.clear();
  held_bytes_ = 0;
}

}  // namespace pcapsink
