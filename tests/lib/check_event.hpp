// Reads every byte that a decoded event reaches, through every accessor of its headers, and checks its promises.
#pragma once

#include "decode/decode.hpp"
#include "decode/headers.hpp"
#include "event/event.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace nfbus::test {

// Keeps the compiler from dropping reads whose result nobody uses.
class Sum {
 public:
  void add(std::uint64_t value) noexcept { total_ = total_ + value; }
  void add(host::Bytes bytes) noexcept {
    for (const std::uint8_t byte : bytes) add(byte);
  }

 private:
  volatile std::uint64_t total_ = 0;
};

inline void read_link_and_network(const nfbus_event& event, Sum& sum) {
  using namespace host;
  if (const auto h = find_header<EthernetHeader>(event)) {
    sum.add(h->destination());
    sum.add(h->source());
    sum.add(h->type());
  }
  if (const auto h = find_header<ArpHeader>(event)) {
    sum.add(h->hardware_type() + h->protocol_type() + h->operation());
    sum.add(h->sender_hardware());
    sum.add(h->sender_address());
    sum.add(h->target_hardware());
    sum.add(h->target_address());
  }
  if (const auto h = find_header<Ipv4Header>(event)) {
    sum.add(std::uint64_t{h->tos()} + h->total_length() + h->id() + h->flags() + h->fragment_offset() + h->ttl());
    sum.add(h->protocol() + h->checksum() + h->size_bytes());
    sum.add(h->source());
    sum.add(h->destination());
  }
  if (const auto h = find_header<Ipv6Header>(event)) {
    sum.add(h->traffic_class() + h->flow_label() + h->payload_length() + h->next_header() + h->hop_limit());
    sum.add(h->source());
    sum.add(h->destination());
  }
  if (const auto h = find_ipv6_fragment(event)) {
    sum.add(h->next_header() + h->fragment_offset() + h->more_fragments() + h->id());
  }
  if (const auto h = find_header<AhHeader>(event)) sum.add(h->next_header() + h->size_bytes() + h->spi());
}

inline void read_transport(const nfbus_event& event, Sum& sum) {
  using namespace host;
  if (const auto h = find_header<TcpHeader>(event)) {
    sum.add(std::uint64_t{h->source_port()} + h->destination_port() + h->seq() + h->ack() + h->size_bytes());
    sum.add(h->reserved() + h->flags() + h->window() + h->checksum() + h->urgent());
  }
  if (const auto h = find_header<UdpHeader>(event)) {
    sum.add(h->source_port() + h->destination_port() + h->length() + h->checksum());
  }
  if (const auto h = find_header<SctpHeader>(event)) {
    sum.add(h->source_port() + h->destination_port() + h->verification_tag() + h->checksum());
  }
  if (const auto h = find_header<IcmpHeader>(event)) {
    sum.add(h->type() + h->code() + h->checksum() + h->id() + h->sequence() + h->gateway() + h->mtu() + h->pointer());
  }
  if (const auto h = find_header<Icmpv6Header>(event)) {
    sum.add(h->type() + h->code() + h->checksum() + h->id() + h->sequence() + h->mtu() + h->pointer());
  }
  if (const auto h = find_header<EspHeader>(event)) sum.add(h->spi() + h->sequence());
}

inline void read_everything(const nfbus_event& event) {
  using namespace host;
  Sum sum;
  for (const Bytes bytes : {to_bytes(event.payload), to_bytes(event.hw_header), to_bytes(event.record),
                            packet_bytes(event), ipv4_options(event), tcp_options(event), transport_data(event)}) {
    sum.add(bytes);
  }
  for (const nfbus_text text : {event.topic, event.prefix, event.in_name, event.out_name, event.decode_error}) {
    for (const char c : view(text)) sum.add(static_cast<std::uint8_t>(c));
  }
  read_link_and_network(event, sum);
  read_transport(event, sum);
}

// The promise that a decoded event breaks; null: none.
inline const char* broken_promise(const nfbus_event& event) {
  using namespace host;
  const auto inside = [&event](const void* data, std::size_t size) {
    const auto* begin = static_cast<const std::uint8_t*>(data);
    return size == 0 || (begin >= event.record.data && begin + size <= event.record.data + event.record.size);
  };
  if (!inside(event.payload.data, event.payload.size)) return "the payload lies in the record";
  if (!inside(event.hw_header.data, event.hw_header.size)) return "the hardware header lies in the record";
  if (!inside(event.hw_address.data, event.hw_address.size)) return "the hardware address lies in the record";
  if (!inside(event.prefix.data, event.prefix.size)) return "the prefix lies in the record";
  if (event.packet_size < event.payload.size) return "the packet is not smaller than the payload";

  const bool has_transport = event.transport_offset != NFBUS_NO_OFFSET;
  const bool has_data = event.data_offset != NFBUS_NO_OFFSET;
  if (has_transport && event.transport_offset >= event.payload.size) return "transport_offset lies in the payload";
  if (has_data && !has_transport) return "data stands behind a transport header";
  if (has_data && event.data_offset > event.payload.size) return "data_offset lies in the payload or at its end";
  if (has_data && event.data_offset <= event.transport_offset) return "data stands behind its header";
  constexpr std::uint32_t kTransports =
      NFBUS_LAYER_TCP | NFBUS_LAYER_UDP | NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6 | NFBUS_LAYER_SCTP | NFBUS_LAYER_ESP;
  const std::uint32_t transports = event.layers & kTransports;
  if (transports != 0 && !has_transport) return "a transport layer has an offset";
  if ((transports & (transports - 1)) != 0) return "there is one transport layer";
  if ((event.layers & NFBUS_LAYER_FRAGMENT) != 0 && has_transport) return "a later fragment has no transport header";
  if ((event.present & NFBUS_HAS_PORTS) != 0 && !has_transport) return "ports stand in a transport header";

  const auto readable = [&event](std::uint32_t layer, bool found) { return ((event.layers & layer) != 0) == found; };
  const bool all_readable = readable(NFBUS_LAYER_ETHERNET, find_header<EthernetHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_ARP, find_header<ArpHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_IPV4, find_header<Ipv4Header>(event).has_value()) &&
                            readable(NFBUS_LAYER_IPV6, find_header<Ipv6Header>(event).has_value()) &&
                            readable(NFBUS_LAYER_TCP, find_header<TcpHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_UDP, find_header<UdpHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_ICMP, find_header<IcmpHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_ICMPV6, find_header<Icmpv6Header>(event).has_value()) &&
                            readable(NFBUS_LAYER_SCTP, find_header<SctpHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_AH, find_header<AhHeader>(event).has_value()) &&
                            readable(NFBUS_LAYER_ESP, find_header<EspHeader>(event).has_value());
  return all_readable ? nullptr : "each layer has a header that can be read";
}

// A record as capture decodes it.
inline host::Event decode_record(std::span<const std::uint8_t> record) {
  host::Event event{};
  event.struct_size = sizeof(nfbus_event);
  if (host::read_record(record, event)) host::decode_packet(event);
  return event;
}

}  // namespace nfbus::test
