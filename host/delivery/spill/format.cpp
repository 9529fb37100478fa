#include "delivery/spill/format.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstring>
#include <system_error>

namespace nfbus::host::spill {

namespace {

constexpr std::string_view kSegmentMagic = "nfbspill";
constexpr std::string_view kFooterMagic = "nfbsseal";
constexpr std::string_view kStateMagic = "nfbstate";
constexpr std::string_view kRecordMagic = "nfr";
constexpr std::size_t kMagicBytes = 8;
constexpr std::size_t kHeadCopyBytes = kHeadBytes / 2;
constexpr std::size_t kCheckBytes = 8;
constexpr std::string_view kSegmentPrefix = "segment-";
constexpr std::string_view kSetAsidePrefix = "unreadable-";
constexpr std::string_view kSuffix = ".nfspill";

// Offsets in a record's head.
constexpr std::size_t kSizeAt = 8;
constexpr std::size_t kKindAt = 12;
constexpr std::size_t kMagicAt = 13;
constexpr std::size_t kNumberAt = 16;
constexpr std::size_t kHeadCheckAt = 24;

// Files are little-endian, whatever the machine is.
template <std::unsigned_integral T>
void put(std::uint8_t* to, T value) {
  for (std::size_t i = 0; i < sizeof value; ++i) to[i] = static_cast<std::uint8_t>(value >> (8 * i));
}

template <std::unsigned_integral T>
[[nodiscard]] T get(const std::uint8_t* from) {
  T value = 0;
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(&value, from, sizeof value);
  } else {
    for (std::size_t i = 0; i < sizeof value; ++i) value |= static_cast<T>(T{from[i]} << (8 * i));
  }
  return value;
}

std::uint64_t get64(const std::uint8_t* from) { return get<std::uint64_t>(from); }

// Writes fields one behind the other.
class Putter {
 public:
  explicit Putter(std::uint8_t* to) : to_(to) {}
  Putter& text(std::string_view text) {
    std::memcpy(to_, text.data(), text.size());
    to_ += text.size();
    return *this;
  }
  template <std::unsigned_integral T>
  Putter& number(T value) {
    put(to_, value);
    to_ += sizeof value;
    return *this;
  }
  Putter& time(std::int64_t ns) { return number(static_cast<std::uint64_t>(ns)); }
  // In a field of fixed size.
  Putter& owner(std::string_view name) {
    number(static_cast<std::uint8_t>(name.size()));
    std::memcpy(to_, name.data(), name.size());
    to_ += kMaxOwnerBytes;
    return *this;
  }

 private:
  std::uint8_t* to_;
};

class Getter {
 public:
  explicit Getter(const std::uint8_t* from) : from_(from) {}
  template <std::unsigned_integral T>
  Getter& number(T& value) {
    value = get<T>(from_);
    from_ += sizeof value;
    return *this;
  }
  Getter& time(std::int64_t& ns) {
    std::uint64_t value = 0;
    number(value);
    ns = static_cast<std::int64_t>(value);
    return *this;
  }
  Getter& owner(std::string& name) {
    std::uint8_t size = 0;
    number(size);
    name.assign(reinterpret_cast<const char*>(from_), std::min<std::size_t>(size, kMaxOwnerBytes));
    from_ += kMaxOwnerBytes;
    return *this;
  }

 private:
  const std::uint8_t* from_;
};

bool has_magic(const std::uint8_t* from, std::string_view magic) {
  return std::memcmp(from, magic.data(), magic.size()) == 0;
}

// The last 8 of `size` bytes check those before them.
void seal_with_check(std::uint8_t* bytes, std::size_t size, std::uint64_t seed = 0) {
  put(bytes + size - kCheckBytes, std::uint64_t{XXH3_64bits_withSeed(bytes, size - kCheckBytes, seed)});
}

bool checks(const std::uint8_t* bytes, std::size_t size, std::uint64_t seed = 0) {
  return get64(bytes + size - kCheckBytes) == XXH3_64bits_withSeed(bytes, size - kCheckBytes, seed);
}

std::uint64_t head_hash(std::uint64_t seed, const std::uint8_t* head) {
  return XXH3_64bits_withSeed(head + kSizeAt, kHeadCheckAt - kSizeAt, seed);
}

std::optional<std::uint64_t> id_of(std::string_view name, std::string_view prefix) {
  constexpr std::size_t kDigits = 16;
  if (name.size() != prefix.size() + kDigits + kSuffix.size() || !name.starts_with(prefix) || !name.ends_with(kSuffix))
    return std::nullopt;
  const std::string_view digits = name.substr(prefix.size(), kDigits);
  std::uint64_t id = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), id, 16);
  const bool lower = std::ranges::none_of(digits, [](char c) { return c >= 'A' && c <= 'F'; });
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size() || !lower) return std::nullopt;
  return id;
}

}  // namespace

void put_segment_head(const SegmentHead& head, std::span<std::uint8_t, kHeadBytes> to) {
  std::ranges::fill(to, std::uint8_t{0});
  Putter(to.data())
      .text(kSegmentMagic)
      .number(kFormatVersion)
      .number(static_cast<std::uint32_t>(kHeadBytes))
      .number(head.id)
      .number(head.first)
      .time(head.created_ns)
      .number(head.seed)
      .owner(head.owner);
  seal_with_check(to.data(), kHeadCopyBytes);
  std::memcpy(to.data() + kHeadCopyBytes, to.data(), kHeadCopyBytes);
}

Verdict get_segment_head(std::span<const std::uint8_t, kHeadBytes> from, SegmentHead& head, std::uint32_t& version) {
  for (const std::uint8_t* copy : {from.data(), from.data() + kHeadCopyBytes}) {
    if (!has_magic(copy, kSegmentMagic) || !checks(copy, kHeadCopyBytes)) continue;
    std::uint32_t size = 0;
    Getter fields(copy + kMagicBytes);
    fields.number(version).number(size);
    if (version != kFormatVersion) return Verdict::foreign;
    fields.number(head.id).number(head.first).time(head.created_ns).number(head.seed).owner(head.owner);
    return Verdict::good;
  }
  return Verdict::damaged;
}

void put_record(std::uint64_t seed, std::uint8_t kind, std::uint64_t number, std::span<const std::uint8_t> body,
                std::uint8_t* to) {
  put(to + kSizeAt, static_cast<std::uint32_t>(body.size()));
  to[kKindAt] = kind;
  std::memcpy(to + kMagicAt, kRecordMagic.data(), kRecordMagic.size());
  put(to + kNumberAt, number);
  const std::uint64_t hash = head_hash(seed, to);
  put(to + kHeadCheckAt, static_cast<std::uint32_t>(hash));
  put(to, std::uint64_t{XXH3_64bits_withSeed(body.data(), body.size(), hash)});
  if (!body.empty()) std::memcpy(to + kRecordHeadBytes, body.data(), body.size());
}

bool may_be_record_head(const std::uint8_t* from) noexcept {
  return std::memcmp(from + kMagicAt, kRecordMagic.data(), kRecordMagic.size()) == 0;
}

std::optional<RecordHead> get_record_head(std::uint64_t seed, const std::uint8_t* from) {
  if (!may_be_record_head(from)) return std::nullopt;
  const std::uint64_t hash = head_hash(seed, from);
  if (get<std::uint32_t>(from + kHeadCheckAt) != static_cast<std::uint32_t>(hash)) return std::nullopt;
  return RecordHead{.size = get<std::uint32_t>(from + kSizeAt),
                    .kind = from[kKindAt],
                    .number = get64(from + kNumberAt),
                    .body_seed = hash,
                    .body_check = get64(from)};
}

bool body_checks(const RecordHead& head, const std::uint8_t* body) {
  return XXH3_64bits_withSeed(body, head.size, head.body_seed) == head.body_check;
}

void put_footer(const Footer& footer, std::uint64_t seed, std::span<std::uint8_t, kFooterBytes> to) {
  std::ranges::fill(to, std::uint8_t{0});
  Putter(to.data())
      .text(kFooterMagic)
      .number(footer.id)
      .number(footer.first)
      .number(footer.end)
      .number(footer.offset)
      .time(footer.sealed_ns);
  seal_with_check(to.data(), kFooterBytes, seed);
}

std::optional<Footer> get_footer(std::span<const std::uint8_t, kFooterBytes> from, std::uint64_t seed) {
  if (!has_magic(from.data(), kFooterMagic) || !checks(from.data(), kFooterBytes, seed)) return std::nullopt;
  Footer footer;
  Getter(from.data() + kMagicBytes)
      .number(footer.id)
      .number(footer.first)
      .number(footer.end)
      .number(footer.offset)
      .time(footer.sealed_ns);
  return footer;
}

bool was_footer(std::span<const std::uint8_t, kFooterBytes> from, const SegmentHead& head, std::uint64_t offset) {
  std::array<std::uint8_t, kFooterBytes> want{};
  put_footer({.id = head.id, .first = head.first, .offset = offset}, head.seed, want);
  // The magic, the id, the first number and the offset are known; one of them may be the damaged one.
  constexpr std::array<std::size_t, 4> kKnownAt{0, 8, 16, 32};
  const auto same = std::ranges::count_if(
      kKnownAt, [&](std::size_t at) { return get64(from.data() + at) == get64(want.data() + at); });
  return same >= 3;
}

void put_state_slot(const StateSlot& slot, std::span<std::uint8_t, kSlotBytes> to) {
  std::ranges::fill(to, std::uint8_t{0});
  Putter fields(to.data());
  fields.text(kStateMagic)
      .number(kFormatVersion)
      .number(static_cast<std::uint32_t>(slot.done_count))
      .number(slot.generation)
      .number(slot.oldest_segment)
      .number(slot.next_segment)
      .number(slot.begin)
      .number(slot.frontier)
      .number(slot.end)
      .number(slot.hint_number)
      .number(slot.hint_segment)
      .number(slot.hint_offset)
      .owner(slot.owner);
  for (std::size_t i = 0; i < slot.done_count; ++i) fields.number(slot.done[i].first).number(slot.done[i].end);
  seal_with_check(to.data(), kSlotBytes);
}

Verdict get_state_slot(std::span<const std::uint8_t, kSlotBytes> from, StateSlot& slot, std::uint32_t& version) {
  if (!has_magic(from.data(), kStateMagic) || !checks(from.data(), kSlotBytes)) return Verdict::damaged;
  std::uint32_t count = 0;
  Getter fields(from.data() + kMagicBytes);
  fields.number(version).number(count);
  if (version != kFormatVersion) return Verdict::foreign;
  if (count > kMaxStateRanges) return Verdict::damaged;
  fields.number(slot.generation)
      .number(slot.oldest_segment)
      .number(slot.next_segment)
      .number(slot.begin)
      .number(slot.frontier)
      .number(slot.end)
      .number(slot.hint_number)
      .number(slot.hint_segment)
      .number(slot.hint_offset)
      .owner(slot.owner);
  slot.done_count = count;
  for (std::size_t i = 0; i < count; ++i) fields.number(slot.done[i].first).number(slot.done[i].end);
  return Verdict::good;
}

bool begins_as_state(std::span<const std::uint8_t, kSlotBytes> from) { return has_magic(from.data(), kStateMagic); }

std::string segment_name(std::uint64_t id) { return fmt::format("{}{:016x}{}", kSegmentPrefix, id, kSuffix); }
std::string set_aside_name(std::uint64_t id) { return fmt::format("{}{:016x}{}", kSetAsidePrefix, id, kSuffix); }
std::optional<std::uint64_t> segment_id(std::string_view name) { return id_of(name, kSegmentPrefix); }
std::optional<std::uint64_t> set_aside_id(std::string_view name) { return id_of(name, kSetAsidePrefix); }

}  // namespace nfbus::host::spill
