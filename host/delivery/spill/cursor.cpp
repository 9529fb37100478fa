#include "delivery/spill/cursor.hpp"

#include "support/system_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

namespace nfbus::host::spill {

namespace {

constexpr std::size_t kWindowBytes = std::size_t{256} << 10U;
constexpr std::size_t kKeepWindowBytes = std::size_t{1} << 20U;  // a larger one goes with the record that needed it

}  // namespace

Result<OpenSegment> open_segment(Files& files, int folder, const std::string& path, std::uint64_t id, Open how) {
  const std::string name = path + "/" + segment_name(id);
  OpenSegment out;
  out.file = Handle(files, files.open(folder, segment_name(id), how));
  if (!out.file.valid()) {
    const int reason = errno;
    const bool later = reason == EMFILE || reason == ENFILE || reason == ENOMEM;
    return system_error("cannot open " + name, reason,
                        reason == ENOENT ? Code::not_found
                        : later          ? Code::busy
                                         : Code::io);
  }
  if (files.status(out.file.get(), out.status) != 0) return system_error("cannot look at " + name);
  std::array<std::uint8_t, kHeadBytes> bytes{};
  if (read_all(files, out.file.get(), bytes.data(), bytes.size(), 0) < 0)
    return system_error("cannot read " + name, errno, Code::invalid);
  std::uint32_t version = 0;
  switch (get_segment_head(bytes, out.head, version)) {
    case Verdict::foreign:
      return Error{
          .code = Code::unsupported,
          .text = fmt::format("{} is of version {}, this nfbus reads version {}", name, version, kFormatVersion)};
    case Verdict::damaged: return Error{.code = Code::invalid, .text = name + " begins with no whole head"};
    case Verdict::good: break;
  }
  if (out.head.id != id)
    return Error{.code = Code::invalid, .text = fmt::format("{} was written as {}", name, segment_name(out.head.id))};
  return out;
}

std::optional<SegmentEnd> segment_end(Files& files, const OpenSegment& segment) {
  const std::uint64_t size = segment.status.bytes;
  if (size < kHeadBytes + kFooterBytes) return SegmentEnd{.offset = std::max<std::uint64_t>(size, kHeadBytes)};
  const std::uint64_t offset = size - kFooterBytes;
  std::array<std::uint8_t, kFooterBytes> bytes{};
  if (read_all(files, segment.file.get(), bytes.data(), bytes.size(), offset) < 0) return std::nullopt;
  const auto footer = get_footer(bytes, segment.head.seed);
  if (footer && footer->offset == offset && footer->id == segment.head.id)
    return SegmentEnd{.offset = offset, .footer = footer};
  if (was_footer(bytes, segment.head, offset)) return SegmentEnd{.offset = offset, .damaged_footer = true};
  return SegmentEnd{.offset = size};
}

void Cursor::damage(std::uint64_t offset, const char* what) const {
  if (on_damage_) on_damage_(offset, what);
}

// Numbers are consecutive in a segment; behind damage so many may be missing as had room in it.
bool Cursor::plausible(const RecordHead& head) const noexcept {
  if (head.size > limit_ - offset_ - kRecordHeadBytes) return false;
  if (scan_from_ == 0) return head.number == next_;
  return head.number >= next_ && head.number - next_ <= (offset_ - scan_from_) / kRecordHeadBytes;
}

Found Cursor::look(Record& record) {
  for (;;) {
    if (offset_ >= limit_) return Found::end;
    if (limit_ - offset_ < kRecordHeadBytes) {
      if (scan_from_ == 0) damage(offset_, "the record's head is cut off");
      offset_ = limit_;
      return Found::end;
    }
    if (offset_ + kRecordHeadBytes > window_at_ + filled_) {
      wanted_ = kRecordHeadBytes;
      return Found::load;
    }
    const std::uint8_t* at = window_.data() + (offset_ - window_at_);
    const auto head = get_record_head(seed_, at);
    if (!head || !plausible(*head)) {
      if (scan_from_ == 0) {
        const bool cut = head && head->number == next_;
        damage(offset_, cut ? "the record is cut off" : "the record's head is damaged");
        scan_from_ = offset_;
      }
      ++offset_;
      if (scan() == Found::load) return Found::load;
      continue;
    }
    record_bytes_ = kRecordHeadBytes + head->size;
    if (offset_ + record_bytes_ > window_at_ + filled_) {
      wanted_ = record_bytes_;
      return Found::load;
    }
    scan_from_ = 0;
    known_end_ = offset_ + record_bytes_;
    if (body_checks(*head, at + kRecordHeadBytes)) {
      record = {.number = head->number, .kind = head->kind, .body = {at + kRecordHeadBytes, head->size}};
      damaged_last_.reset();
      next_ = head->number;
      return Found::record;
    }
    damage(offset_, "the record's body is damaged");
    damaged_last_ = offset_;
    next_ = head->number;
    pass();
  }
}

// Moves on to what may be a head. Found::load: nothing in the window may be one.
Found Cursor::scan() {
  const std::uint64_t loaded = std::min(window_at_ + filled_, limit_);
  while (offset_ + kRecordHeadBytes <= loaded) {
    if (may_be_record_head(window_.data() + (offset_ - window_at_))) return Found::record;
    ++offset_;
  }
  if (limit_ - offset_ < kRecordHeadBytes) return Found::end;
  wanted_ = kRecordHeadBytes;
  return Found::load;
}

void Cursor::pass() noexcept {
  offset_ += record_bytes_;
  record_bytes_ = 0;
  ++next_;
}

bool Cursor::load() {
  const std::uint64_t skipped = std::min<std::uint64_t>(offset_ - window_at_, filled_);
  filled_ -= static_cast<std::size_t>(skipped);
  if (filled_ != 0) std::memmove(window_.data(), window_.data() + skipped, filled_);
  window_at_ = offset_;
  const std::size_t size = std::max({kWindowBytes, wanted_, filled_});
  if (window_.size() < size || window_.size() > std::max(kKeepWindowBytes, size)) {
    window_.resize(size);
    window_.shrink_to_fit();
  }
  const std::uint64_t from = window_at_ + filled_;
  const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(window_.size() - filled_, limit_ - from));
  const ssize_t got = read_all(*files_, file_, window_.data() + filled_, room, from);
  if (got < 0) return false;
  filled_ += static_cast<std::size_t>(got);
  // A file shorter than it should be ends there.
  if (static_cast<std::size_t>(got) < room) limit_ = std::min(limit_, from + static_cast<std::uint64_t>(got));
  return true;
}

}  // namespace nfbus::host::spill
