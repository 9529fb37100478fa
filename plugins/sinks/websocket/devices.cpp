#include "devices.hpp"

#include <algorithm>
#include <utility>

namespace websocket {
namespace {

constexpr std::size_t kMostSeen = 65536;

std::array<std::uint8_t, 16> key_of(std::span<const std::uint8_t> address) {
  std::array<std::uint8_t, 16> out{};
  if (address.size() == 4) out[10] = out[11] = 0xff;
  std::copy(address.begin(), address.end(), out.end() - static_cast<std::ptrdiff_t>(address.size()));
  return out;
}

std::string_view bytes_of(const std::array<std::uint8_t, 16>& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

}  // namespace

Devices::Devices(nfbus::Host host, std::string names_path) : names_(host, std::move(names_path)), seen_(kMostSeen) {}

Seen* Devices::see(std::span<const std::uint8_t> address, std::int64_t time_ns) {
  if (address.empty()) return nullptr;
  const auto key = key_of(address);
  Seen* found = seen_.use(bytes_of(key));
  if (found == nullptr) found = &seen_.insert(bytes_of(key), {.first_ns = time_ns});
  found->last_ns = time_ns;
  return found;
}

void Devices::see(nfbus::Event packet) {
  see(packet.destination_bytes(), packet.time_ns());
  Seen* const source = see(packet.source_bytes(), packet.time_ns());
  if (source == nullptr || names_.empty()) return;
  if (const auto mac = source_mac_of(packet); mac.size() == source->mac.size()) {
    std::ranges::copy(mac, source->mac.begin());
  }
}

Seen Devices::seen(std::span<const std::uint8_t> address) {
  const Seen* const found = seen_.find(bytes_of(key_of(address)));
  return found == nullptr ? Seen() : *found;
}

std::string_view Devices::name_of(std::span<const std::uint8_t> address) {
  if (names_.empty() || address.empty()) return {};
  if (const std::string_view name = names_.of(std::string_view(nfbus::AddressText(address))); !name.empty())
    return name;
  const Seen* const found = seen_.find(bytes_of(key_of(address)));
  return found == nullptr ? std::string_view() : names_.of(mac_text(found->mac));
}

std::string_view Devices::name_of_source(nfbus::Event packet) {
  if (names_.empty()) return {};
  if (const std::string_view name = names_.of(packet.source()); !name.empty()) return name;
  if (const std::string_view name = names_.of(mac_text(source_mac_of(packet))); !name.empty()) return name;
  return name_of(packet.source_bytes());
}

}  // namespace websocket
