// When a file is full or old, and its renaming: FILE becomes FILE.1, the newest, up to FILE.N, the oldest.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/output_place.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace jsonl {

struct RotationLimits {
  std::uint64_t size_bytes = 0;  // a file gets no line beyond it, but for one that is longer by itself; 0: no limit
  std::int64_t age_s = 0;        // 0: no limit
  unsigned keep = 1;             // old files that stay, at least 1
};

// Thread safety: none. now_ns: CLOCK_REALTIME, as the birth times of files are.
class Rotation {
 public:
  explicit Rotation(RotationLimits limits) : limits_(limits) {}

  [[nodiscard]] bool by_age() const noexcept { return limits_.age_s != 0; }
  [[nodiscard]] bool enabled() const noexcept { return limits_.size_bytes != 0 || by_age(); }

  // A file was opened that came into being then.
  void opened(std::int64_t birth_ns) noexcept { birth_ns_ = birth_ns; }

  // How many bytes of `lines` go into a file of that size before it is full: whole lines. 0: it is full. An empty file
  // takes one line at least.
  [[nodiscard]] std::size_t fit(std::string_view lines, std::uint64_t file_size_bytes,
                                std::int64_t now_ns) const noexcept;
  // Whether the file is too old. An empty one never is.
  [[nodiscard]] bool too_old(std::uint64_t file_size_bytes, std::int64_t now_ns) const noexcept;

  // Puts an empty file in the place of `current`, to which the path leads unless somebody moved it away, and which is
  // locked, and gives it, locked, too. It is made before anything is renamed. On failure no file is lost, and `current`
  // is what stands there; the text names the cause and the fix, and neither limit holds for 10 s, so that lines go on
  // into the same file.
  nfbus::Result<nfbus::util::Descriptor> rotate(const std::string& path, const nfbus::util::Descriptor& current,
                                                std::int64_t now_ns);

 private:
  [[nodiscard]] bool held_off(std::int64_t now_ns) const noexcept;
  nfbus::Result<void> move_up(const nfbus::util::OutputPlace& place) const;

  const RotationLimits limits_;
  std::int64_t birth_ns_ = 0;
  std::int64_t failed_ns_ = 0;  // 0: the last rotation went well
};

}  // namespace jsonl
