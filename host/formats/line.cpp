#include "formats/line.hpp"

#include "decode/names.hpp"
#include "event/event.hpp"
#include "formats/line_dns.hpp"
#include "support/printable.hpp"

#include <nfbus/event.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace nfbus::host {
namespace {

using Line = fmt::memory_buffer;

struct Colours {
  std::string_view allowed, blocked, dim, warning, off;
};
constexpr Colours kNoColours = {};
constexpr Colours kAnsiColours = {"\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[33m", "\x1b[0m"};

// Widths of the columns; longer values push the rest of their line to the right.
constexpr std::size_t kTopicWidth = 16;
constexpr std::size_t kDeviceWidth = 4;
constexpr std::size_t kEndpointWidth = 23;

bool has(const nfbus_event& event, std::uint32_t layer) { return (event.layers & layer) != 0; }

template <typename... Values>
void add(Line& line, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(line), format, std::forward<Values>(values)...);
}

void add_time(Line& line, std::int64_t time_ns) {
  const std::time_t seconds = time_ns / 1'000'000'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  add(line, "{:02}:{:02}:{:02}.{:03}", local.tm_hour, local.tm_min, local.tm_sec, time_ns / 1'000'000 % 1000);
}

// An address with its port, as a browser or ssh takes them.
std::string endpoint(const nfbus_event& event, bool source) {
  const std::span packet(event.payload.data, event.payload.size);
  const bool ports = (event.present & NFBUS_HAS_PORTS) != 0;
  const unsigned port = source ? event.source_port : event.destination_port;
  if (has(event, NFBUS_LAYER_IPV4)) {
    const AddressText text(packet.subspan(source ? 12 : 16, 4));  // RFC 791
    return ports ? fmt::format("{}:{}", text.view(), port) : std::string(text.view());
  }
  if (has(event, NFBUS_LAYER_IPV6)) {
    const AddressText text(packet.subspan(source ? 8 : 24, 16));  // RFC 8200
    return ports ? fmt::format("[{}]:{}", text.view(), port) : std::string(text.view());
  }
  if (has(event, NFBUS_LAYER_ARP) && packet.size() >= 28) {
    return std::string(AddressText(packet.subspan(source ? 14 : 24, 4)).view());  // RFC 826, Ethernet and IPv4
  }
  return "?";
}

std::string protocol(const nfbus_event& event) {
  if (const std::string_view title = protocol_title(event.layers); !title.empty()) return std::string(title);
  if (has(event, NFBUS_LAYER_ARP)) return "ARP";
  if (has(event, NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6)) return fmt::format("IP {}", event.ip_protocol);
  return fmt::format("0x{:04x}", event.ether_type);
}

void add_icmp(Line& line, IcmpVersion version, std::uint8_t type, std::uint8_t code) {
  std::string name(icmp_line_name(version, type));
  if (name.empty()) return add(line, " type {} code {}", type, code);
  std::replace(name.begin(), name.end(), '-', ' ');
  add(line, " {}", name);
}

void add_tcp_flags(Line& line, std::uint8_t flags) {  // RFC 9293, section 3.1
  constexpr std::array<std::string_view, 8> kFlags = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
  for (std::size_t bit = 0; bit < kFlags.size(); ++bit) {
    if ((flags >> bit & 1U) != 0) add(line, " {}", kFlags[bit]);
  }
}

// What tells this packet from others between the same ends. A layer that is set was decoded whole, so its header is
// there. Returns what is wrong with the message that it carries.
std::string_view add_details(Line& line, const nfbus_event& event, DnsDecoder& dns) {
  const std::span packet(event.payload.data, event.payload.size);
  if (has(event, NFBUS_LAYER_FRAGMENT)) add(line, " fragment");
  if (event.transport_offset != NFBUS_NO_OFFSET) {
    const auto transport = packet.subspan(std::min<std::size_t>(event.transport_offset, packet.size()));
    if (has(event, NFBUS_LAYER_TCP) && transport.size() > 13) add_tcp_flags(line, transport[13]);
    if (has(event, NFBUS_LAYER_ICMP | NFBUS_LAYER_ICMPV6) && transport.size() > 1) {
      const bool is_icmp = has(event, NFBUS_LAYER_ICMP);
      add_icmp(line, is_icmp ? IcmpVersion::icmp : IcmpVersion::icmpv6, transport[0], transport[1]);
    }
  }
  const std::string_view broken = append_dns_text(event, dns, line);
  add(line, " {} B", event.packet_size);
  return broken;
}

}  // namespace

void LineFormat::append(const nfbus_event& event, TextBuffer& out) {
  const Colours& colours = colour_ ? kAnsiColours : kNoColours;
  Line line;
  line.append(colours.dim);
  add_time(line, event.time_ns);
  line.append(colours.off);
  if (event.kind == NFBUS_EVENT_MESSAGE) {
    const std::string_view text(reinterpret_cast<const char*>(event.payload.data), event.payload.size);
    add(line, "  {}  {}\n", printable(view(event.topic)), printable(text));
    out.append({line.data(), line.size()});
    return;
  }

  const bool blocked = event.action == NFBUS_ACTION_BLOCKED;
  // A bridge stands before its port.
  const auto device = [](nfbus_text name, nfbus_text port) {
    std::string text = name.size == 0 ? std::string("-") : printable(view(name));
    return port.size == 0 ? text : text + '/' + printable(view(port));
  };
  add(line, "  {}{}  {:<{}}{}", blocked ? colours.blocked : colours.allowed, blocked ? "blocked" : "allowed",
      printable(view(event.topic)), kTopicWidth, colours.off);
  add(line, "  {:>{}} -> {:<{}}  {:<6}", device(event.in_name, port_in_name(event)), kDeviceWidth,
      device(event.out_name, port_out_name(event)), kDeviceWidth, protocol(event));
  add(line, "  {:>{}} -> {:<{}} {}", endpoint(event, true), kEndpointWidth, endpoint(event, false), kEndpointWidth,
      colours.dim);
  const std::string_view broken = add_details(line, event, dns_);
  line.append(colours.off);
  for (const nfbus_field& field : std::span(event.fields, event.field_count)) {
    add(line, " {}={}", printable(view(field.name)), printable(view(field.value)));
  }
  if (event.lost_before != 0) add(line, " {}{} lost before it{}", colours.warning, event.lost_before, colours.off);
  for (const std::string_view error : {view(event.decode_error), broken}) {
    if (!error.empty()) add(line, " {}{}{}", colours.warning, error, colours.off);
  }
  line.push_back('\n');
  out.append({line.data(), line.size()});
}

}  // namespace nfbus::host
