// What can be said of a sink's disk queue; the defaults are the configuration's.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace nfbus::host::spill {

// When what was written is forced to the disk: a crash of the process loses nothing of it in any case, a power cut
// does.
enum class Sync : std::uint8_t {
  interval = 1,  // each second or 4 MiB, and when a segment is complete
  always,        // before append() returns
  never,
};

enum class Mode : std::uint8_t {
  overflow = 1,  // what the memory has no room for is written
  always,        // all is written before it is delivered
};

struct Settings {
  std::string folder;                          // made with mode 0700 where it is missing, as are those above it
  std::string owner;                           // the sink's name: the folder of another is refused
  std::uint64_t max_bytes = 256UL << 20U;      // of all segments: beyond it the oldest goes
  std::chrono::seconds max_age{};              // records older than this go; 0: none
  std::uint64_t segment_bytes = 16UL << 20U;   // at most a quarter of max_bytes is used
  std::uint64_t min_free_bytes = 64UL << 20U;  // so much the file system keeps free
  Sync sync = Sync::interval;

  bool operator==(const Settings&) const = default;
};

// Where the disk queues of sinks are that name no folder of their own: one below it for each.
inline constexpr char kDefaultParent[] = "/var/lib/nfbus/spill";

}  // namespace nfbus::host::spill
