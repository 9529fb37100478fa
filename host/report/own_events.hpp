// Makes what the host itself says on the bus, as JSON: nfbus:loss and nfbus:sink.
#pragma once

#include "capture/source.hpp"
#include "delivery/sink_worker.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Notices packets that the kernel's groups lost. Thread safety: none.
class LossReporter {
 public:
  // The event for the groups that have lost packets since the last call: `new` of them, `lost` ever. Empty: none has.
  [[nodiscard]] std::string new_losses(const std::vector<CaptureSnapshot>& groups);

 private:
  std::map<std::uint16_t, std::uint64_t> reported_;
};

// [any] A sink's state has changed; why: empty where nothing went wrong.
[[nodiscard]] std::string sink_event(std::string_view name, std::string_view plugin, SinkState state,
                                     std::string_view why);

}  // namespace nfbus::host
