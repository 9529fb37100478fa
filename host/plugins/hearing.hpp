// Counts how many plugins a message came through one after the other, so that a loop of them ends.
#pragma once

#include "event/batch.hpp"

#include <nfbus/abi.h>

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host {

// A message of more hops is refused. An honest chain is shorter: a plugin that sums up, one that looks at the sums.
inline constexpr std::uint8_t kMostHops = 8;

// Lives on the stack of a call that hands events to a plugin: what its thread publishes until then answers them. The
// k-th answer counts one hop more than the k-th of them, the fewest first: one summary of many messages counts little.
// A message that is alone in its call, or among others that came as far, comes round no more than kMostHops times;
// where fresh ones share its call, an answer counts as theirs, and a loop lasts as long as they keep coming. Nothing is
// looked at before something is published. Thread safety: none; what another thread publishes answers nothing.
class Hearing {
 public:
  // events: all of one kind, alive as long as this.
  explicit Hearing(std::span<const nfbus_event* const> events) noexcept;
  Hearing(const Hearing&) = delete;
  Hearing& operator=(const Hearing&) = delete;
  ~Hearing();

  struct Answer {
    unsigned hops = 0;            // of what is published now
    std::string_view heard_from;  // who published the one of most hops that was heard; empty: no plugin
  };
  // [any] For the next message that this thread publishes.
  [[nodiscard]] static Answer next_answer() noexcept;

 private:
  void count_heard() noexcept;
  [[nodiscard]] Answer answer() noexcept;

  const std::span<const nfbus_event* const> events_;
  Hearing* const outer_;
  bool counted_ = false;
  std::array<std::uint32_t, kMostHops + 1> unanswered_{};  // by hops
  unsigned last_hops_ = 0;                                 // of the one that was answered last
  std::string_view heard_from_;
};

}  // namespace nfbus::host
