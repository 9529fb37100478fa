#include "rotation.hpp"

namespace pcapsink {

Room Rotation::room(std::uint64_t size_bytes, std::uint64_t packets) const noexcept {
  Room room{.take_one = packets == 0};
  if (limits_.size_bytes != 0) room.size_bytes = limits_.size_bytes > size_bytes ? limits_.size_bytes - size_bytes : 0;
  if (limits_.packets != 0) room.packets = limits_.packets > packets ? limits_.packets - packets : 0;
  return room;
}

bool Rotation::too_old(std::uint64_t packets, std::int64_t now_ns) const noexcept {
  return limits_.age_s != 0 && packets != 0 && now_ns - birth_ns_ >= limits_.age_s * 1'000'000'000;
}

}  // namespace pcapsink
