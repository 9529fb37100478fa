// Which name an address was looked up by.
#pragma once

#include <nfbus/lru_map.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace dnsnames {

// An address as a key: IPv4 and IPv6 never meet, whatever is embedded in an IPv6 address.
class AddressKey {
 public:
  // address: 4 or 16 bytes, network order.
  explicit AddressKey(std::span<const std::uint8_t> address) noexcept {
    bytes_[0] = static_cast<char>(address.size());
    std::memcpy(bytes_.data() + 1, address.data(), std::min(address.size(), bytes_.size() - 1));
  }
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), bytes_.size()}; }

 private:
  std::array<char, 17> bytes_{};
};

// Bounded: forgets what was taught the longest time ago. Thread safety: none; owned by the filter's worker.
class Names {
 public:
  struct Limits {
    std::size_t max_entries;
    std::int64_t min_ttl_s;
    std::int64_t max_ttl_s;
  };

  explicit Names(Limits limits) : limits_(limits), names_(limits.max_entries) {}

  // From now on the address has this name, for as long as the answer said.
  void learn(std::span<const std::uint8_t> address, std::string_view name, std::uint32_t ttl_s, std::int64_t now_ns) {
    const AddressKey key(address);
    Known* known = names_.use(key.view());
    if (known == nullptr) {
      if (names_.full()) forgotten_ += names_.oldest().expires_ns > now_ns ? 1 : 0;
      known = &names_.insert(key.view(), {});
    }
    const std::int64_t kept_s = std::clamp(std::int64_t{ttl_s}, limits_.min_ttl_s, limits_.max_ttl_s);
    known->expires_ns = now_ns + kept_s * 1'000'000'000;
    known->name = name;
    ++learned_;
  }

  // The address has this name no more.
  void unlearn(std::span<const std::uint8_t> address, std::string_view name) noexcept {
    Known* const known = names_.find(AddressKey(address).view());
    if (known != nullptr && known->name == name) known->expires_ns = kNever;
  }

  // Empty: unknown, or no longer true. Valid until the next learn(). Allocates nothing.
  [[nodiscard]] std::string_view find(std::span<const std::uint8_t> address, std::int64_t now_ns) noexcept {
    const Known* const known = names_.find(AddressKey(address).view());
    return known == nullptr || known->expires_ns <= now_ns ? std::string_view() : std::string_view(known->name);
  }

  // Gives memory back: of what is at the end and no longer true.
  void drop_expired(std::int64_t now_ns) noexcept {
    while (names_.size() != 0 && names_.oldest().expires_ns <= now_ns) names_.pop_oldest();
  }

  [[nodiscard]] bool empty() const noexcept { return names_.size() == 0; }
  // Addresses learned, also again; and those forgotten while their names were still true.
  [[nodiscard]] std::uint64_t learned() const noexcept { return learned_; }
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }

 private:
  static constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::min();

  struct Known {
    std::string name;
    std::int64_t expires_ns = kNever;
  };

  const Limits limits_;
  nfbus::LruMap<std::array<std::uint8_t, 17>, Known> names_;
  std::uint64_t learned_ = 0;
  std::uint64_t forgotten_ = 0;
};

}  // namespace dnsnames
