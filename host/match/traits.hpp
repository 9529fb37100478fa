// A few bits that tell most events apart from what most matches want, so that a match costs a comparison.
//
// Its bits stand in groups; an event has exactly one bit of each group, perhaps shared with other values of the field.
// A match forbids the bits of a group that none of its values has.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nfbus::host {

struct Traits {
  std::array<std::uint64_t, 2> words{};

  // Returns whether there is a bit that both have.
  [[nodiscard]] constexpr bool meet(const Traits& other) const noexcept {
    return ((words[0] & other.words[0]) | (words[1] & other.words[1])) != 0;
  }
  constexpr Traits& operator|=(const Traits& other) noexcept {
    words[0] |= other.words[0];
    words[1] |= other.words[1];
    return *this;
  }
  constexpr Traits& operator&=(const Traits& other) noexcept {
    words[0] &= other.words[0];
    words[1] &= other.words[1];
    return *this;
  }
  // Those that `other` does not have.
  [[nodiscard]] constexpr Traits without(const Traits& other) const noexcept {
    return {.words = {words[0] & ~other.words[0], words[1] & ~other.words[1]}};
  }
};

inline constexpr Traits kAllTraits = {.words = {~std::uint64_t{0}, ~std::uint64_t{0}}};

// Bits [first, first + count) of a word: the first for events without the field, then one for each bucket of values.
struct TraitGroup {
  std::size_t word;
  unsigned first;
  unsigned count;

  [[nodiscard]] constexpr Traits of(std::uint64_t bits) const noexcept {
    Traits traits;
    traits.words.at(word) = bits << first;
    return traits;
  }
  [[nodiscard]] constexpr Traits absent() const noexcept { return of(1); }
  [[nodiscard]] constexpr Traits bucket(std::uint64_t hash) const noexcept {
    return of(std::uint64_t{2} << hash % (count - 1));
  }
  [[nodiscard]] constexpr Traits all() const noexcept { return of((std::uint64_t{1} << count) - 1); }
};

inline constexpr TraitGroup kProtocolTraits{0, 0, 8};
inline constexpr TraitGroup kSourcePortTraits{0, 8, 9};
inline constexpr TraitGroup kDestinationPortTraits{0, 17, 9};
inline constexpr TraitGroup kMarkTraits{0, 26, 17};  // of the mark's last 4 bits
inline constexpr TraitGroup kFlagsTraits{0, 43, 5};  // of SYN and ACK
inline constexpr TraitGroup kInTraits{0, 48, 8};
inline constexpr TraitGroup kOutTraits{0, 56, 8};
inline constexpr TraitGroup kPrefixTraits{1, 0, 16};
inline constexpr TraitGroup kTopicTraits{1, 16, 16};
inline constexpr TraitGroup kSourceTraits{1, 32, 16};  // of the network
inline constexpr TraitGroup kDestinationTraits{1, 48, 16};

// Of addresses: a network of a usual size is in one bucket, and so are few of its neighbours.
[[nodiscard]] constexpr std::uint64_t network_hash(std::uint32_t ipv4) noexcept { return ipv4 >> 16U; }
[[nodiscard]] constexpr std::uint64_t network_hash(std::uint64_t ipv6_high) noexcept { return ipv6_high >> 16U; }

// Of TCP flags: SYN and ACK as a number of two bits.
[[nodiscard]] constexpr std::uint64_t syn_and_ack(std::uint32_t tcp_flags) noexcept {
  return (tcp_flags >> 1U & 1U) | (tcp_flags >> 3U & 2U);
}

// Of a text: its length and last byte, case ignored.
[[nodiscard]] constexpr std::uint64_t text_hash(std::string_view text) noexcept {
  return text.empty() ? 0 : text.size() + (static_cast<unsigned char>(text.back()) | 0x20U);
}

}  // namespace nfbus::host
