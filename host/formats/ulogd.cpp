#include "formats/ulogd.hpp"

#include "decode/arp.hpp"
#include "decode/ethernet.hpp"
#include "decode/icmp.hpp"
#include "decode/icmpv6.hpp"
#include "decode/ipsec.hpp"
#include "decode/ipv4.hpp"
#include "decode/ipv6.hpp"
#include "decode/reader.hpp"
#include "decode/sctp.hpp"
#include "decode/tcp.hpp"
#include "decode/udp.hpp"
#include "formats/json_writer.hpp"
#include "formats/message.hpp"
#include "formats/time_text.hpp"

#include <linux/if_arp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <span>

namespace nfbus::host {

namespace {

using json::put;
using json::put_ipv4;
using json::put_ipv6;
using json::put_text;
using json::put_u32;
using json::put_u8;

// More than all fixed texts, numbers and addresses of one record together.
constexpr std::size_t kFixedRoom = 2048;

// ---- Transport headers ---------------------------------------------------------------------------------------------

char* put_ports(char* out, std::uint16_t source, std::uint16_t destination) noexcept {
  out = put_u32(put(out, R"(,"src_port":)"), source);
  return put_u32(put(out, R"(,"dest_port":)"), destination);
}

char* put_flag(char* out, std::uint16_t flags, std::uint16_t flag) noexcept {
  *out = (flags & flag) != 0 ? '1' : '0';
  return out + 1;
}

char* put_tcp(char* out, const TcpHeader& tcp) noexcept {
  const std::uint16_t flags = tcp.flags();
  out = put_ports(out, tcp.source_port(), tcp.destination_port());
  out = put_u32(put(out, R"(,"tcp.seq":)"), tcp.seq());
  out = put_u32(put(out, R"(,"tcp.ackseq":)"), tcp.ack());
  out = put_u32(put(out, R"(,"tcp.window":)"), tcp.window());
  // ulogd2 takes these two bit fields for 16-bit numbers in network order, so that both are always 0.
  out = put_flag(put(out, R"(,"tcp.offset":0,"tcp.reserved":0,"tcp.urg":)"), flags, TcpHeader::kUrg);
  if ((flags & TcpHeader::kUrg) != 0) out = put_u32(put(out, R"(,"tcp.urgp":)"), tcp.urgent());
  out = put_flag(put(out, R"(,"tcp.ack":)"), flags, TcpHeader::kAck);
  out = put_flag(put(out, R"(,"tcp.psh":)"), flags, TcpHeader::kPsh);
  out = put_flag(put(out, R"(,"tcp.rst":)"), flags, TcpHeader::kRst);
  out = put_flag(put(out, R"(,"tcp.syn":)"), flags, TcpHeader::kSyn);
  out = put_flag(put(out, R"(,"tcp.fin":)"), flags, TcpHeader::kFin);
  out = put_u8(put(out, R"(,"tcp.res1":)"), tcp.reserved());
  out = put_u8(put(out, R"(,"tcp.res2":)"),
               static_cast<std::uint8_t>((flags & (TcpHeader::kCwr | TcpHeader::kEce)) / TcpHeader::kEce));
  return put_u32(put(out, R"(,"tcp.csum":)"), tcp.checksum());
}

char* put_udp(char* out, const UdpHeader& udp) noexcept {
  out = put_ports(out, udp.source_port(), udp.destination_port());
  out = put_u32(put(out, R"(,"udp.len":)"), udp.length());
  return put_u32(put(out, R"(,"udp.csum":)"), udp.checksum());
}

char* put_sctp(char* out, const SctpHeader& sctp) noexcept {
  out = put_ports(out, sctp.source_port(), sctp.destination_port());
  return put_u32(put(out, R"(,"sctp.csum":)"), sctp.checksum());
}

// ulogd2 does not convert the checksums of ICMP and ICMPv6 from network order, and so prints them byte-swapped on
// little-endian machines, where all its users are.
constexpr std::uint16_t swapped(std::uint16_t value) noexcept {
  return static_cast<std::uint16_t>(value << 8U | value >> 8U);
}

char* put_icmp(char* out, const IcmpHeader& icmp) noexcept {
  out = put_u8(put(out, R"(,"icmp.type":)"), icmp.type());
  out = put_u8(put(out, R"(,"icmp.code":)"), icmp.code());
  if (icmp.type() == IcmpHeader::kEcho || icmp.type() == IcmpHeader::kEchoReply) {
    out = put_u32(put(out, R"(,"icmp.echoid":)"), icmp.id());
    out = put_u32(put(out, R"(,"icmp.echoseq":)"), icmp.sequence());
  } else if (icmp.type() == IcmpHeader::kUnreachable && icmp.code() == IcmpHeader::kCodeFragmentationNeeded) {
    out = put_u32(put(out, R"(,"icmp.fragmtu":)"), icmp.mtu());
  }
  return put_u32(put(out, R"(,"icmp.csum":)"), swapped(icmp.checksum()));
}

char* put_icmpv6(char* out, const Icmpv6Header& icmp) noexcept {
  out = put_u8(put(out, R"(,"icmpv6.type":)"), icmp.type());
  out = put_u8(put(out, R"(,"icmpv6.code":)"), icmp.code());
  if (icmp.type() == Icmpv6Header::kEchoRequest || icmp.type() == Icmpv6Header::kEchoReply) {
    out = put_u32(put(out, R"(,"icmpv6.echoid":)"), icmp.id());
    out = put_u32(put(out, R"(,"icmpv6.echoseq":)"), icmp.sequence());
  }
  return put_u32(put(out, R"(,"icmpv6.csum":)"), swapped(icmp.checksum()));
}

// ---- Network headers -----------------------------------------------------------------------------------------------

// What ulogd2's packet interpreter sees in a packet. Where a view is empty it prints none of its keys.
struct Network {
  std::optional<Ipv4Header> ipv4;
  std::optional<Ipv6Header> ipv6;
  std::optional<ArpHeader> arp;
  bool native = true;  // false: ulogd2 knows of no network header here, so its keys are ours and come last
};

Network network_of(const Event& event, Bytes packet) noexcept {
  Network network;
  const Reader reader(packet);
  network.native = event.family == AF_INET || event.family == AF_INET6 || event.family == AF_BRIDGE;
  if ((event.layers & NFBUS_LAYER_IPV4) != 0) {
    network.ipv4 = reader.peek<Ipv4Header>();
    // ulogd2 wants at least one byte behind the header.
    if (network.ipv4 && packet.size() <= network.ipv4->size_bytes()) network.native = false;
  } else if ((event.layers & NFBUS_LAYER_IPV6) != 0) {
    network.ipv6 = reader.peek<Ipv6Header>();
  } else if ((event.layers & NFBUS_LAYER_ARP) != 0) {
    network.arp = reader.peek<ArpHeader>();
  }
  return network;
}

char* put_ipv4_keys(char* out, const Ipv4Header& ip, Bytes packet) noexcept {
  out = put_u8(put(out, R"(,"ip.protocol":)"), ip.protocol());
  out = put_u8(put(out, R"(,"ip.tos":)"), ip.tos());
  out = put_u8(put(out, R"(,"ip.ttl":)"), ip.ttl());
  out = put_u32(put(out, R"(,"ip.totlen":)"), ip.total_length());
  out = put_u8(put(out, R"(,"ip.ihl":)"), ip.ihl());
  out = put_u32(put(out, R"(,"ip.csum":)"), ip.checksum());
  out = put_u32(put(out, R"(,"ip.id":)"), ip.id());
  out = put_u32(put(out, R"(,"ip.fragoff":)"), ip.fragment_word());
  if (ip.fragment_offset() != 0) return out;
  const Reader reader(packet, ip.size_bytes());
  switch (ip.protocol()) {
    case IPPROTO_TCP:
      if (const auto tcp = reader.peek<TcpHeader>()) return put_tcp(out, *tcp);
      return out;
    case IPPROTO_UDP:
      if (const auto udp = reader.peek<UdpHeader>()) return put_udp(out, *udp);
      return out;
    case IPPROTO_ICMP:
      if (const auto icmp = reader.peek<IcmpHeader>()) return put_icmp(out, *icmp);
      return out;
    case IPPROTO_SCTP:
      if (const auto sctp = reader.peek<SctpHeader>()) return put_sctp(out, *sctp);
      return out;
    default: return out;
  }
}

// Where ulogd2's own way through the extension headers ends.
struct Ipv6End {
  Reader reader;                               // at the upper header
  std::optional<std::uint8_t> next_header;     // of the last header it understood; none: the chain is cut short
  bool has_upper = false;                      // next_header is an upper protocol whose header is in this packet
  std::optional<Ipv6FragmentHeader> fragment;  // the last one
};

Ipv6End walk_ipv6(const Ipv6Header& ip, Bytes packet) noexcept {
  Ipv6End end{Reader(packet, Ipv6Header::kSize), std::nullopt, false, std::nullopt};
  std::uint8_t kind = ip.next_header();
  while (true) {
    std::size_t size_bytes = 0;
    std::uint8_t following = 0;
    switch (kind) {
      case IPPROTO_FRAGMENT: {
        end.fragment = end.reader.peek<Ipv6FragmentHeader>();
        if (!end.fragment) return end;
        size_bytes = Ipv6FragmentHeader::kSize;
        following = end.fragment->next_header();
        break;
      }
      case IPPROTO_HOPOPTS:
      case IPPROTO_ROUTING:
      case IPPROTO_DSTOPTS: {
        const auto extension = end.reader.peek<Ipv6ExtensionHeader>();
        if (!extension) return end;
        size_bytes = extension->size_bytes();
        following = extension->next_header();
        break;
      }
      case IPPROTO_AH: {
        const auto ah = end.reader.peek<AhHeader>();
        if (!ah) return end;
        size_bytes = ah->size_bytes();
        following = ah->next_header();
        break;
      }
      case IPPROTO_ESP: end.next_header = kind; return end;
      default:
        end.next_header = kind;
        end.has_upper = true;
        return end;
    }
    if (!end.reader.skip(size_bytes)) return end;
    kind = following;
    if (end.fragment && end.fragment->fragment_offset() != 0) {
      end.next_header = kind;
      return end;
    }
  }
}

char* put_ipv6_keys(char* out, const Ipv6Header& ip, const Ipv6End& end) noexcept {
  if (end.has_upper) out = put_u8(put(out, R"(,"ip.protocol":)"), *end.next_header);
  out = put_u32(put(out, R"(,"ip6.payloadlen":)"), ip.payload_length());
  out = put_u8(put(out, R"(,"ip6.priority":)"), ip.traffic_class());
  out = put_u32(put(out, R"(,"ip6.flowlabel":)"), ip.flow_label());
  out = put_u8(put(out, R"(,"ip6.hoplimit":)"), ip.hop_limit());
  if (end.next_header) out = put_u8(put(out, R"(,"ip6.nexthdr":)"), *end.next_header);
  if (end.fragment) {
    out = put_u32(put(out, R"(,"ip6.fragoff":)"), std::uint32_t{end.fragment->fragment_offset()} * 8);
    out = put_u32(put(out, R"(,"ip6.fragid":)"), end.fragment->id());
  }
  if (!end.has_upper) return out;
  switch (*end.next_header) {
    case IPPROTO_TCP:
      if (const auto tcp = end.reader.peek<TcpHeader>()) return put_tcp(out, *tcp);
      return out;
    case IPPROTO_UDP:
      if (const auto udp = end.reader.peek<UdpHeader>()) return put_udp(out, *udp);
      return out;
    case IPPROTO_ICMPV6:
      if (const auto icmp = end.reader.peek<Icmpv6Header>()) return put_icmpv6(out, *icmp);
      return out;
    default: return out;
  }
}

char* put_network_keys(char* out, const Network& network, const std::optional<Ipv6End>& ipv6_end,
                       Bytes packet) noexcept {
  if (network.ipv4) return put_ipv4_keys(out, *network.ipv4, packet);
  if (network.ipv6) return put_ipv6_keys(out, *network.ipv6, *ipv6_end);
  if (network.arp) {
    out = put_u32(put(out, R"(,"arp.hwtype":)"), network.arp->hardware_type());
    out = put_u32(put(out, R"(,"arp.protocoltype":)"), network.arp->protocol_type());
    out = put_u32(put(out, R"(,"arp.operation":)"), network.arp->operation());
  }
  return out;
}

char* put_addresses(char* out, const Network& network) noexcept {
  if (network.ipv4) {
    out = put_ipv4(put(out, R"(,"src_ip":")"), network.ipv4->source());
    out = put_ipv4(put(out, R"(","dest_ip":")"), network.ipv4->destination());
  } else if (network.ipv6) {
    out = put_ipv6(put(out, R"(,"src_ip":")"), network.ipv6->source());
    out = put_ipv6(put(out, R"(","dest_ip":")"), network.ipv6->destination());
  } else if (network.arp) {
    out = put_ipv4(put(out, R"(,"arp.saddr.str":")"), network.arp->sender_address());
    out = put_ipv4(put(out, R"(","arp.daddr.str":")"), network.arp->target_address());
  } else {
    return out;
  }
  return put(out, "\"");
}

// ---- Link layer ----------------------------------------------------------------------------------------------------

char* put_link_keys(char* out, const nfbus_event& event, Bytes address, Bytes header) noexcept {
  const bool ethernet = event.hw_type == ARPHRD_ETHER && header.size() >= EthernetHeader::kSize;
  if (address.empty() && ethernet) address = header.subspan(6, 6);
  if (!address.empty()) {
    out = put(json::put_hex_bytes(put(out, R"(,"mac.saddr.str":")"), address), "\"");
  }
  if (ethernet) out = put(json::put_hex_bytes(put(out, R"(,"mac.daddr.str":")"), header.first(6)), "\"");
  if (!header.empty()) out = put(json::put_hex_bytes(put(out, R"(,"mac.str":")"), header), "\"");
  return out;
}

}  // namespace

UlogdFormat::UlogdFormat(std::string_view device) {
  TextBuffer text;
  char* at = text.room(json::kMaxEscapedByte * device.size() + 64);
  at = put_text(put(at, R"(","dvc":")"), device);
  text.commit(put(at, R"(","raw.pktlen":)"));
  device_ = text.view();
}

void UlogdFormat::render(const Event& event, TextBuffer& out) const {
  if (event.kind == NFBUS_EVENT_MESSAGE) return render_message(event, out);

  const Bytes packet(event.payload.data, event.payload.size);
  const Bytes header(event.hw_header.data, event.hw_header.size);
  // ulogd2 shows it only beside its type.
  const Bytes address =
      (event.present & NFBUS_HAS_HW_TYPE) != 0 ? Bytes(event.hw_address.data, event.hw_address.size) : Bytes{};
  const Network network = network_of(event, packet);
  const std::optional<Ipv6End> ipv6_end =
      network.ipv6 ? std::optional<Ipv6End>(walk_ipv6(*network.ipv6, packet)) : std::nullopt;

  const SplitTime time = split_time(event.time_ns);
  const SecondTexts& second = texts_of(time.second);
  const std::uint32_t microseconds = time.fraction_ns / 1000;

  const nfbus_text port_in = port_in_name(event);
  const nfbus_text port_out = port_out_name(event);
  const std::size_t texts_size = event.prefix.size + event.in_name.size + event.out_name.size + port_in.size +
                                 port_out.size + event.decode_error.size;
  char* at = out.room(kFixedRoom + device_.size() + json::kMaxEscapedByte * texts_size + 3 * header.size());

  at = put(put(at, R"({"timestamp":")"), std::string_view(second.date_time.data(), second.date_time.size()));
  at = json::put_six_digits(put(at, "."), microseconds);
  at = put(at, std::string_view(second.zone.data(), second.zone.size()));
  at = put(at, device_);
  at = put_u32(at, static_cast<std::uint32_t>(packet.size()));
  at = put_text(put(at, R"(,"raw.pktcount":1,"oob.prefix":")"), view(event.prefix));
  at = put(at, R"(","oob.time.sec":)");
  at = put(at, std::string_view(second.epoch.data(), second.epoch_size));
  at = put_u32(put(at, R"(,"oob.time.usec":)"), microseconds);
  at = put_u32(put(at, R"(,"oob.mark":)"), event.mark);
  if ((event.present & NFBUS_HAS_IN) != 0) at = put_u32(put(at, R"(,"oob.ifindex_in":)"), event.in_index);
  if ((event.present & NFBUS_HAS_OUT) != 0) at = put_u32(put(at, R"(,"oob.ifindex_out":)"), event.out_index);
  at = put_u8(put(at, R"(,"oob.hook":)"), event.hook);
  if (!header.empty()) at = put_u32(put(at, R"(,"raw.mac_len":)"), static_cast<std::uint32_t>(header.size()));
  at = put_u8(put(at, R"(,"oob.family":)"), event.family);
  at = put_u32(put(at, R"(,"oob.protocol":)"), event.ether_type);
  if ((event.present & NFBUS_HAS_UID) != 0) at = put_u32(put(at, R"(,"oob.uid":)"), event.uid);
  if ((event.present & NFBUS_HAS_GID) != 0) at = put_u32(put(at, R"(,"oob.gid":)"), event.gid);
  at = event.action == NFBUS_ACTION_BLOCKED ? put(at, R"(,"action":"blocked")") : put(at, R"(,"action":"allowed")");
  if (!header.empty()) at = put_u32(put(at, R"(,"raw.type":)"), event.hw_type);
  if (!address.empty()) at = put_u8(put(at, R"(,"raw.mac.addrlen":)"), static_cast<std::uint8_t>(address.size()));
  if (network.native) at = put_network_keys(at, network, ipv6_end, packet);
  at = put_text(put(at, R"(,"oob.in":")"), view(event.in_name));
  at = put_text(put(at, R"(","oob.out":")"), view(event.out_name));
  at = put(at, "\"");
  if (network.native) at = put_addresses(at, network);
  at = put_link_keys(at, event, address, header);

  if (!network.native) at = put_addresses(put_network_keys(at, network, ipv6_end, packet), network);
  if (ipv6_end && ipv6_end->has_upper && *ipv6_end->next_header == IPPROTO_SCTP) {
    if (const auto sctp = ipv6_end->reader.peek<SctpHeader>()) at = put_sctp(at, *sctp);
  }
  if (event.decode_error.size != 0) {
    at = put(put_text(put(at, R"(,"DecodeError":")"), view(event.decode_error)), "\"");
  }
  if ((event.present & NFBUS_HAS_PHYS_IN) != 0) {
    at = put(put_text(put(at, R"(,"oob.physin":")"), view(port_in)), "\"");
  }
  if ((event.present & NFBUS_HAS_PHYS_OUT) != 0) {
    at = put(put_text(put(at, R"(,"oob.physout":")"), view(port_out)), "\"");
  }
  out.commit(put(at, "}"));
}

void UlogdFormat::append_fields(const nfbus_event& event, TextBuffer& out) const {
  append_fields_object(event, out, [](std::string_view) { return true; });
}

}  // namespace nfbus::host
