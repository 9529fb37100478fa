// What the server asks of the filters that packets pass before they go to clients.
#pragma once

#include <nfbus/abi.h>

#include <chrono>
#include <cstddef>
#include <vector>

namespace nfbus::host {

// Thread safety: the server's thread, from its start to its end.
class PacketFilters {
 public:
  using Clock = std::chrono::steady_clock;

  PacketFilters() = default;
  PacketFilters(const PacketFilters&) = delete;
  PacketFilters& operator=(const PacketFilters&) = delete;
  virtual ~PacketFilters() = default;

  // Returns whether there are any: else packets go to clients as they are, and apply() is not called.
  [[nodiscard]] virtual bool any() const noexcept = 0;
  // packets: of one frozen batch. Removes those that a filter drops, and puts what one changed in their place, as an
  // Event that is valid until release(). A filter that fails keeps all.
  virtual void apply(std::vector<const nfbus_event*>& packets) = 0;
  // The lines of what apply() left are made.
  virtual void release() noexcept = 0;
  // When tick() has something to do; time_point::max(): nothing. Earlier only after the server was woken.
  [[nodiscard]] virtual Clock::time_point next_tick() const noexcept = 0;
  virtual void tick(Clock::time_point now) = 0;
  // Once, when no packet will come any more.
  virtual void finish() = 0;
};

}  // namespace nfbus::host
