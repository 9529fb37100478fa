#include "capture/chunk.hpp"

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

// Large enough to be cheap, small enough that the events fit beside it in the slab.
constexpr std::size_t kChunkBytes = 128UL << 10U;
constexpr std::size_t kChunkPackets = 1024;

}  // namespace

RecordChunk::RecordChunk(Intake& intake) : intake_(intake) { beside_.reserve(kChunkPackets); }

void RecordChunk::append(CapturedFrame frame, std::string_view interface_name) {
  frame.bytes = frame.bytes.first(std::min(frame.bytes.size(), kMaxFrameBytes));
  const std::size_t need = frame.bytes.size() + kMessageOverheadBytes;
  if (beside_.size() == kChunkPackets || (used_bytes_ != 0 && used_bytes_ + need > kChunkBytes)) publish();
  if (used_bytes_ == 0) slab_ = intake_.reserve(std::max(need, kChunkBytes));
  used_bytes_ += write_message(frame, intake_.writer().room().subspan(used_bytes_));
  beside_.push_back({.time_ns = frame.time_ns, .interface_name = interface_name});
}

void RecordChunk::publish() {
  if (beside_.empty()) return;
  const Datagram datagram(intake_.writer().room().first(used_bytes_));
  intake_.writer().commit(used_bytes_);
  // Each record has its time, so there is no time of receipt.
  intake_.take(std::exchange(slab_, {}), std::span(&datagram, 1), 0, beside_);
  beside_.clear();
  used_bytes_ = 0;
  intake_.tick_filters();
}

}  // namespace nfbus::host
