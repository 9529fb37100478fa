#include "row.hpp"

#include "json_text.hpp"

#include <nlohmann/json.hpp>

#include <netdb.h>

#include <algorithm>
#include <array>
#include <ctime>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::size_t kMostInfoBytes = 200;

constexpr std::array<std::pair<std::uint8_t, std::string_view>, 13> kProtocols{{{1, "icmp"},
                                                                                {2, "igmp"},
                                                                                {4, "ipip"},
                                                                                {6, "tcp"},
                                                                                {17, "udp"},
                                                                                {33, "dccp"},
                                                                                {41, "ipv6"},
                                                                                {47, "gre"},
                                                                                {50, "esp"},
                                                                                {51, "ah"},
                                                                                {58, "icmpv6"},
                                                                                {132, "sctp"},
                                                                                {136, "udplite"}}};

constexpr std::array<std::string_view, 8> kFlags{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};

struct IcmpType {
  std::uint8_t type;
  std::string_view name;
};
constexpr std::array<IcmpType, 8> kIcmp{{{0, "echo reply"},
                                         {3, "unreachable"},
                                         {5, "redirect"},
                                         {8, "echo request"},
                                         {9, "router advertisement"},
                                         {10, "router solicitation"},
                                         {11, "time exceeded"},
                                         {12, "parameter problem"}}};
constexpr std::array<IcmpType, 11> kIcmpv6{{{1, "unreachable"},
                                            {2, "packet too big"},
                                            {3, "time exceeded"},
                                            {4, "parameter problem"},
                                            {128, "echo request"},
                                            {129, "echo reply"},
                                            {133, "router solicitation"},
                                            {134, "router advertisement"},
                                            {135, "neighbour solicitation"},
                                            {136, "neighbour advertisement"},
                                            {143, "multicast report"}}};

template <std::size_t N>
void append_icmp(std::string& out, const std::array<IcmpType, N>& known, std::uint8_t type, std::uint8_t code) {
  const auto found = std::find_if(known.begin(), known.end(), [type](const IcmpType& one) { return one.type == type; });
  if (found == known.end()) {
    out += "type ";
    append_number(out, unsigned{type});
  } else {
    out += found->name;
  }
  if (code == 0) return;
  out += " code ";
  append_number(out, unsigned{code});
}

bool may_carry_dns(nfbus::Event event) {
  const auto is_dns = [](std::uint16_t port) { return port == 53 || port == 5353; };
  return is_dns(event.source_port().value_or(0)) || is_dns(event.destination_port().value_or(0));
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_quoted(out, text);
}

void append_member(std::string& out, std::string_view name, std::optional<std::uint32_t> number) {
  if (!number) return;
  out += ",\"";
  out += name;
  out += "\":";
  append_number(out, *number);
}

std::string_view action_of(nfbus::Event event) {
  return event.action() == nfbus::Action::blocked ? std::string_view("blocked") : std::string_view("allowed");
}

// RFC 4180; what a spreadsheet would take for a formula gets a quote in front.
void append_cell(std::string& out, std::string_view text) {
  const bool is_formula = !text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
  if (!is_formula && text.find_first_of("\",\n\r") == std::string_view::npos) {
    out += text;
  } else {
    out += '"';
    if (is_formula) out += '\'';
    for (const char c : text) {
      if (c == '"') out += '"';
      out += c;
    }
    out += '"';
  }
}

void append_time(std::string& out, std::int64_t time_ns) {
  const std::time_t seconds = time_ns / 1'000'000'000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> room{};
  out.append(room.data(), std::strftime(room.data(), room.size(), "%Y-%m-%dT%H:%M:%S", &parts));
  std::string fraction = std::to_string(time_ns % 1'000'000'000);
  out += '.';
  out.append(9 - fraction.size(), '0');
  out += fraction;
  out += 'Z';
}

}  // namespace

std::string_view protocol_name(nfbus::Event event, std::string& room) {
  if (event.has_layer(NFBUS_LAYER_ARP)) return "arp";
  const std::optional<std::uint8_t> protocol = event.protocol();
  if (!protocol) return {};
  for (const auto& [number, name] : kProtocols) {
    if (number == *protocol) return name;
  }
  room.clear();
  append_number(room, unsigned{*protocol});
  return room;
}

std::string_view domain_of(nfbus::Event event, std::string_view field) {
  const std::optional<std::string_view> value = event.field(field);
  if (!value) return {};
  constexpr std::string_view kKey = R"("Name":")";
  const std::size_t at = value->find(kKey);
  if (at == std::string_view::npos) return {};
  std::string_view name = value->substr(at + kKey.size());
  name = name.substr(0, name.find('"'));
  if (name.ends_with('.')) name.remove_suffix(1);
  return name.find('\\') == std::string_view::npos ? name : std::string_view();
}

Loss loss_of(std::string_view text) {
  Loss out;
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object() || !value.contains("capture") || !value["capture"].is_array()) return out;
  const auto number = [](const json& row, const char* name) {
    const auto found = row.find(name);
    return found != row.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  for (const json& row : value["capture"]) {
    if (!row.is_object()) continue;
    if (out.lost == 0) out.group = number(row, "group");
    out.lost += number(row, "new");
  }
  return out;
}

std::string_view Rows::info_of(nfbus::Event event) {
  info_.clear();
  const std::span<const std::uint8_t> payload = event.payload();
  const std::size_t transport = event.raw()->transport_offset;
  if (event.has_layer(NFBUS_LAYER_TCP) && transport + 13 < payload.size()) {
    for (std::size_t i = 0; i < kFlags.size(); ++i) {
      if ((payload[transport + 13] >> i & 1U) == 0) continue;
      if (!info_.empty()) info_ += ' ';
      info_ += kFlags[i];
    }
  } else if (event.has_layer(NFBUS_LAYER_ICMP) && transport + 1 < payload.size()) {
    append_icmp(info_, kIcmp, payload[transport], payload[transport + 1]);
  } else if (event.has_layer(NFBUS_LAYER_ICMPV6) && transport + 1 < payload.size()) {
    append_icmp(info_, kIcmpv6, payload[transport], payload[transport + 1]);
  } else if (event.has_layer(NFBUS_LAYER_ARP) && payload.size() > 7) {
    info_ = payload[7] == 1 ? "who has" : payload[7] == 2 ? "is at" : "";
  } else if (event.has_layer(NFBUS_LAYER_FRAGMENT)) {
    info_ = "fragment";
  }
  if (may_carry_dns(event)) {
    if (const std::optional<nfbus::Dns> dns = host_.dns(event)) {
      for (const nfbus::DnsRecord record : *dns) {
        if (!info_.empty()) info_ += ' ';
        info_ += dns->is_response() ? "answer to " : "asks for ";
        info_ += record.name();
        break;
      }
    }
  }
  if (!event.decode_error().empty()) {
    if (!info_.empty()) info_ += "; ";
    info_ += event.decode_error();
  }
  info_.resize(beginning_of(info_, kMostInfoBytes).size());
  return info_;
}

void Rows::append_packet(std::string& out, nfbus::Event event) {
  std::string room;
  out += R"(,"act":")";
  out += action_of(event);
  out += '"';
  append_member(out, "in", event.in_name());
  append_member(out, "out", event.out_name());
  append_member(out, "proto", protocol_name(event, room));
  append_member(out, "src", event.source());
  append_member(out, "sp", event.source_port());
  append_member(out, "dst", event.destination());
  append_member(out, "dp", event.destination_port());
  append_member(out, "len", std::optional<std::uint32_t>(event.size_bytes()));
  append_member(out, "info", info_of(event));
  std::string_view name = devices_.name_of_source(event);
  append_member(out, "sn", name.empty() ? domain_of(event, "RecentDomainSrc") : name);
  name = devices_.name_of(event.destination_bytes());
  append_member(out, "dn", name.empty() ? domain_of(event, "RecentDomainDst") : name);
}

void Rows::append_json(std::string& out, std::uint64_t id, nfbus::Event event) {
  out += R"({"id":)";
  append_number(out, id);
  out += R"(,"t":)";
  append_ms(out, event.time_ns());
  if (event.is_message() && event.topic() == kLossTopic) {
    const Loss loss = loss_of(event.text());
    out += R"(,"k":"l","group":)";
    append_number(out, loss.group);
    out += R"(,"lost":)";
    append_number(out, loss.lost);
  } else {
    out += event.is_packet() ? R"(,"k":"p")" : R"(,"k":"m")";
    append_member(out, "topic", event.topic());
    if (event.is_packet()) {
      append_packet(out, event);
    } else {
      append_member(out, "info", beginning_of(event.text(), kMostInfoBytes));
    }
  }
  out += '}';
}

void Rows::append_csv(std::string& out, nfbus::Event event) {
  std::string room;
  const auto number = [&room](auto value) -> std::string_view {
    room.clear();
    if (value) append_number(room, *value);
    return room;
  };
  append_time(out, event.time_ns());
  const auto cell = [&out](std::string_view text) {
    out += ',';
    append_cell(out, text);
  };
  cell(event.topic());
  if (event.is_message()) {
    out += ",,,,,,,,,,";
    append_cell(out, beginning_of(event.text(), kMostInfoBytes));
  } else {
    cell(action_of(event));
    cell(event.in_name());
    cell(event.out_name());
    cell(protocol_name(event, room));
    cell(event.source());
    cell(number(event.source_port()));
    cell(event.destination());
    cell(number(event.destination_port()));
    cell(number(std::optional<std::uint32_t>(event.size_bytes())));
    cell(info_of(event));
  }
  out += '\n';
}

}  // namespace websocket
