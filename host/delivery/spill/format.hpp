// The bytes of a spill folder's files: segments, their records, and the state. README.md has them as tables.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nfbus::host::spill {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kHeadBytes = 512;       // of a segment: two copies of the same
inline constexpr std::size_t kRecordHeadBytes = 28;  // before each body
inline constexpr std::size_t kFooterBytes = 64;      // of a complete segment
inline constexpr std::size_t kSlotBytes = 4096;      // of the state: two of them
inline constexpr std::size_t kMaxOwnerBytes = 199;
inline constexpr std::size_t kMaxStateRanges = 235;
inline constexpr std::uint64_t kFirstNumber = std::uint64_t{1} << 32U;  // of a folder's first record

// What checksums say of bytes that were read.
enum class Verdict : std::uint8_t {
  good = 1,
  damaged,
  foreign,  // whole, but of another version
};

struct SegmentHead {
  std::uint64_t id = 0;
  std::uint64_t first = 0;  // the number of its first record
  std::int64_t created_ns = 0;
  std::uint64_t seed = 0;  // random: who writes a record's body cannot make in it what checks as a record
  std::string owner;
};

// [any] `owner` has kMaxOwnerBytes at most.
void put_segment_head(const SegmentHead& head, std::span<std::uint8_t, kHeadBytes> to);
// [any] Of the first copy that checks. Leaves `head` unchanged where none does; `version` is that of a foreign one.
[[nodiscard]] Verdict get_segment_head(std::span<const std::uint8_t, kHeadBytes> from, SegmentHead& head,
                                       std::uint32_t& version);

struct RecordHead {
  std::uint32_t size;  // of the body
  std::uint8_t kind;
  std::uint64_t number;
  std::uint64_t body_seed;  // what the body's check is seeded with: the hash of this head
  std::uint64_t body_check;
};

// [any] Writes kRecordHeadBytes and the body.
void put_record(std::uint64_t seed, std::uint8_t kind, std::uint64_t number, std::span<const std::uint8_t> body,
                std::uint8_t* to);
// [any] Nothing: these kRecordHeadBytes are no record's head.
[[nodiscard]] std::optional<RecordHead> get_record_head(std::uint64_t seed, const std::uint8_t* from);
// [any] A quick look: false where get_record_head() would certainly give nothing.
[[nodiscard]] bool may_be_record_head(const std::uint8_t* from) noexcept;
[[nodiscard]] bool body_checks(const RecordHead& head, const std::uint8_t* body);

struct Footer {
  std::uint64_t id = 0;
  std::uint64_t first = 0;
  std::uint64_t end = 0;     // the number behind its last record
  std::uint64_t offset = 0;  // where in the file it stands
  std::int64_t sealed_ns = 0;
};

// [any] `seed`: the segment's.
void put_footer(const Footer& footer, std::uint64_t seed, std::span<std::uint8_t, kFooterBytes> to);
[[nodiscard]] std::optional<Footer> get_footer(std::span<const std::uint8_t, kFooterBytes> from, std::uint64_t seed);
// [any] True: these bytes, at `offset` of the segment, were its footer before some of them changed.
[[nodiscard]] bool was_footer(std::span<const std::uint8_t, kFooterBytes> from, const SegmentHead& head,
                              std::uint64_t offset);

// Numbers from `first` up to `end`, which is not among them.
struct Numbers {
  std::uint64_t first;
  std::uint64_t end;

  bool operator==(const Numbers&) const = default;
};

// What a slot of the state says.
struct StateSlot {
  std::uint64_t generation = 0;
  std::uint64_t oldest_segment = 0;       // those before it are deleted, or about to be
  std::uint64_t next_segment = 1;         // ids from here on are no file's
  std::uint64_t begin = kFirstNumber;     // records before it are gone on purpose
  std::uint64_t frontier = kFirstNumber;  // all before it are done with
  std::uint64_t end = kFirstNumber;       // at least so many were written
  std::uint64_t hint_number = 0;          // a record at or before the frontier (0: none known), and where it stands
  std::uint64_t hint_segment = 0;
  std::uint64_t hint_offset = 0;
  std::string owner;
  std::array<Numbers, kMaxStateRanges> done{};  // behind the frontier, ascending
  std::size_t done_count = 0;
};

void put_state_slot(const StateSlot& slot, std::span<std::uint8_t, kSlotBytes> to);
// [any] As get_segment_head().
[[nodiscard]] Verdict get_state_slot(std::span<const std::uint8_t, kSlotBytes> from, StateSlot& slot,
                                     std::uint32_t& version);
// [any] True: these bytes begin as a slot does, whatever became of the rest.
[[nodiscard]] bool begins_as_state(std::span<const std::uint8_t, kSlotBytes> from);

// [any] segment-<16 hex digits>.nfspill, and what one that cannot be read is renamed to.
[[nodiscard]] std::string segment_name(std::uint64_t id);
[[nodiscard]] std::string set_aside_name(std::uint64_t id);
// [any] Nothing: it is no such name.
[[nodiscard]] std::optional<std::uint64_t> segment_id(std::string_view name);
[[nodiscard]] std::optional<std::uint64_t> set_aside_id(std::string_view name);

}  // namespace nfbus::host::spill
