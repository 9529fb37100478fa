#include "values.hpp"

#include "../../lib/ascii.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <span>
#include <utility>

namespace influx {
namespace {

constexpr std::array<std::pair<std::string_view, Known>, 26> kNames{{
    {"Device", Known::device},
    {"Prefix", Known::prefix},
    {"Topic", Known::topic},
    {"Action", Known::action},
    {"Group", Known::group},
    {"InDev", Known::in_dev},
    {"OutDev", Known::out_dev},
    {"PhysInDev", Known::phys_in_dev},
    {"PhysOutDev", Known::phys_out_dev},
    {"SrcIP", Known::source},
    {"DstIP", Known::destination},
    {"Protocol", Known::protocol},
    {"SrcPort", Known::source_port},
    {"DstPort", Known::destination_port},
    {"Length", Known::length},
    {"TTL", Known::ttl},
    {"Flags", Known::flags},
    {"Type", Known::type},
    {"Code", Known::code},
    {"Operation", Known::operation},
    {"Mark", Known::mark},
    {"UID", Known::uid},
    {"GID", Known::gid},
    {"DnsName", Known::dns_name},
    {"DnsType", Known::dns_type},
    {"DecodeError", Known::decode_error},
}};

constexpr std::uint8_t kTcp = 6;

// RFC 9293, section 3.1: the low byte of the flags, as text: "syn,ack".
constexpr std::size_t kFlagsByte = 13;
std::array<std::string, 256> all_flags() {
  constexpr std::array<std::string_view, 8> kFlags = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"};
  std::array<std::string, 256> out;
  for (std::size_t byte = 0; byte < out.size(); ++byte) {
    for (std::size_t bit = 0; bit < kFlags.size(); ++bit) {
      if ((byte >> bit & 1U) == 0) continue;
      if (!out[byte].empty()) out[byte] += ',';
      out[byte] += kFlags[bit];
    }
  }
  return out;
}

Value of_text(std::string_view text) { return text.empty() ? Value{} : Value::of(text); }

// inet_ntop() prints IPv4 addresses by printf, which costs as much as all else of a point.
Value of_address(std::span<const std::uint8_t> address, std::array<char, INET6_ADDRSTRLEN>& room) {
  if (address.size() != 4) {
    const nfbus::AddressText text(address);
    const std::size_t size = text.view().copy(room.data(), room.size());
    return of_text({room.data(), size});
  }
  char* at = room.data();
  for (std::size_t i = 0; i < address.size(); ++i) {
    if (i != 0) *at++ = '.';
    at = std::to_chars(at, room.data() + room.size(), unsigned{address[i]}).ptr;
  }
  return of_text({room.data(), static_cast<std::size_t>(at - room.data())});
}

template <typename T>
Value of_number(std::optional<T> number) {
  return number ? Value::of(static_cast<std::int64_t>(*number)) : Value{};
}

template <typename Number>
std::optional<Number> parsed(std::string_view text) {
  Number out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// RFC 1035, section 4.2; RFC 6762, section 3.
bool is_dns_port(std::uint16_t port) { return port == 53 || port == 5353; }

std::optional<std::uint8_t> byte_at(nfbus::Event event, std::size_t offset) {
  if (offset >= event.payload().size()) return std::nullopt;
  return event.payload()[offset];
}

}  // namespace

Measurement measurement_of(nfbus::Event event) noexcept {
  if (event.has_layer(NFBUS_LAYER_ARP)) return Measurement::arp;
  if (event.has_layer(NFBUS_LAYER_TCP)) return Measurement::tcp;
  if (event.has_layer(NFBUS_LAYER_UDP)) return Measurement::udp;
  if (event.has_layer(NFBUS_LAYER_ICMP)) return Measurement::icmp;
  if (event.has_layer(NFBUS_LAYER_ICMPV6)) return Measurement::icmpv6;
  return Measurement::ip;
}

std::string_view name_of(Measurement measurement) noexcept {
  switch (measurement) {
    case Measurement::tcp: return "tcp";
    case Measurement::udp: return "udp";
    case Measurement::icmp: return "icmp";
    case Measurement::icmpv6: return "icmpv6";
    case Measurement::arp: return "arp";
    case Measurement::ip: break;
  }
  return "ip";
}

Known known(std::string_view name) noexcept {
  for (const auto& [known_name, what] : kNames) {
    if (known_name == name) return what;
  }
  return Known::annotation;
}

std::string_view dns_type_name(std::uint16_t type, std::string& scratch) {
  switch (type) {
    case 1: return "A";
    case 2: return "NS";
    case 5: return "CNAME";
    case 6: return "SOA";
    case 12: return "PTR";
    case 15: return "MX";
    case 16: return "TXT";
    case 28: return "AAAA";
    case 33: return "SRV";
    case 41: return "OPT";
    case 256: return "URI";
    default: break;
  }
  scratch.clear();
  append_number(scratch, type);
  return scratch;
}

const std::optional<nfbus::Dns>& EventValues::dns() {
  if (std::exchange(has_looked_for_dns_, true)) return dns_;
  for (const std::optional<std::uint16_t> port : {event_.source_port(), event_.destination_port()}) {
    if (!is_dns_port(port.value_or(0))) continue;
    dns_ = host_.dns(event_);
    break;
  }
  return dns_;
}

std::optional<nfbus::DnsRecord> EventValues::question() {
  if (!dns()) return std::nullopt;
  for (const nfbus::DnsRecord record : *dns_) {
    if (record.is_question()) return record;
  }
  return std::nullopt;
}

std::optional<std::uint8_t> EventValues::transport_byte(std::size_t offset) const noexcept {
  if (event_.raw()->transport_offset == NFBUS_NO_OFFSET) return std::nullopt;
  return byte_at(event_, event_.raw()->transport_offset + offset);
}

Value EventValues::annotation(std::string_view name) const {
  for (const nfbus_field& field : event_.fields()) {
    if (nfbus::to_view(field.name) != name) continue;
    const std::string_view text = nfbus::to_view(field.value);
    switch (field.type) {
      case NFBUS_VALUE_INTEGER: return of_number(parsed<std::int64_t>(text));  // none beyond 64 bits
      case NFBUS_VALUE_NUMBER: {
        const std::optional<double> number = parsed<double>(text);
        return number ? Value::of(*number) : Value{};
      }
      case NFBUS_VALUE_BOOLEAN: return Value::of(text == "true");
      default: return of_text(text);
    }
  }
  return {};
}

Value EventValues::get(Known what, std::string_view name) {
  static const std::array<std::string, 256> kFlagTexts = all_flags();
  constexpr std::size_t kIpv4Ttl = 8;       // RFC 791, section 3.1
  constexpr std::size_t kIpv6HopLimit = 7;  // RFC 8200, section 3
  constexpr std::size_t kArpOperation = 7;  // RFC 826: its low byte
  switch (what) {
    case Known::annotation: return annotation(name);
    case Known::device: return of_text(device_);
    case Known::prefix: return of_text(output::trimmed(event_.prefix()));
    case Known::topic: return of_text(event_.topic());
    case Known::action: return of_text(event_.action() == nfbus::Action::blocked ? "blocked" : "allowed");
    case Known::group: return Value::of(std::int64_t{event_.group()});
    case Known::in_dev: return of_text(event_.in_name());
    case Known::out_dev: return of_text(event_.out_name());
    case Known::phys_in_dev: return of_text(event_.phys_in_name());
    case Known::phys_out_dev: return of_text(event_.phys_out_name());
    case Known::source: return of_address(event_.source_bytes(), source_);
    case Known::destination: return of_address(event_.destination_bytes(), destination_);
    case Known::protocol: return of_number(event_.protocol());
    case Known::source_port: return of_number(event_.source_port());
    case Known::destination_port: return of_number(event_.destination_port());
    case Known::length: return Value::of(std::int64_t{event_.size_bytes()});
    case Known::ttl:
      if (event_.has_layer(NFBUS_LAYER_IPV4)) return of_number(byte_at(event_, kIpv4Ttl));
      if (event_.has_layer(NFBUS_LAYER_IPV6)) return of_number(byte_at(event_, kIpv6HopLimit));
      return {};
    case Known::flags: {
      if (!event_.has_layer(NFBUS_LAYER_TCP) || event_.protocol() != kTcp) return {};
      const std::optional<std::uint8_t> flags = transport_byte(kFlagsByte);
      return flags ? Value::of(std::string_view(kFlagTexts[*flags])) : Value{};
    }
    case Known::type:
      if (!event_.has_layer(NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6)) return {};
      return of_number(transport_byte(0));
    case Known::code:
      if (!event_.has_layer(NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6)) return {};
      return of_number(transport_byte(1));
    case Known::operation:
      if (!event_.has_layer(NFBUS_LAYER_ARP)) return {};
      return of_number(byte_at(event_, kArpOperation));
    case Known::mark: return of_number(event_.mark());
    case Known::uid: return of_number(event_.uid());
    case Known::gid: return of_number(event_.gid());
    case Known::dns_name: {
      const std::optional<nfbus::DnsRecord> asked = question();
      return asked ? of_text(asked->name()) : Value{};
    }
    case Known::dns_type: {
      const std::optional<nfbus::DnsRecord> asked = question();
      return asked ? of_text(dns_type_name(asked->raw()->type, dns_type_)) : Value{};
    }
    case Known::decode_error: return of_text(event_.decode_error());
  }
  return {};
}

}  // namespace influx
