#include "fields.hpp"

#include "text.hpp"

#include <nfbus/match_words.h>
#include <nfbus/dns.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <span>
#include <stdexcept>
#include <utility>

namespace rules {
namespace {

// Stands in no value: append_clean() writes control characters as text.
constexpr char kSeparator = '\x1f';
constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kMostKeyBytes = 1024;

void append_number(std::uint64_t number, std::string& out) { out += std::to_string(number); }

void append_protocol(std::uint8_t protocol, std::string& out) {
  switch (protocol) {
    case 1: out += "icmp"; break;
    case 2: out += "igmp"; break;
    case 6: out += "tcp"; break;
    case 17: out += "udp"; break;
    case 47: out += "gre"; break;
    case 50: out += "esp"; break;
    case 51: out += "ah"; break;
    case 58: out += "icmpv6"; break;
    case 132: out += "sctp"; break;
    default: append_number(protocol, out);
  }
}

// The sender's: as the Ethernet header has it, else as the kernel gives it. Empty: none.
std::span<const std::uint8_t> sender_mac(nfbus::Event event) {
  const nfbus_event& raw = *event.raw();
  if (event.has_layer(NFBUS_LAYER_ETHERNET) && raw.hw_header.size >= 2 * kMacBytes) {
    return {raw.hw_header.data + kMacBytes, kMacBytes};
  }
  if (raw.hw_address.size == kMacBytes) return {raw.hw_address.data, kMacBytes};
  return {};
}

bool append_mac(nfbus::Event event, std::string& out) {
  const std::span<const std::uint8_t> mac = sender_mac(event);
  if (mac.empty()) return false;
  std::array<char, 18> text{};
  (void)std::snprintf(text.data(), text.size(), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
                      mac[5]);
  out += text.data();
  return true;
}

bool append_text(std::string_view text, std::string& out) {
  if (text.empty()) return false;
  append_clean(out, text);
  return true;
}

// Where it went to, or came from, or what is asked for.
bool append_domain(JudgedEvent& judged, std::string& out) {
  const nfbus::Event event = judged.event();
  for (const std::string_view name : {"RecentDomainDst", "RecentDomainSrc"}) {
    if (const auto value = event.field(name); value && !value->empty()) return append_text(*value, out);
  }
  if (!event.is_packet()) return false;
  const auto dns = judged.around().host.dns(event);
  if (!dns) return false;
  for (const nfbus::DnsRecord record : *dns) {
    if (record.is_question()) return append_text(record.name(), out);
  }
  return false;
}

// The user's name for an address, or for the sender's MAC; else the address.
bool append_name(JudgedEvent& judged, bool is_sender, std::string& out) {
  const std::string_view address = is_sender ? judged.source() : judged.destination();
  if (const NameOf& name_of = judged.around().name_of; name_of) {
    if (!address.empty() && append_text(name_of(address), out)) return true;
    std::string mac;
    if (is_sender && append_mac(judged.event(), mac) && append_text(name_of(mac), out)) return true;
  }
  return append_text(address, out);
}

constexpr std::array<std::string_view, 17> kNames = {"src",      "dst",      "sport", "dport",  "proto",  "in",
                                                     "out",      "mac",      "topic", "prefix", "action", "domain",
                                                     "src_name", "dst_name", "group", "mark",   "length"};

// The host knows what filters add, beside the keys of matches; of which these two take any text.
bool is_added(std::string_view name, const nfbus::Host& host) {
  if (name == "physin" || name == "physout") return false;
  try {
    (void)host.match(Json{{std::string(name), "*"}}.dump());
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

}  // namespace

std::optional<Field> Field::of(std::string_view word) {
  constexpr std::array<std::pair<std::string_view, Kind>, 18> kKinds = {{{"src", Kind::src},
                                                                         {"dst", Kind::dst},
                                                                         {"sport", Kind::sport},
                                                                         {"dport", Kind::dport},
                                                                         {"port", Kind::dport},
                                                                         {"proto", Kind::proto},
                                                                         {"in", Kind::in},
                                                                         {"out", Kind::out},
                                                                         {"mac", Kind::mac},
                                                                         {"topic", Kind::topic},
                                                                         {"prefix", Kind::prefix},
                                                                         {"action", Kind::action},
                                                                         {"domain", Kind::domain},
                                                                         {"src_name", Kind::src_name},
                                                                         {"dst_name", Kind::dst_name},
                                                                         {"group", Kind::group},
                                                                         {"mark", Kind::mark},
                                                                         {"length", Kind::length}}};
  for (const auto& [name, kind] : kKinds) {
    if (name == word) return Field(kind, word);
  }
  constexpr std::size_t kMostName = 64;
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  if (word.empty() || word.size() > kMostName || word == "host") return std::nullopt;
  if (word.find_first_not_of(kPlain) != std::string_view::npos) return std::nullopt;
  return Field(Kind::annotation, word);
}

bool Field::append(JudgedEvent& judged, std::string& out) const {
  const nfbus::Event event = judged.event();
  if (kind_ == Kind::topic) return append_text(event.topic(), out);
  if (kind_ == Kind::annotation) {
    const auto value = event.field(name_);
    return value && append_text(*value, out);
  }
  if (!event.is_packet()) return false;
  const auto append_if = [&out](auto value) {
    if (value) append_number(*value, out);
    return value.has_value();
  };
  switch (kind_) {
    case Kind::src: return append_text(judged.source(), out);
    case Kind::dst: return append_text(judged.destination(), out);
    case Kind::sport: return append_if(event.source_port());
    case Kind::dport: return append_if(event.destination_port());
    case Kind::proto: {
      const auto protocol = event.protocol();
      if (protocol) append_protocol(*protocol, out);
      return protocol.has_value();
    }
    case Kind::in: return append_text(event.in_name(), out);
    case Kind::out: return append_text(event.out_name(), out);
    case Kind::mac: return append_mac(event, out);
    case Kind::prefix: {
      std::string_view prefix = event.prefix();
      while (prefix.ends_with(' ')) prefix.remove_suffix(1);
      return append_text(prefix, out);
    }
    case Kind::action: return append_text(event.action() == nfbus::Action::blocked ? "blocked" : "allowed", out);
    case Kind::domain: return append_domain(judged, out);
    case Kind::src_name: return append_name(judged, true, out);
    case Kind::dst_name: return append_name(judged, false, out);
    case Kind::group: append_number(event.group(), out); return true;
    case Kind::mark: return append_if(event.mark());
    case Kind::length: append_number(event.raw()->packet_size, out); return true;
    default: return false;
  }
}

void check_annotation(const Field& field, const nfbus::Host& host, std::vector<std::string_view> more) {
  if (is_added(field.name(), host)) return;
  more.insert(more.end(), kNames.begin(), kNames.end());
  if (const auto* const words = host.extension<nfbus_match_words>(NFBUS_MATCH_WORDS); words != nullptr) {
    for (std::uint32_t i = 0; i < words->key_count; ++i) {
      const std::string_view key = nfbus::to_view(words->keys[i]);
      if (is_added(key, host)) more.push_back(key);
    }
  }
  throw std::invalid_argument(in_quotes(field.name()) + " is no field, nor does a filter add it" +
                              did_you_mean(field.name(), more));
}

std::vector<Field> fields_of(const std::vector<std::string>& names, const nfbus::Host& host) {
  constexpr std::string_view kFields =
      "src, dst, sport, dport, proto, in, out, mac, topic, prefix, action, domain, src_name, dst_name, group, mark, "
      "length, or what a filter adds";
  std::vector<Field> out;
  for (const std::string& name : names) {
    if (name == "host") throw std::invalid_argument("\"host\" is either of two addresses; write src or dst");
    const std::optional<Field> field = Field::of(name);
    if (!field) throw std::invalid_argument(in_quotes(name) + " is no field; there are " + std::string(kFields));
    if (field->is_annotation()) check_annotation(*field, host);
    out.push_back(*field);
  }
  return out;
}

bool make_key(const std::vector<Field>& fields, JudgedEvent& event, std::string& out) {
  bool has_all = true;
  out.clear();
  for (const Field& field : fields) {
    if (&field != &fields.front()) out += kSeparator;
    has_all = field.append(event, out) && has_all;
  }
  shorten(out, kMostKeyBytes);
  return has_all;
}

std::string default_message(JudgedEvent& judged) {
  const nfbus::Event event = judged.event();
  std::string out;
  if (!event.is_packet() || judged.source().empty()) {
    append_text(event.topic(), out);
    return out;
  }
  append_name(judged, true, out);
  out += " to ";
  append_name(judged, false, out);
  if (event.destination_port()) out += " port " + std::to_string(*event.destination_port());
  if (event.protocol()) {
    out += " (";
    append_protocol(*event.protocol(), out);
    out += ')';
  }
  return out;
}

}  // namespace rules
