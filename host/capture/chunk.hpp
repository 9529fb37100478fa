// Records that come one by one, gathered into a slab until they make a batch that is worth its cost.
#pragma once

#include "capture/frame.hpp"
#include "capture/intake.hpp"
#include "event/slab.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Thread safety: none; on the thread of its intake, which it is the only one to reserve() of.
class RecordChunk {
 public:
  // No record of ours can be larger: a payload attribute ends at 64 KiB. Nor does any tool write larger DLT_NFLOG
  // frames.
  static constexpr std::size_t kMaxFrameBytes = 256UL << 10U;

  // intake outlives it.
  explicit RecordChunk(Intake& intake);

  // Adds a frame, cut to kMaxFrameBytes, as write_message() says; publishes those before it when there is no room for
  // it beside them. Its time is the event's, whatever a DLT_NFLOG frame says. interface_name: of the interface that it
  // came in by or, if by none, left by; empty: it is not known. Valid until the next publish().
  void append(CapturedFrame frame, std::string_view interface_name = {});
  // Publishes what has been gathered, and ticks the filters that are due: by the clock, since the events' times may lie
  // anywhere.
  void publish();

 private:
  Intake& intake_;
  // In the writer's uncommitted room:
  SlabRef slab_;
  std::size_t used_bytes_ = 0;
  std::vector<Beside> beside_;
};

}  // namespace nfbus::host
