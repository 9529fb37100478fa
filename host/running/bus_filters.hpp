// The filters of [bus]: what they drop, no client of the socket gets.
#pragma once

#include "bus/bus.hpp"
#include "bus/server/packet_filters.hpp"
#include "config/config.hpp"
#include "delivery/filter_chain.hpp"
#include "delivery/overlay.hpp"
#include "support/mutex.hpp"

#include <nfbus/result.hpp>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <vector>

namespace nfbus::host {

// One chain for all clients, which the server's thread runs; what it changes is seen by clients alone. A reload hands
// that thread another one.
// Thread safety: open(), set_waker() and replace() [control]; snapshots() from any thread; the rest the server's.
class BusFilters final : public PacketFilters {
 public:
  // bus: brings the messages that filters listen to; outlives this.
  explicit BusFilters(Bus& bus) : bus_(bus) {}
  ~BusFilters() override;

  // Before the server starts. configs, code: of what the chain was made. An error names the filter.
  Result<void> open(std::vector<FilterConfig> configs, std::vector<const nfbus_plugin*> code, FilterChain chain);
  // wake: has the server look at next_tick(); [any].
  void set_waker(std::function<void()> wake);
  // [control]
  [[nodiscard]] const std::vector<FilterConfig>& configs() const noexcept { return configs_; }
  [[nodiscard]] const std::vector<const nfbus_plugin*>& code() const noexcept { return code_; }
  // Opens the chain, and has the server's thread finish the old one and go on with this. Waits for it half a second at
  // most; it will be so later then. An error leaves all as it was.
  Result<void> replace(std::vector<FilterConfig> configs, std::vector<const nfbus_plugin*> code, FilterChain chain);
  [[nodiscard]] std::vector<FilterSnapshot> snapshots() const;

  [[nodiscard]] bool any() const noexcept override { return any_.load(std::memory_order_relaxed); }
  void apply(std::vector<const nfbus_event*>& packets) override;
  void release() noexcept override { overlay_.clear(); }
  [[nodiscard]] Clock::time_point next_tick() const noexcept override;
  void tick(Clock::time_point now) override;
  void finish() override;

 private:
  void take_next();
  void listen(const FilterChain& chain);
  void end_listening(const FilterChain& chain);

  Bus& bus_;
  // Of [control]:
  std::function<void()> wake_;
  std::vector<FilterConfig> configs_;
  std::vector<const nfbus_plugin*> code_;
  // Of the server's thread:
  std::shared_ptr<FilterChain> running_;  // null: none
  Overlay overlay_;

  std::atomic<bool> any_{false};       // there is a chain to run, or to end
  std::atomic<bool> has_next_{false};  // next_ is to be taken
  mutable Mutex mutex_;
  Condition taken_;
  std::shared_ptr<FilterChain> shown_ NFBUS_GUARDED_BY(mutex_);  // the newest
  std::shared_ptr<FilterChain> next_ NFBUS_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<FilterChain>> ended_ NFBUS_GUARDED_BY(mutex_);  // to be destroyed by [control]
};

}  // namespace nfbus::host
