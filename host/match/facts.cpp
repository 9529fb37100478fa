#include "match/facts.hpp"

#include "decode/headers.hpp"
#include "event/event.hpp"
#include "event/topic.hpp"

#include <linux/netfilter.h>

namespace nfbus::host {

namespace {

std::uint32_t families_of(const nfbus_event& event) noexcept {
  std::uint32_t families = 0;
  switch (event.family) {
    case NFPROTO_IPV4: families = kFamilyIp; break;
    case NFPROTO_IPV6: families = kFamilyIp6; break;
    case NFPROTO_ARP: families = kFamilyArp; break;
    case NFPROTO_BRIDGE: families = kFamilyBridge; break;
    case NFPROTO_NETDEV: families = kFamilyNetdev; break;
    default: break;
  }
  if ((event.layers & NFBUS_LAYER_IPV4) != 0) families |= kFamilyIp;
  if ((event.layers & NFBUS_LAYER_IPV6) != 0) families |= kFamilyIp6;
  if ((event.layers & NFBUS_LAYER_ARP) != 0) families |= kFamilyArp;
  return families;
}

Ipv6Number ipv6_number(std::span<const std::uint8_t, 16> bytes) noexcept {
  return {.high = load_be64(bytes.first<8>()), .low = load_be64(bytes.last<8>())};
}

std::uint64_t mac_number(std::span<const std::uint8_t, 6> bytes) noexcept {
  return std::uint64_t{load_be16(bytes.first<2>())} << 32U | load_be32(bytes.last<4>());
}

}  // namespace

Facts::Facts(const nfbus_event& from) noexcept : event(&from) {
  set(Field::topic, view(from.topic));
  if (from.kind == NFBUS_EVENT_PACKET) read_packet(from);
  set_traits();
}

void Facts::set(Field field, std::uint32_t value) noexcept {
  numbers[static_cast<std::size_t>(field)] = value;
  present |= bit(field);
}

void Facts::set(Field field, std::string_view value) noexcept {
  texts[static_cast<std::size_t>(field) - kNumbers] = value;
  present |= bit(field);
}

void Facts::read_packet(const nfbus_event& from) noexcept {
  set(Field::prefix, trim_prefix(view(from.prefix)));
  if (from.in_name.size != 0) set(Field::in_name, view(from.in_name));
  if (from.out_name.size != 0) set(Field::out_name, view(from.out_name));
  if (const nfbus_text port = port_in_name(from); port.size != 0) set(Field::phys_in_name, view(port));
  if (const nfbus_text port = port_out_name(from); port.size != 0) set(Field::phys_out_name, view(port));
  set(Field::action, from.action);
  set(Field::group, from.group);
  if (const std::uint32_t families = families_of(from); families != 0) set(Field::families, families);
  set(Field::mark, (from.present & NFBUS_HAS_MARK) != 0 ? from.mark : 0);  // the kernel leaves a mark of 0 out
  if ((from.present & NFBUS_HAS_UID) != 0) set(Field::uid, from.uid);
  set(Field::length, from.packet_size);
  read_network(from);
  read_transport(from);
  read_macs(from);
}

void Facts::read_network(const nfbus_event& from) noexcept {
  if (const auto ipv4 = find_header<Ipv4Header>(from)) {
    ip_version = 4;
    source = load_be32(ipv4->source());
    destination = load_be32(ipv4->destination());
  } else if (const auto ipv6 = find_header<Ipv6Header>(from)) {
    ip_version = 6;
    source6 = ipv6_number(ipv6->source());
    destination6 = ipv6_number(ipv6->destination());
  } else if (const auto arp = find_header<ArpHeader>(from)) {
    ip_version = 4;
    source = load_be32(arp->sender_address());
    destination = load_be32(arp->target_address());
  } else {
    return;
  }
  present |= bit(Field::source) | bit(Field::destination);
  if ((from.layers & (NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6)) == 0) return;
  set(Field::protocol, from.ip_protocol);
  present |= bit(Field::packet);
}

void Facts::read_transport(const nfbus_event& from) noexcept {
  if ((from.present & NFBUS_HAS_PORTS) != 0) {
    set(Field::source_port, from.source_port);
    set(Field::destination_port, from.destination_port);
  }
  if (const auto tcp = find_header<TcpHeader>(from)) set(Field::tcp_flags, tcp->flags());
  if (const auto icmp = find_header<IcmpHeader>(from)) set(Field::icmp_type, icmp->type());
  if (const auto icmpv6 = find_header<Icmpv6Header>(from)) set(Field::icmp_type, kIcmpv6Types + icmpv6->type());
}

void Facts::read_macs(const nfbus_event& from) noexcept {
  const auto ethernet = find_header<EthernetHeader>(from);
  if (ethernet) {
    macs[0] = mac_number(ethernet->source());
    macs[1] = mac_number(ethernet->destination());
  }
  const Bytes sender = to_bytes(from.hw_address);
  if (sender.size() == 6) macs[2] = mac_number(sender.first<6>());
  if (ethernet || sender.size() == 6) present |= bit(Field::mac);
}

void Facts::set_traits() noexcept {
  const auto add = [this](const TraitGroup& group, Field field, std::uint64_t hash) {
    traits |= (present & bit(field)) != 0 ? group.bucket(hash) : group.absent();
  };
  add(kProtocolTraits, Field::protocol, number(Field::protocol));
  add(kSourcePortTraits, Field::source_port, number(Field::source_port));
  add(kDestinationPortTraits, Field::destination_port, number(Field::destination_port));
  const bool is_ipv6 = ip_version == 6;
  add(kSourceTraits, Field::source, is_ipv6 ? network_hash(source6.high) : network_hash(source));
  add(kDestinationTraits, Field::destination, is_ipv6 ? network_hash(destination6.high) : network_hash(destination));
  add(kMarkTraits, Field::mark, number(Field::mark));
  add(kFlagsTraits, Field::tcp_flags, syn_and_ack(number(Field::tcp_flags)));
  add(kInTraits, Field::in_name, text_hash(text(Field::in_name)));
  add(kOutTraits, Field::out_name, text_hash(text(Field::out_name)));
  add(kPrefixTraits, Field::prefix, text_hash(text(Field::prefix)));
  add(kTopicTraits, Field::topic, text_hash(text(Field::topic)));
}

}  // namespace nfbus::host
