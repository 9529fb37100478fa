// Events for tests of matches: packets made of bytes and decoded as a capture does it, and messages.
#pragma once

#include "decode/decode.hpp"
#include "event/event.hpp"
#include "match/match.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <net/if_arp.h>
#include <nlohmann/json.hpp>

#include <linux/if_ether.h>
#include <linux/netfilter.h>

#include <cstdint>
#include <initializer_list>
#include <list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host::test {

using PacketBytes = std::vector<std::uint8_t>;

inline void put16(PacketBytes& out, unsigned value) {
  out.push_back(static_cast<std::uint8_t>(value >> 8U));
  out.push_back(static_cast<std::uint8_t>(value));
}

inline void put_address(PacketBytes& out, int family, const std::string& address) {
  std::uint8_t bytes[16] = {};
  if (::inet_pton(family, address.c_str(), bytes) != 1) throw std::invalid_argument(address);
  out.insert(out.end(), bytes, bytes + (family == AF_INET ? 4 : 16));
}

inline PacketBytes ipv4(const std::string& source, const std::string& destination, unsigned protocol,
                        const PacketBytes& body, unsigned fragment_word = 0) {
  PacketBytes out = {0x45, 0};
  put16(out, static_cast<unsigned>(20 + body.size()));
  put16(out, 1);
  put16(out, fragment_word);
  out.push_back(64);
  out.push_back(static_cast<std::uint8_t>(protocol));
  put16(out, 0);
  put_address(out, AF_INET, source);
  put_address(out, AF_INET, destination);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

inline PacketBytes ipv6(const std::string& source, const std::string& destination, unsigned protocol,
                        const PacketBytes& body) {
  PacketBytes out = {0x60, 0, 0, 0};
  put16(out, static_cast<unsigned>(body.size()));
  out.push_back(static_cast<std::uint8_t>(protocol));
  out.push_back(64);
  put_address(out, AF_INET6, source);
  put_address(out, AF_INET6, destination);
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

// flags: the lower 9 bits of TCP's 13th and 14th byte.
inline PacketBytes tcp(unsigned source_port, unsigned destination_port, unsigned flags, std::size_t data_bytes = 0) {
  PacketBytes out;
  put16(out, source_port);
  put16(out, destination_port);
  out.resize(12);
  put16(out, 0x5000U | flags);
  out.resize(20 + data_bytes);
  return out;
}

inline PacketBytes udp(unsigned source_port, unsigned destination_port, const PacketBytes& data = {}) {
  PacketBytes out;
  put16(out, source_port);
  put16(out, destination_port);
  put16(out, static_cast<unsigned>(8 + data.size()));
  put16(out, 0);
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

inline PacketBytes icmp(unsigned type) { return {static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0}; }

inline PacketBytes arp(const std::string& sender, const std::string& target) {
  PacketBytes out = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1};
  put_address(out, AF_INET, sender);
  out.insert(out.end(), 6, 0);
  put_address(out, AF_INET, target);
  return out;
}

// An event and all that it points to. Moves keep nothing: hold it where it was made.
class MadeEvent {
 public:
  explicit MadeEvent(PacketBytes packet, std::uint16_t ether_type = 0) : packet_(std::move(packet)) {
    event.struct_size = sizeof(nfbus_event);
    event.kind = NFBUS_EVENT_PACKET;
    event.action = NFBUS_ACTION_BLOCKED;
    event.group = 1;
    event.payload = {packet_.data(), packet_.size()};
    if (ether_type == 0) ether_type = !packet_.empty() && packet_[0] >> 4U == 6 ? ETH_P_IPV6 : ETH_P_IP;
    event.ether_type = ether_type;
    event.family = ether_type == ETH_P_IPV6 ? NFPROTO_IPV6 : ether_type == ETH_P_IP ? NFPROTO_IPV4 : NFPROTO_ARP;
    set(event.topic, "nft:drop:input");
    set(event.prefix, "drop:input ");
    decode_packet(event);
  }
  static MadeEvent message(std::string_view topic) {
    MadeEvent made{PacketBytes{'{', '}'}};
    const nfbus_bytes text = made.event.payload;
    made.event = {};
    made.event.struct_size = sizeof(nfbus_event);
    made.event.kind = NFBUS_EVENT_MESSAGE;
    made.event.payload = text;
    made.set(made.event.topic, topic);
    return made;
  }
  MadeEvent(const MadeEvent&) = delete;
  MadeEvent& operator=(const MadeEvent&) = delete;
  MadeEvent(MadeEvent&&) = default;
  MadeEvent& operator=(MadeEvent&&) = delete;
  ~MadeEvent() = default;

  void set(nfbus_text& field, std::string_view value) { field = text(texts_.emplace_back(value)); }
  void annotate(std::string_view name, std::string_view value) {
    nfbus_field& field = fields_.emplace_back();
    set(field.name, name);
    set(field.value, value);
    event.fields = fields_.data();
    event.field_count = static_cast<std::uint32_t>(fields_.size());
  }
  void ethernet(std::initializer_list<std::uint8_t> header) {
    hw_header_ = header;
    event.hw_header = {hw_header_.data(), hw_header_.size()};
    event.hw_type = ARPHRD_ETHER;
    event.present |= NFBUS_HAS_HW_TYPE;
    decode_packet(event);
  }

  Event event{};

 private:
  PacketBytes packet_;
  PacketBytes hw_header_;
  std::list<std::string> texts_;
  std::vector<nfbus_field> fields_;
};

inline const KnownFields& no_fields() {
  static const KnownFields none;
  return none;
}

// Fails the test when the match is wrong.
inline MatchSet compiled(const nlohmann::json& tables, const KnownFields& known = no_fields()) {
  CompiledMatch made = compile_match(tables, known);
  for (const MatchFault& fault : made.faults) ADD_FAILURE() << tables << ": " << to_string(fault);
  return std::move(made.matches);
}

inline bool holds(const nlohmann::json& table, const MadeEvent& made, const KnownFields& known = no_fields()) {
  return compiled(table, known)(Facts(made.event));
}

// Of a match that is wrong.
inline std::vector<std::string> faults(const nlohmann::json& tables, const KnownFields& known = no_fields()) {
  std::vector<std::string> texts;
  for (const MatchFault& fault : compile_match(tables, known).faults) texts.push_back(to_string(fault));
  return texts;
}

}  // namespace nfbus::host::test
