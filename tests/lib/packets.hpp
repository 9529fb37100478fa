// The packet fixtures of tests/data/packets.
#pragma once

#include <nfbus/abi.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::test {

struct Packet {
  std::string name;
  std::uint32_t layers = 0;  // NFBUS_LAYER_*, from "# layers:"
  std::string error;         // from "# error:"
  std::vector<std::uint8_t> record;
};

inline std::uint32_t layer_of(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, std::uint32_t>, 13> kLayers{{
      {"ethernet", NFBUS_LAYER_ETHERNET},
      {"vlan", NFBUS_LAYER_VLAN},
      {"arp", NFBUS_LAYER_ARP},
      {"ipv4", NFBUS_LAYER_IPV4},
      {"ipv6", NFBUS_LAYER_IPV6},
      {"fragment", NFBUS_LAYER_FRAGMENT},
      {"tcp", NFBUS_LAYER_TCP},
      {"udp", NFBUS_LAYER_UDP},
      {"icmp", NFBUS_LAYER_ICMP},
      {"icmpv6", NFBUS_LAYER_ICMPV6},
      {"sctp", NFBUS_LAYER_SCTP},
      {"ah", NFBUS_LAYER_AH},
      {"esp", NFBUS_LAYER_ESP},
  }};
  for (const auto& [name, layer] : kLayers) {
    if (name == word) return layer;
  }
  throw std::runtime_error("no layer is called " + std::string(word));
}

// Hex digits in pairs, with any white space between them.
inline void append_hex(std::string_view line, std::vector<std::uint8_t>& bytes) {
  std::string digits;
  std::copy_if(line.begin(), line.end(), std::back_inserter(digits),
               [](char c) { return std::isspace(static_cast<unsigned char>(c)) == 0; });
  if (digits.size() % 2 != 0) throw std::runtime_error("odd number of hex digits: " + std::string(line));
  for (std::size_t i = 0; i < digits.size(); i += 2) {
    std::uint8_t byte = 0;
    const char* end = digits.data() + i + 2;
    if (std::from_chars(digits.data() + i, end, byte, 16).ptr != end) {
      throw std::runtime_error("not hex: " + std::string(line));
    }
    bytes.push_back(byte);
  }
}

inline Packet read_packet(const std::filesystem::path& file) {
  Packet packet;
  packet.name = file.stem().string();
  std::ifstream in(file);
  if (!in) throw std::runtime_error("cannot read " + file.string());
  const auto value_of = [](const std::string& line, std::string_view key, std::string& value) {
    if (!line.starts_with(key)) return false;
    value = line.substr(key.size());
    value.erase(0, value.find_first_not_of(' '));
    return true;
  };
  for (std::string line; std::getline(in, line);) {
    std::string layers;
    if (value_of(line, "# layers:", layers)) {
      std::istringstream words(layers);
      for (std::string word; words >> word;) packet.layers |= layer_of(word);
    } else if (!value_of(line, "# error:", packet.error) && !line.starts_with('#')) {
      append_hex(line, packet.record);
    }
  }
  return packet;
}

// data_folder: tests/data.
inline Packet load_packet(const std::filesystem::path& data_folder, const std::string& name) {
  return read_packet(data_folder / "packets" / (name + ".hex"));
}

inline std::vector<Packet> load_packets(const std::filesystem::path& data_folder) {
  std::vector<Packet> packets;
  for (const auto& entry : std::filesystem::directory_iterator(data_folder / "packets")) {
    if (entry.path().extension() == ".hex") packets.push_back(read_packet(entry.path()));
  }
  std::sort(packets.begin(), packets.end(), [](const Packet& a, const Packet& b) { return a.name < b.name; });
  return packets;
}

}  // namespace nfbus::test
