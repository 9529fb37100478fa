#include "delivery/spill/state_file.hpp"

#include "delivery/spill/crash_point.hpp"
#include "support/system_error.hpp"

#include <algorithm>
#include <cerrno>
#include <span>
#include <utility>
#include <vector>

namespace nfbus::host::spill {

namespace {

constexpr const char* kName = "state";

using SlotBytes = std::span<const std::uint8_t, kSlotBytes>;

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::ranges::all_of(bytes, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

Result<StateLook> look_at_state(Files& files, int folder, const std::string& path) {
  const Handle file(files, files.open(folder, kName, Open::look));
  if (!file.valid()) {
    if (errno == ENOENT) return StateLook{};
    return system_error("cannot open " + path + "/" + kName);
  }
  std::vector<std::uint8_t> bytes(2 * kSlotBytes);
  const ssize_t got = read_all(files, file.get(), bytes.data(), bytes.size(), 0);
  if (got < 0) return system_error("cannot read " + path + "/" + kName);
  StateLook look;
  if (all_zero(bytes)) return look;
  int damaged = 0;
  bool ours = false;
  for (const SlotBytes slot : {SlotBytes(bytes.data(), kSlotBytes), SlotBytes(bytes.data() + kSlotBytes, kSlotBytes)}) {
    StateSlot read;
    std::uint32_t version = 0;
    ours = ours || begins_as_state(slot);
    switch (get_state_slot(slot, read, version)) {
      case Verdict::foreign:
        look.found = StateFound::foreign;
        look.version = version;
        return look;
      case Verdict::damaged: ++damaged; break;
      case Verdict::good:
        if (look.found == StateFound::none || read.generation > look.slot.generation) look.slot = std::move(read);
        look.found = StateFound::whole;
        break;
    }
  }
  // A crash before the second write leaves the other one empty: that is no damage.
  if (damaged == 1 && look.slot.generation > 1) look.found = StateFound::one_slot;
  if (damaged == 2) look.found = ours ? StateFound::broken : StateFound::strange;
  return look;
}

Result<StateFile> StateFile::open(Files& files, int folder, const std::string& path, StateSlot& slot) {
  Handle file(files, files.open(folder, kName, Open::take));
  const std::string name = path + "/" + kName;
  if (!file.valid()) return system_error("cannot open " + name);
  StateFile state(files, std::move(file), name);
  state.generation_ = slot.generation;
  // The one that is not the newest first.
  for (int i = 0; i < 2; ++i) {
    if (auto written = state.write(slot); !written) return std::move(written).error();
  }
  return state;
}

Result<void> StateFile::write(StateSlot& slot) {
  slot.generation = generation_ + 1;
  put_state_slot(slot, bytes_);
  crash_point("state_write");
  if (write_all(*files_, file_.get(), bytes_.data(), bytes_.size(), slot.generation % 2 * kSlotBytes) != 0)
    return system_error("cannot write " + path_);
  crash_point("state_written");
  generation_ = slot.generation;
  dirty_ = true;
  return {};
}

Result<void> StateFile::sync() {
  if (!dirty_) return {};
  dirty_ = false;  // after a failure, too: the same pages are never forced again
  if (files_->fdatasync(file_.get()) != 0) return system_error("cannot force " + path_ + " to the disk");
  crash_point("state_synced");
  return {};
}

}  // namespace nfbus::host::spill
