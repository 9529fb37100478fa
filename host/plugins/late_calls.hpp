// Calls that a plugin makes after its instance has ended, from threads that it should have ended in destroy().
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

namespace nfbus::host {

// Lets calls of any thread in until it is closed.
class Gate {
 public:
  // True: leave() must follow.
  [[nodiscard]] bool enter() noexcept {
    inside_.fetch_add(1);
    if (!closed_) return true;
    leave();
    return false;
  }
  void leave() noexcept { inside_.fetch_sub(1); }
  // Waits for those inside.
  void close() noexcept;
  // For calls that come from the thread which closes, or none.
  [[nodiscard]] bool is_closed() const noexcept { return closed_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint32_t> inside_{0};
  std::atomic<bool> closed_{false};
};

// Keeps it until the process ends: a late call may come at any time.
void keep_for_late_calls(std::shared_ptr<void> state);

}  // namespace nfbus::host
