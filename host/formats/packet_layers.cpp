#include "formats/packet_layers.hpp"

#include "formats/json_writer.hpp"

#include <net/if_arp.h>

#include <algorithm>

namespace nfbus::host {

namespace {

using json::put;
using json::put_base64;
using json::put_bool;
using json::put_hex_bytes;
using json::put_u32;
using json::put_u8;

// More than all keys, numbers and addresses of one event's layers together: IPv4 and TCP with 40 options of one byte
// each are the longest.
constexpr std::size_t kFixedRoom = 8192;
// The largest contents of a header: IPv4's and TCP's with all their options.
constexpr std::size_t kMaxHeaderBytes = 60;

constexpr std::uint8_t kOptionEnd = 0;
constexpr std::uint8_t kOptionNone = 1;

constexpr std::uint32_t kTransportLayers =
    NFBUS_LAYER_TCP | NFBUS_LAYER_UDP | NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6 | NFBUS_LAYER_SCTP;

// RFC 792: the messages whose last four bytes are an identifier and a sequence number; RFC 950's among them.
constexpr bool has_icmp_id(std::uint8_t type) noexcept {
  constexpr std::uint8_t kTimestamp = 13;
  constexpr std::uint8_t kAddressMaskReply = 18;
  return type == IcmpHeader::kEcho || type == IcmpHeader::kEchoReply ||
         (type >= kTimestamp && type <= kAddressMaskReply);
}

// What ICMP and ICMPv6 begin with alike.
template <class Header>
char* put_icmp_start(char* out, const Header& icmp) noexcept {
  out = put_u8(put(out, R"("Type":)"), icmp.type());
  out = put_u8(put(out, R"(,"Code":)"), icmp.code());
  return put_u32(put(out, R"(,"Checksum":)"), icmp.checksum());
}

char* put_ports(char* out, std::uint16_t source, std::uint16_t destination) noexcept {
  out = put_u32(put(out, R"("SrcPort":)"), source);
  return put_u32(put(out, R"(,"DstPort":)"), destination);
}

char* put_ethernet(char* out, const nfbus_event& event, const EthernetHeader& ethernet) noexcept {
  out = put_hex_bytes(put(out, R"("Ethernet":{"SrcMAC":")"), ethernet.source());
  out = put_hex_bytes(put(out, R"(","DstMAC":")"), ethernet.destination());
  // The kernel gives no type where a packet leaves a bridge.
  const std::uint16_t hw_type = (event.present & NFBUS_HAS_HW_TYPE) != 0 ? event.hw_type : std::uint16_t{ARPHRD_ETHER};
  return put(put_u32(put(out, R"(","HwType":)"), hw_type), "},");
}

char* put_vlan(char* out, const nfbus_event& event) noexcept {
  out = put_u32(put(out, R"("VLAN":{"Id":)"), vlan_id(event.vlan_tci));
  out = put_u8(put(out, R"(,"Priority":)"), vlan_priority(event.vlan_tci));
  out = put_bool(put(out, R"(,"DropEligible":)"), vlan_drop_eligible(event.vlan_tci));
  return put(put_u32(put(out, R"(,"Protocol":)"), event.vlan_protocol), "},");
}

// The Length of SPR's clients is a 16-bit number.
char* put_length(char* out, std::size_t length_bytes) noexcept {
  return put_u32(put(out, R"("Length":)"), static_cast<std::uint32_t>(std::min<std::size_t>(length_bytes, 0xffff)));
}

}  // namespace

PacketLayers::PacketLayers(const nfbus_event& event, bool full, const PacketLimits& limits) noexcept
    : event_(event), limits_(limits), full_(full) {
  const Bytes payload = to_bytes(event.payload);
  packet_ = payload;
  std::size_t header_bytes = ArpHeader::kSize;
  bool fragment = (event.layers & NFBUS_LAYER_FRAGMENT) != 0;  // also the first one, as in SPR
  if ((ipv4_ = find_header<Ipv4Header>(event))) {
    packet_ = without_padding(*ipv4_, payload);
    header_bytes = std::max(ipv4_->size_bytes(), Ipv4Header::kSize);
    fragment = fragment || (ipv4_->flags() & Ipv4Header::kMoreFragments) != 0;
  } else if ((ipv6_ = find_header<Ipv6Header>(event))) {
    packet_ = without_padding(*ipv6_, payload);
    header_bytes = Ipv6Header::kSize;
    if (ipv6_->next_header() != event.ip_protocol) {  // there are extension headers
      ipv6_fragment_ = find_ipv6_fragment(event);
      fragment = fragment || (ipv6_fragment_ && ipv6_fragment_->more_fragments());
    }
  }
  has_transport_ = (event.layers & kTransportLayers) != 0 && !fragment;
  if (!full_) return;
  network_payload_ = clamped(packet_, header_bytes, packet_.size());
  if (has_transport_) transport_payload_ = transport_data(event);
}

std::size_t PacketLayers::room_bytes() const noexcept {
  if (!full_) return kFixedRoom;
  return kFixedRoom + 2 * json::base64_bytes(kMaxHeaderBytes) +
         json::base64_bytes(std::min(limits_.payload_bytes, network_payload_.size())) +
         json::base64_bytes(std::min(limits_.payload_bytes, transport_payload_.size()));
}

char* PacketLayers::put_layers(char* out) noexcept {
  if (const auto ethernet = find_header<EthernetHeader>(event_)) out = put_ethernet(out, event_, *ethernet);
  if ((event_.layers & NFBUS_LAYER_VLAN) != 0) out = put_vlan(out, event_);
  if (const auto arp = find_header<ArpHeader>(event_)) out = put_arp(out, *arp);
  if (has_transport_) out = put_transport(out);
  if (ipv4_) return put_ipv4(out, *ipv4_);
  if (ipv6_) return put_ipv6(out, *ipv6_);
  return out;
}

char* PacketLayers::put_body(char* out, Bytes contents, Bytes payload) const noexcept {
  if (!full_) return out;
  out = put_base64(put(out, R"("Contents":")"), contents);
  out = put_base64(json::put(out, R"(","Payload":")"), payload.first(std::min(limits_.payload_bytes, payload.size())));
  return put(out, R"(",)");
}

// RFC 791 and RFC 9293 section 3.1 have the same options: one byte, or a type, the length of all and data.
char* PacketLayers::put_options(char* out, Bytes options, std::string_view what_is_wrong,
                                std::string_view& error) const noexcept {
  if (options.empty()) return put(out, R"([],"Padding":null)");
  *out++ = '[';
  const char* const begin = out;
  bool ended = false;
  for (std::size_t count = 0; !options.empty() && !ended && count < limits_.options; ++count) {
    const std::uint8_t type = options.front();
    std::uint8_t size = 1;
    if (type == kOptionNone) {
      out = put(out, R"({"OptionType":1,"OptionLength":1,"OptionData":null},)");
    } else if (type == kOptionEnd) {
      out = put(out, R"({"OptionType":0,"OptionLength":1,"OptionData":null},)");
      ended = true;
    } else {
      size = options.size() < 2 ? std::uint8_t{0} : options[1];
      if (size < 2 || size > options.size()) {
        error = what_is_wrong;
        break;
      }
      out = put_u8(put(out, R"({"OptionType":)"), type);
      out = put_u8(put(out, R"(,"OptionLength":)"), size);
      out = put(put_base64(put(out, R"(,"OptionData":")"), options.first(size).subspan(2)), R"("},)");
    }
    options = options.subspan(size);
  }
  if (out != begin) --out;  // the last comma
  if (!ended) return put(out, R"(],"Padding":null)");
  return put(put_base64(put(out, R"(],"Padding":")"), options), "\"");
}

char* PacketLayers::put_arp(char* out, const ArpHeader& arp) const noexcept {
  out = put_body(put(out, R"("ARP":{)"), arp.bytes(), network_payload_);
  out = put_u32(put(out, R"("HwType":)"), arp.hardware_type());
  out = put_u32(put(out, R"(,"Operation":)"), arp.operation());
  out = put_hex_bytes(put(out, R"(,"SrcMAC":")"), arp.sender_hardware());
  out = json::put_ipv4(put(out, R"(","SrcIP":")"), arp.sender_address());
  out = put_hex_bytes(put(out, R"(","DstMAC":")"), arp.target_hardware());
  return put(json::put_ipv4(put(out, R"(","DstIP":")"), arp.target_address()), R"("},)");
}

char* PacketLayers::put_transport(char* out) noexcept {
  if (const auto tcp = find_header<TcpHeader>(event_)) return put_tcp(out, *tcp);
  if (const auto udp = find_header<UdpHeader>(event_)) return put_udp(out, *udp);
  if (const auto icmp = find_header<IcmpHeader>(event_)) return put_icmp(out, *icmp);
  if (const auto icmpv6 = find_header<Icmpv6Header>(event_)) return put_icmpv6(out, *icmpv6);
  if (const auto sctp = find_header<SctpHeader>(event_)) return put_sctp(out, *sctp);
  return out;
}

char* PacketLayers::put_tcp(char* out, const TcpHeader& tcp) noexcept {
  const std::size_t begin = event_.transport_offset;
  const std::uint16_t flags = tcp.flags();
  const auto put_flag = [flags](char* at, std::uint16_t flag) { return put_bool(at, (flags & flag) != 0); };
  const std::size_t header_bytes = std::max(tcp.size_bytes(), TcpHeader::kSize);
  out = put_body(put(out, R"("TCP":{)"), clamped(packet_, begin, begin + header_bytes), transport_payload_);
  out = put_ports(out, tcp.source_port(), tcp.destination_port());
  out = put_u32(put(out, R"(,"Seq":)"), tcp.seq());
  out = put_u32(put(out, R"(,"Ack":)"), tcp.ack());
  out = put_u8(put(out, R"(,"DataOffset":)"), tcp.data_offset());
  out = put_flag(put(out, R"(,"FIN":)"), TcpHeader::kFin);
  out = put_flag(put(out, R"(,"SYN":)"), TcpHeader::kSyn);
  out = put_flag(put(out, R"(,"RST":)"), TcpHeader::kRst);
  out = put_flag(put(out, R"(,"PSH":)"), TcpHeader::kPsh);
  out = put_flag(put(out, R"(,"ACK":)"), TcpHeader::kAck);
  out = put_flag(put(out, R"(,"URG":)"), TcpHeader::kUrg);
  out = put_flag(put(out, R"(,"ECE":)"), TcpHeader::kEce);
  out = put_flag(put(out, R"(,"CWR":)"), TcpHeader::kCwr);
  out = put_flag(put(out, R"(,"NS":)"), TcpHeader::kNs);
  out = put_u32(put(out, R"(,"Window":)"), tcp.window());
  out = put_u32(put(out, R"(,"Checksum":)"), tcp.checksum());
  out = put_u32(put(out, R"(,"Urgent":)"), tcp.urgent());
  const Bytes options = clamped(packet_, begin + TcpHeader::kSize, begin + header_bytes);
  out = put_options(put(out, R"(,"Options":)"), options, "TCP: option of impossible length", transport_error_);
  return put(out, "},");
}

char* PacketLayers::put_udp(char* out, const UdpHeader& udp) const noexcept {
  out = put_body(put(out, R"("UDP":{)"), udp.bytes(), transport_payload_);
  out = put_ports(out, udp.source_port(), udp.destination_port());
  out = put_u32(put(out, R"(,"Length":)"), udp.length());
  return put(put_u32(put(out, R"(,"Checksum":)"), udp.checksum()), "},");
}

char* PacketLayers::put_icmp(char* out, const IcmpHeader& icmp) const noexcept {
  out = put_body(put(out, R"("ICMP":{)"), icmp.bytes(), transport_payload_);
  out = put_icmp_start(out, icmp);
  if (has_icmp_id(icmp.type())) {
    out = put_u32(put(out, R"(,"Id":)"), icmp.id());
    out = put_u32(put(out, R"(,"Seq":)"), icmp.sequence());
  } else if (icmp.type() == IcmpHeader::kUnreachable && icmp.code() == IcmpHeader::kCodeFragmentationNeeded) {
    out = put_u32(put(out, R"(,"MTU":)"), icmp.mtu());
  } else if (icmp.type() == IcmpHeader::kRedirect) {
    out = put(json::put_ipv4(put(out, R"(,"Gateway":")"), icmp.bytes().subspan<4, 4>()), "\"");
  } else if (icmp.type() == IcmpHeader::kParameterProblem) {
    out = put_u8(put(out, R"(,"Pointer":)"), icmp.pointer());
  }
  return put(out, "},");
}

char* PacketLayers::put_icmpv6(char* out, const Icmpv6Header& icmp) const noexcept {
  constexpr std::size_t kAddressBytes = 16;
  out = put_body(put(out, R"("ICMPv6":{)"), icmp.bytes(), transport_payload_);
  out = put_icmp_start(out, icmp);
  switch (icmp.type()) {
    case Icmpv6Header::kEchoRequest:
    case Icmpv6Header::kEchoReply:
      out = put_u32(put(out, R"(,"Id":)"), icmp.id());
      out = put_u32(put(out, R"(,"Seq":)"), icmp.sequence());
      break;
    case Icmpv6Header::kPacketTooBig: out = put_u32(put(out, R"(,"MTU":)"), icmp.mtu()); break;
    case Icmpv6Header::kParameterProblem: out = put_u32(put(out, R"(,"Pointer":)"), icmp.pointer()); break;
    case Icmpv6Header::kNeighborSolicitation:
    case Icmpv6Header::kNeighborAdvertisement: {
      const Bytes data = clamped(packet_, event_.data_offset, packet_.size());
      if (data.size() < kAddressBytes) break;
      out = put(json::put_ipv6(put(out, R"(,"Target":")"), data.first<kAddressBytes>()), "\"");
      break;
    }
    default: break;
  }
  return put(out, "},");
}

char* PacketLayers::put_sctp(char* out, const SctpHeader& sctp) const noexcept {
  out = put_body(put(out, R"("SCTP":{)"), sctp.bytes(), transport_payload_);
  out = put_ports(out, sctp.source_port(), sctp.destination_port());
  out = put_u32(put(out, R"(,"VerificationTag":)"), sctp.verification_tag());
  return put(put_u32(put(out, R"(,"Checksum":)"), sctp.checksum()), "},");
}

char* PacketLayers::put_ipv4(char* out, const Ipv4Header& ip) noexcept {
  const std::size_t header_bytes = std::max(ip.size_bytes(), Ipv4Header::kSize);
  out = put_body(put(out, R"("IP":{)"), clamped(packet_, 0, header_bytes), network_payload_);
  out = put_u8(put(out, R"("Version":4,"IHL":)"), ip.ihl());
  out = put_u8(put(out, R"(,"TOS":)"), ip.tos());
  // 0: the network card was to cut the packet in pieces; SPR then shows what was captured.
  out = put_length(put(out, ","), ip.total_length() == 0 ? packet_.size() : ip.total_length());
  out = put_u32(put(out, R"(,"Id":)"), ip.id());
  out = put_u8(put(out, R"(,"Flags":)"), ip.flags());
  out = put_u32(put(out, R"(,"FragOffset":)"), ip.fragment_offset());
  out = put_u8(put(out, R"(,"TTL":)"), ip.ttl());
  out = put_u8(put(out, R"(,"Protocol":)"), ip.protocol());
  out = put_u32(put(out, R"(,"Checksum":)"), ip.checksum());
  out = json::put_ipv4(put(out, R"(,"SrcIP":")"), ip.source());
  out = json::put_ipv4(put(out, R"(","DstIP":")"), ip.destination());
  const Bytes options = clamped(packet_, Ipv4Header::kSize, header_bytes);
  if (options.empty()) return put(out, R"(","Options":null,"Padding":null},)");
  out = put_options(put(out, R"(","Options":)"), options, "IPv4: option of impossible length", network_error_);
  return put(out, "},");
}

char* PacketLayers::put_ipv6(char* out, const Ipv6Header& ip) const noexcept {
  out = put_body(put(out, R"("IP":{)"), ip.bytes(), network_payload_);
  out = put_length(put(out, R"("Version":6,)"), ip.payload_length() == 0
                                                    ? std::max<std::size_t>(packet_.size(), event_.packet_size)
                                                    : Ipv6Header::kSize + ip.payload_length());
  if (ipv6_fragment_) {
    // Not Id, which SPR's clients read as a 16-bit number.
    out = put_u32(put(out, R"(,"FragmentId":)"), ipv6_fragment_->id());
    out = put_u8(put(out, R"(,"Flags":)"), ipv6_fragment_->more_fragments() ? Ipv4Header::kMoreFragments : 0);
    out = put_u32(put(out, R"(,"FragOffset":)"), ipv6_fragment_->fragment_offset());
  }
  out = put_u8(put(out, R"(,"TTL":)"), ip.hop_limit());
  out = put_u8(put(out, R"(,"Protocol":)"), event_.ip_protocol);
  out = put_u8(put(out, R"(,"TrafficClass":)"), ip.traffic_class());
  out = put_u32(put(out, R"(,"FlowLabel":)"), ip.flow_label());
  out = json::put_ipv6(put(out, R"(,"SrcIP":")"), ip.source());
  return put(json::put_ipv6(put(out, R"(","DstIP":")"), ip.destination()), R"("},)");
}

}  // namespace nfbus::host
