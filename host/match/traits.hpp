// A word that tells most events apart from what most matches want, so that a match costs a comparison.
//
// Its bits stand in groups; an event has exactly one bit of each group, perhaps shared with other values of the field.
// A match forbids the bits of a group that none of its values has.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nfbus::host {

using Traits = std::uint64_t;

// Bits [first, first + count): the first for events without the field, then one for each bucket of values.
struct TraitGroup {
  unsigned first;
  unsigned count;

  [[nodiscard]] constexpr Traits absent() const noexcept { return Traits{1} << first; }
  [[nodiscard]] constexpr Traits bucket(std::size_t hash) const noexcept {
    return Traits{1} << (first + 1 + hash % (count - 1));
  }
  [[nodiscard]] constexpr Traits all() const noexcept { return ((Traits{1} << count) - 1) << first; }
};

inline constexpr TraitGroup kProtocolTraits{0, 8};
inline constexpr TraitGroup kSourcePortTraits{8, 9};
inline constexpr TraitGroup kDestinationPortTraits{17, 9};
inline constexpr TraitGroup kVersionTraits{26, 3};  // of IP addresses: 4 and 6
inline constexpr TraitGroup kFlagsTraits{29, 5};    // of SYN and ACK
inline constexpr TraitGroup kInTraits{34, 10};
inline constexpr TraitGroup kOutTraits{44, 10};
inline constexpr TraitGroup kPrefixTraits{54, 10};
static_assert(kPrefixTraits.first + kPrefixTraits.count == 64);

// Of TCP flags: SYN and ACK as a number of two bits.
[[nodiscard]] constexpr std::size_t syn_and_ack(std::uint32_t tcp_flags) noexcept {
  return (tcp_flags >> 1U & 1U) | (tcp_flags >> 3U & 2U);
}

// Of a text: its length and last byte, case ignored.
[[nodiscard]] constexpr std::size_t text_hash(std::string_view text) noexcept {
  return text.empty() ? 0 : text.size() + (static_cast<unsigned char>(text.back()) | 0x20U);
}

}  // namespace nfbus::host
