// DNS messages made for tests, and packets that carry a message.
#pragma once

#include "decode/decode.hpp"
#include "event/event.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace nfbus::host::test {

using Octets = std::vector<std::uint8_t>;

inline void append(Octets& to, const Octets& more) { to.insert(to.end(), more.begin(), more.end()); }
inline void append16(Octets& to, std::size_t value) {
  to.push_back(static_cast<std::uint8_t>(value >> 8U));
  to.push_back(static_cast<std::uint8_t>(value));
}
inline void append32(Octets& to, std::uint32_t value) {
  append16(to, value >> 16U);
  append16(to, value & 0xffffU);
}

// "www.example.org" as it stands in a message.
inline Octets dns_name(std::string_view dotted) {
  Octets out;
  while (!dotted.empty()) {
    const std::string_view label = dotted.substr(0, dotted.find('.'));
    out.push_back(static_cast<std::uint8_t>(label.size()));
    out.insert(out.end(), label.begin(), label.end());
    dotted.remove_prefix(std::min(dotted.size(), label.size() + 1));
  }
  out.push_back(0);
  return out;
}
inline Octets dns_pointer(std::size_t offset) {
  Octets out;
  append16(out, 0xc000U | offset);
  return out;
}

// Builds a message; sections in their order.
class DnsMessage {
 public:
  static constexpr std::size_t kFirstName = 12;  // where the first question's name stands

  explicit DnsMessage(std::uint16_t flags = 0x8180) {
    append16(octets_, 0x1234);
    append16(octets_, flags);
    octets_.resize(kFirstName);
  }
  DnsMessage& question(const Octets& name, std::uint16_t type = 1) {
    append(octets_, name);
    append16(octets_, type);
    append16(octets_, 1);
    return count(0);
  }
  DnsMessage& answer(const Octets& name, std::uint16_t type, const Octets& data) {
    return record(1, name, type, 1, 300, data);
  }
  // section: 1 answers, 2 authorities, 3 additionals.
  DnsMessage& record(std::size_t section, const Octets& name, std::uint16_t type, std::uint16_t dns_class,
                     std::uint32_t ttl_s, const Octets& data) {
    append(octets_, name);
    append16(octets_, type);
    append16(octets_, dns_class);
    append32(octets_, ttl_s);
    append16(octets_, data.size());
    append(octets_, data);
    return count(section);
  }
  // Sets the announced count of a section, 0: questions.
  DnsMessage& announce(std::size_t section, std::size_t count) {
    octets_[4 + 2 * section] = static_cast<std::uint8_t>(count >> 8U);
    octets_[5 + 2 * section] = static_cast<std::uint8_t>(count);
    return *this;
  }
  [[nodiscard]] const Octets& octets() const { return octets_; }

 private:
  DnsMessage& count(std::size_t section) { return announce(section, ++counts_.at(section)); }

  Octets octets_;
  std::vector<std::size_t> counts_ = std::vector<std::size_t>(4);
};

// How a packet carries a message.
struct Carrier {
  std::uint16_t source_port = 53;
  std::uint16_t destination_port = 40000;
  bool ipv6 = false;
  bool tcp = false;
  bool more_fragments = false;
  std::uint16_t fragment_offset = 0;  // in units of 8 bytes
  std::size_t snaplen_bytes = 0;      // of the packet, what is captured; 0: all
};

// The packet's event, alive as long as this object; what lies behind the packet is not readable.
class CarriedEvent {
 public:
  explicit CarriedEvent(const Octets& message, Carrier by = {}) {
    Octets transport;
    append16(transport, by.source_port);
    append16(transport, by.destination_port);
    if (by.tcp) {
      transport.resize(20);
      transport[12] = 5U << 4U;
    } else {
      append16(transport, 8 + message.size());
      append16(transport, 0);
    }
    append(transport, message);
    Octets packet = by.ipv6 ? ipv6_packet(transport, by) : ipv4_packet(transport, by);
    if (by.snaplen_bytes != 0) packet.resize(std::min(packet.size(), by.snaplen_bytes));
    hold(packet, by.ipv6 ? 0x86dd : 0x0800);
  }
  // An IPv4 packet as it is.
  static std::unique_ptr<CarriedEvent> from_ipv4(const Octets& packet) {
    std::unique_ptr<CarriedEvent> out(new CarriedEvent);
    out->hold(packet, 0x0800);
    return out;
  }
  CarriedEvent(const CarriedEvent&) = delete;
  CarriedEvent& operator=(const CarriedEvent&) = delete;
  ~CarriedEvent() = default;

  Event event{};

 private:
  CarriedEvent() = default;

  static Octets ipv4_packet(const Octets& transport, const Carrier& by) {
    Octets packet{0x45, 0};
    append16(packet, 20 + transport.size());
    append16(packet, 1);
    append16(packet, (by.more_fragments ? 0x2000U : 0U) | by.fragment_offset);
    packet.push_back(64);
    packet.push_back(by.tcp ? 6 : 17);
    packet.resize(20);
    packet[12] = packet[16] = 10;
    append(packet, transport);
    return packet;
  }
  static Octets ipv6_packet(const Octets& transport, const Carrier& by) {
    const bool fragment = by.more_fragments || by.fragment_offset != 0;
    const std::uint8_t protocol = by.tcp ? 6 : 17;
    Octets packet{0x60, 0, 0, 0};
    append16(packet, transport.size() + (fragment ? 8 : 0));
    packet.push_back(fragment ? 44 : protocol);
    packet.resize(40);
    if (fragment) {
      append(packet, {protocol, 0});
      append16(packet, std::size_t{by.fragment_offset} << 3U | (by.more_fragments ? 1U : 0U));
      append32(packet, 1);
    }
    append(packet, transport);
    return packet;
  }
  void hold(const Octets& packet, std::uint16_t ether_type) {
    packet_ = std::make_unique<std::uint8_t[]>(packet.size());
    std::memcpy(packet_.get(), packet.data(), packet.size());
    event.struct_size = sizeof(nfbus_event);
    event.kind = NFBUS_EVENT_PACKET;
    event.origin = &event;
    event.ether_type = ether_type;
    event.payload = {packet_.get(), packet.size()};
    decode_packet(event);
  }

  std::unique_ptr<std::uint8_t[]> packet_;
};

}  // namespace nfbus::host::test
