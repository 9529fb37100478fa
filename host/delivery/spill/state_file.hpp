// The file `state` of a spill folder: two slots, written by turns, so that one is whole whatever happens.
#pragma once

#include "delivery/spill/files.hpp"
#include "delivery/spill/format.hpp"

#include <nfbus/result.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace nfbus::host::spill {

enum class StateFound : std::uint8_t {
  none = 1,  // no file, or nothing was written to it
  whole,
  one_slot,  // the other one is damaged, and may have been the newer
  broken,    // neither checks, but it was one of ours
  foreign,   // of another version
  strange,   // not one of ours
};

struct StateLook {
  StateFound found = StateFound::none;
  StateSlot slot;             // of whole and one_slot: the newest
  std::uint32_t version = 0;  // of foreign
};

// [any] Reads alone. `path`: the folder's, for the error.
[[nodiscard]] Result<StateLook> look_at_state(Files& files, int folder, const std::string& path);

// Thread safety: none; the store's publishing lock guards it.
class StateFile {
 public:
  // Makes the file where it is missing, and writes `slot` to both places. `files` must outlive it.
  [[nodiscard]] static Result<StateFile> open(Files& files, int folder, const std::string& path, StateSlot& slot);
  // One write. A failure leaves the last state that was written. Sets slot.generation.
  [[nodiscard]] Result<void> write(StateSlot& slot);
  // Forces what was written to the disk. After a failure the next write() makes the file's pages new.
  [[nodiscard]] Result<void> sync();

 private:
  StateFile(Files& files, Handle file, std::string path)
      : files_(&files), file_(std::move(file)), path_(std::move(path)) {}

  Files* files_;
  Handle file_;
  std::string path_;
  std::uint64_t generation_ = 0;  // of the last one written
  bool dirty_ = false;
  std::array<std::uint8_t, kSlotBytes> bytes_{};
};

}  // namespace nfbus::host::spill
