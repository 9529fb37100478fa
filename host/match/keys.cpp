#include "match/keys.hpp"

#include <algorithm>
#include <array>

namespace nfbus::host {

namespace {

constexpr std::array<Key, 24> kKeys = {{
    {"topic", ValueType::topic, Kind::topic, Field::topic},
    {"prefix", ValueType::prefix, Kind::folded_text, Field::prefix},
    {"action", ValueType::action, Kind::number, Field::action},
    {"group", ValueType::number, Kind::number, Field::group, 65535},
    {"family", ValueType::family, Kind::bits, Field::families},
    {"in", ValueType::text, Kind::text, Field::in_name},
    {"out", ValueType::text, Kind::text, Field::out_name},
    {"physin", ValueType::text, Kind::text, Field::phys_in_name},
    {"physout", ValueType::text, Kind::text, Field::phys_out_name},
    {"proto", ValueType::protocol, Kind::number, Field::protocol, 255},
    {"src", ValueType::address, Kind::source, Field::source},
    {"dst", ValueType::address, Kind::destination, Field::destination},
    {"host", ValueType::address, Kind::host, Field::source},
    {"sport", ValueType::number, Kind::number, Field::source_port, 65535},
    {"dport", ValueType::number, Kind::number, Field::destination_port, 65535},
    {"port", ValueType::number, Kind::port, Field::source_port, 65535},
    {"mac", ValueType::mac, Kind::mac, Field::mac},
    {"mark", ValueType::mark, Kind::masked, Field::mark},
    {"uid", ValueType::number, Kind::number, Field::uid},
    {"length", ValueType::number, Kind::number, Field::length},
    {"tcp_flags", ValueType::tcp_flags, Kind::masked, Field::tcp_flags},
    {"icmp_type", ValueType::icmp_type, Kind::number, Field::icmp_type, 255},
    {"domain", ValueType::domain, Kind::domain, Field::topic},
    {"bpf", ValueType::bpf, Kind::bpf, Field::packet},
}};

// Every event has a topic, and may have any annotation.
constexpr Key kAnnotation = {"", ValueType::text, Kind::annotation, Field::topic};

}  // namespace

const Key* find_key(std::string_view name) noexcept {
  const auto* const found =
      std::find_if(kKeys.begin(), kKeys.end(), [name](const Key& key) { return key.name == name; });
  return found == kKeys.end() ? nullptr : found;
}

const Key& annotation_key() noexcept { return kAnnotation; }

std::vector<std::string> key_names() {
  std::vector<std::string> names = {"rule"};
  names.reserve(kKeys.size() + 1);
  for (const Key& key : kKeys) names.emplace_back(key.name);
  return names;
}

}  // namespace nfbus::host
