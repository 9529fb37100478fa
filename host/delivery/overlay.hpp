// Holds what a sink's own filters change, private to its worker: the frozen batch stays as it is.
#pragma once

#include "event/event.hpp"
#include "rewrite/edits.hpp"
#include "support/kept_memory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace nfbus::host {

// Stand-ins for events of frozen batches. They and their memory live until clear(), which keeps memory for the next.
// Thread safety: none; owned by the worker.
class Overlay final : public EditRoom {
 public:
  [[nodiscard]] Event& writable(const nfbus_event& event) override;
  [[nodiscard]] std::span<std::uint8_t> allocate(std::size_t size_bytes) override {
    return memory_.allocate(size_bytes);
  }
  void clear() noexcept;

 private:
  std::vector<std::unique_ptr<Event>> events_;
  std::size_t used_events_ = 0;
  KeptMemory memory_{64UL * 1024};
};

}  // namespace nfbus::host
