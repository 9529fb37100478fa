// The filters of one sink or one capture, in order.
#pragma once

#include "plugins/instance.hpp"
#include "support/repeat_guard.hpp"

#include <nfbus/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// What one filter instance has to tell of itself.
struct FilterSnapshot {
  std::string name;
  std::string plugin;
  std::uint64_t failures;                                  // calls that failed; their events were kept
  std::vector<std::pair<std::string, std::uint64_t>> own;  // counters that the plugin registered
};

// Thread safety: owned by the thread that calls apply(), which is [worker] to the filters; snapshots() from any.
class FilterChain {
 public:
  // Adds a field to an event; returns the event to go on with (the same one, or what stands for it).
  using Annotate =
      std::function<const nfbus_event*(const nfbus_event& event, std::string_view name, std::string_view value)>;

  explicit FilterChain(std::vector<std::unique_ptr<FilterInstance>> filters);

  [[nodiscard]] bool empty() const noexcept { return filters_.empty(); }
  // Removes from `items` what a filter drops; each filter sees only what those before it kept, with their fields. A
  // filter that fails keeps everything; that is logged. Returns how many were dropped.
  std::size_t apply(std::vector<const nfbus_event*>& items, const Annotate& annotate);
  [[nodiscard]] std::vector<FilterSnapshot> snapshots() const;

 private:
  struct Stage {
    std::unique_ptr<FilterInstance> filter;
    RepeatGuard complaints = RepeatGuard();
    std::unique_ptr<std::atomic<std::uint64_t>> failures = std::make_unique<std::atomic<std::uint64_t>>(0);
  };
  std::vector<Stage> filters_;
  std::vector<std::uint8_t> verdicts_;  // scratch
};

}  // namespace nfbus::host
