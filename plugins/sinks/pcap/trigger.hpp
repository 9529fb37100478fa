// Which packets are written when only those that matter are, with what went before and came after them between the same
// two addresses.
#pragma once

#include "encoder.hpp"

#include <nfbus/host.hpp>
#include <nfbus/match.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pcapsink {

struct TriggerSettings {
  std::size_t before = 20;  // packets of the same two addresses
  std::size_t after = 50;
  std::size_t context_bytes = 16UL << 20U;  // of all packets that are held
};

// Holds copies of packets that may be asked for; in all not more than context_bytes: the oldest go first. Packets
// without addresses are one pair of their own. Thread safety: none; [worker].
class Trigger {
 public:
  Trigger(nfbus::Host host, nfbus::Match when, TriggerSettings settings);

  // Judges a batch. Events that an earlier call judged, and that settle() left open, must come first; they are not
  // judged again.
  void judge(EventList events);
  // What is to be written, in this order: packets of the past and of the batch. Valid until settle().
  [[nodiscard]] EventList chosen() const noexcept { return chosen_; }
  // The place in the batch of one that was chosen; nowhere: it is of the past.
  static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
  [[nodiscard]] std::size_t place(std::size_t index) const noexcept {
    return picks_[index].is_past ? kNowhere : picks_[index].place;
  }
  // So many of the chosen are written or refused. How many events of the batch are settled by that.
  std::size_t settle(std::size_t written);
  // No event comes any more: what is held is not asked for.
  void close();

 private:
  // Two addresses, the smaller first.
  using Pair = std::array<std::uint8_t, 33>;
  struct Hash {
    std::size_t operator()(const Pair& pair) const noexcept {
      return std::hash<std::string_view>()({reinterpret_cast<const char*>(pair.data()), pair.size()});
    }
  };
  struct Held {
    Pair pair;
    nfbus::EventCopy copy;
    std::size_t size_bytes;
  };
  struct Flow {
    std::deque<std::list<Held>::iterator> held;  // oldest first
    std::size_t wanted = 0;                      // packets still to be written
    std::list<Pair>::iterator active;            // in active_, when wanted is not 0
  };
  struct Pick {
    std::size_t place;  // in the batch; of the event that asked for it
    bool is_past;
  };

  static Pair pair_of(nfbus::Event event) noexcept;
  void judge_one(nfbus::Event event, std::size_t place);
  void pick_past(Flow& flow, std::size_t place);
  void set_wanted(const Pair& pair, Flow& flow, std::size_t wanted);
  void hold(const Pair& pair, Flow& flow, nfbus::Event event);
  void drop_oldest_of(Flow& flow, const nfbus::Counter& counter);
  void forget_if_idle(const Pair& pair);

  const nfbus::Host host_;
  const nfbus::Match when_;
  const TriggerSettings settings_;
  const nfbus::Counter unwritten_;
  const nfbus::Counter dropped_;
  std::list<Held> held_;  // of all pairs, oldest first
  std::size_t held_bytes_ = 0;
  std::list<Pair> active_;  // that more packets are wanted of, the oldest first
  std::unordered_map<Pair, Flow, Hash> flows_;
  // Of the batch.
  std::size_t batch_size_ = 0;
  std::vector<const nfbus_event*> chosen_;
  std::vector<Pick> picks_;            // one for each of chosen_
  std::deque<nfbus::EventCopy> past_;  // those of chosen_ that are of the past
  std::size_t judged_ = 0;             // so many events of the next batch were judged
};

}  // namespace pcapsink
