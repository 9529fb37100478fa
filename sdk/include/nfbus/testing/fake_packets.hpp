// Packets for a plugin's tests: as much of an event as a filter looks at.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/text.hpp>

#include <arpa/inet.h>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace nfbus::test {

struct Packet {
  std::string source = "192.0.2.1";  // IPv4 or IPv6; empty: a packet without addresses
  std::string destination = "198.51.100.1";
  std::uint8_t protocol = 6;
  int source_port = 40000;  // -1: it has no ports
  int destination_port = 443;
  std::string prefix = "lan:in ";
  std::int64_t time_ns = 0;
  std::string in_name = "eth0";
};

// Events of packets, valid as long as this object.
class Packets {
 public:
  Packets() = default;
  explicit Packets(const std::vector<Packet>& packets) {
    for (const Packet& packet : packets) add(packet);
  }
  Packets(const Packets&) = delete;
  Packets& operator=(const Packets&) = delete;
  ~Packets() = default;

  nfbus_event& add(const Packet& packet) {
    packets_.push_back(packet);
    const Packet& kept = packets_.back();
    nfbus_event& event = events_.emplace_back();
    event.struct_size = sizeof event;
    event.kind = NFBUS_EVENT_PACKET;
    event.time_ns = packet.time_ns;
    event.prefix = to_text(kept.prefix);
    event.in_name = to_text(kept.in_name);
    event.transport_offset = event.data_offset = NFBUS_NO_OFFSET;
    items_.push_back(&event);
    if (packet.source.empty()) return event;
    const bool v6 = packet.source.find(':') != std::string::npos;
    std::vector<std::uint8_t>& bytes = payloads_.emplace_back(v6 ? 40 : 20);
    inet_pton(v6 ? AF_INET6 : AF_INET, packet.source.c_str(), &bytes[v6 ? 8 : 12]);
    inet_pton(v6 ? AF_INET6 : AF_INET, packet.destination.c_str(), &bytes[v6 ? 24 : 16]);
    event.ether_type = v6 ? 0x86dd : 0x0800;
    event.layers = v6 ? NFBUS_LAYER_IPV6 : NFBUS_LAYER_IPV4;
    event.ip_protocol = packet.protocol;
    event.payload = {bytes.data(), bytes.size()};
    event.packet_size = static_cast<std::uint32_t>(bytes.size());
    if (packet.source_port >= 0) {
      event.present |= NFBUS_HAS_PORTS;
      event.source_port = static_cast<std::uint16_t>(packet.source_port);
      event.destination_port = static_cast<std::uint16_t>(packet.destination_port);
    }
    return event;
  }

  [[nodiscard]] const std::vector<const nfbus_event*>& items() const { return items_; }

 private:
  std::deque<Packet> packets_;
  std::deque<std::vector<std::uint8_t>> payloads_;
  std::deque<nfbus_event> events_;
  std::vector<const nfbus_event*> items_;
};

}  // namespace nfbus::test
