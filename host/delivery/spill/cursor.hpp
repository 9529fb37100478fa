// Reads the records of one segment, one behind the other, and finds on behind damage.
#pragma once

#include "delivery/spill/files.hpp"
#include "delivery/spill/format.hpp"
#include "delivery/spill/store.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace nfbus::host::spill {

// [any] Opens a segment and reads its head. Code::unsupported: of another version; Code::invalid: neither of its heads
// checks, or they cannot be read; Code::not_found; Code::busy: too many open files; Code::io: it cannot be opened.
struct OpenSegment {
  Handle file;
  SegmentHead head;
  Files::Status status;
};
[[nodiscard]] Result<OpenSegment> open_segment(Files& files, int folder, const std::string& path, std::uint64_t id,
                                               Open how);

// Where the records of a segment end that nobody writes to any more.
struct SegmentEnd {
  std::uint64_t offset;            // behind them; the file's end where it has no footer
  std::optional<Footer> footer{};  // whole
  bool damaged_footer = false;
};
// [any] Nothing: an I/O error.
[[nodiscard]] std::optional<SegmentEnd> segment_end(Files& files, const OpenSegment& segment);

enum class Found : std::uint8_t {
  record = 1,
  end,   // nothing more up to the limit
  load,  // call load(), then ask again
};

// A damaged place: what is wrong with the record (or with what stands in its place) at this offset.
using OnDamage = std::function<void(std::uint64_t offset, const std::string& what)>;

// Thread safety: none.
class Cursor {
 public:
  // Begins with the record `next` at `offset`, which may be a mistake: then it is damage. `file` stays the caller's.
  Cursor(Files& files, int file, std::uint64_t seed, std::uint64_t offset, std::uint64_t next)
      : files_(&files), file_(file), seed_(seed), offset_(offset), window_at_(offset), next_(next) {}

  // No byte from here on is looked at.
  void set_limit(std::uint64_t limit) noexcept { limit_ = limit; }
  [[nodiscard]] std::uint64_t limit() const noexcept { return limit_; }
  void set_on_damage(OnDamage on_damage) { on_damage_ = std::move(on_damage); }

  // The next whole record, without passing it; its body is valid until load(). Passes what is damaged before it.
  [[nodiscard]] Found look(Record& record);
  void pass() noexcept;
  // False: an I/O error, with errno.
  [[nodiscard]] bool load();

  // Of the record that look() found, or of what comes next.
  [[nodiscard]] std::uint64_t offset() const noexcept { return offset_; }
  // The number behind the last head that checked.
  [[nodiscard]] std::uint64_t next_number() const noexcept { return next_; }
  // Behind the last record whose head checked and that lies before the limit as a whole.
  [[nodiscard]] std::uint64_t known_end() const noexcept { return known_end_; }
  // The last record before known_end(), when only its body is damaged.
  [[nodiscard]] std::optional<std::uint64_t> damaged_last() const noexcept { return damaged_last_; }

 private:
  [[nodiscard]] bool plausible(const RecordHead& head) const noexcept;
  [[nodiscard]] Found scan();
  void damage(std::uint64_t offset, const char* what) const;

  Files* files_;
  int file_;
  std::uint64_t seed_;
  std::uint64_t limit_ = 0;
  std::uint64_t offset_;     // in the file, of what is looked at next
  std::uint64_t window_at_;  // in the file, of the window's first byte
  std::vector<std::uint8_t> window_;
  std::size_t filled_ = 0;  // bytes of the window
  std::size_t wanted_ = 0;  // so many bytes from offset_ on must be loaded
  std::uint64_t next_;
  std::uint64_t scan_from_ = 0;   // 0: not scanning
  std::size_t record_bytes_ = 0;  // of the one that look() found
  std::uint64_t known_end_ = 0;
  std::optional<std::uint64_t> damaged_last_;
  OnDamage on_damage_;
};

}  // namespace nfbus::host::spill
