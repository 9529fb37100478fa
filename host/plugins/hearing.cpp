#include "plugins/hearing.hpp"

#include <algorithm>

namespace nfbus::host {

namespace {
thread_local Hearing* current = nullptr;  // the innermost of this thread
}

Hearing::Hearing(std::span<const nfbus_event* const> events) noexcept : events_(events), outer_(current) {
  current = this;
}

Hearing::~Hearing() { current = outer_; }

Hearing::Answer Hearing::next_answer() noexcept { return current == nullptr ? Answer{} : current->answer(); }

void Hearing::count_heard() noexcept {
  counted_ = true;
  if (events_.empty() || events_.front()->kind != NFBUS_EVENT_MESSAGE) return;
  unsigned most = 0;
  for (const nfbus_event* event : events_) {
    const MessageOrigin origin = host_event(*event).batch->origin();
    const unsigned hops = std::min<unsigned>(origin.hops, kMostHops);
    ++unanswered_.at(hops);
    if (hops < most) continue;
    most = hops;
    heard_from_ = origin.publisher;
  }
}

Hearing::Answer Hearing::answer() noexcept {
  if (!counted_) count_heard();
  // Answers beyond the number of those heard count as the last of them.
  auto* const next =
      std::find_if(unanswered_.begin(), unanswered_.end(), [](std::uint32_t count) { return count != 0; });
  if (next != unanswered_.end()) {
    --*next;
    last_hops_ = static_cast<unsigned>(next - unanswered_.begin());
  }
  return {.hops = last_hops_ + 1, .heard_from = heard_from_};
}

}  // namespace nfbus::host
