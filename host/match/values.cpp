#include "match/values.hpp"

#include "decode/reader.hpp"
#include "event/topic.hpp"
#include "event/topic_pattern.hpp"
#include "match/names.hpp"
#include "match/other_words.hpp"
#include "support/json_text.hpp"
#include "support/suggest.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <arpa/inet.h>

#include <array>
#include <bit>
#include <charconv>
#include <string_view>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

// Its text goes on behind the value: "is no domain name".
Error wrong(std::string what) { return {.code = Code::invalid, .text = std::move(what)}; }

// Decimal, or hexadecimal behind 0x. None also when it is beyond 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
  int base = 10;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    base = 16;
    text.remove_prefix(2);
  }
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, base);
  if (error != std::errc() || stop != end || text.empty()) return std::nullopt;
  return number;
}

// "1000-2000" in two.
std::optional<std::pair<std::string_view, std::string_view>> split_at(std::string_view text, char separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string_view::npos) return std::nullopt;
  return std::pair(text.substr(0, at), text.substr(at + 1));
}

std::string at_most(std::uint64_t most) { return fmt::format("is out of range; it must be 0 to {}", most); }

Result<void> add_number_text(const Key& key, std::string_view text, Values& values) {
  const std::uint32_t most = key.most;
  const auto parts = split_at(text, '-');
  const auto low = parse_number(parts ? parts->first : text);
  const auto high = parts ? parse_number(parts->second) : low;
  if (!low || !high) {
    return wrong("is neither a number nor a range such as \"10-20\"" + other_words::number_to_write(key, text));
  }
  if (*low > most || *high > most) return wrong(at_most(most));
  if (*low > *high) return wrong(fmt::format("the range is reversed; write \"{}-{}\"", *high, *low));
  values.ranges.push_back({.low = static_cast<std::uint32_t>(*low), .high = static_cast<std::uint32_t>(*high)});
  return {};
}

Error unknown_name(std::string_view what, const std::string& name, const std::vector<std::string>& names) {
  return wrong(fmt::format("is no {}{}", what, did_you_mean(names::canonical(name), names)));
}

bool starts_with_digit(std::string_view text) { return !text.empty() && text.front() >= '0' && text.front() <= '9'; }

Result<void> add_protocol(const Key& key, const std::string& text, Values& values) {
  if (starts_with_digit(text)) return add_number_text(key, text, values);
  const auto number = names::protocol(text);
  if (!number && names::canonical(text) == "arp") return wrong("ARP is no protocol on IP; write family = \"arp\"");
  if (!number && other_words::port_of(text)) {
    return wrong(fmt::format("is a service, no protocol; write port = {}", *other_words::port_of(text)));
  }
  if (!number) return unknown_name("protocol's name or number", text, names::protocols());
  values.ranges.push_back({.low = *number, .high = *number});
  return {};
}

Result<void> add_family(const std::string& text, Values& values) {
  const auto families = names::family(text);
  if (!families) return unknown_name("family (ip, ip6, inet, arp, bridge, netdev)", text, names::families());
  values.ranges.push_back({.low = *families, .high = *families});
  return {};
}

Result<void> add_action(const std::string& text, Values& values) {
  const std::string action = names::canonical(text);
  if (action != "allowed" && action != "blocked") {
    return wrong(R"(must be "allowed" or "blocked")" + did_you_mean(action, {"allowed", "blocked"}));
  }
  const std::uint32_t number = action == "allowed" ? NFBUS_ACTION_ALLOWED : NFBUS_ACTION_BLOCKED;
  values.ranges.push_back({.low = number, .high = number});
  return {};
}

// A number is one of both ICMP and ICMPv6.
Result<void> add_icmp_type(const Key& key, const std::string& text, Values& values) {
  if (starts_with_digit(text)) {
    if (auto added = add_number_text(key, text, values); !added) return added;
    const Range range = values.ranges.back();
    values.ranges.push_back({.low = kIcmpv6Types + range.low, .high = kIcmpv6Types + range.high});
    return {};
  }
  const std::vector<std::uint32_t> types = names::icmp_types(text);
  if (types.empty()) return unknown_name("ICMP or ICMPv6 type's name or number", text, names::icmp_types());
  for (const std::uint32_t type : types) values.ranges.push_back({.low = type, .high = type});
  return {};
}

Result<void> add_mark(const Key& key, const std::string& text, Values& values) {
  const auto parts = split_at(text, '/');
  const auto number = parse_number(parts ? parts->first : text);
  const auto mask = parts ? parse_number(parts->second) : key.most;
  if (!number || !mask) return wrong("is neither a number nor a number and its mask such as \"0x10/0xf0\"");
  if (*number > key.most || *mask > key.most) return wrong(at_most(key.most));
  if ((*number & ~*mask) != 0) return wrong("has bits outside of its mask, so that no mark can match");
  values.ranges.push_back({.low = static_cast<std::uint32_t>(*number), .high = static_cast<std::uint32_t>(*mask)});
  return {};
}

Result<void> add_tcp_flags(const std::string& text, Values& values) {
  std::uint32_t wanted = 0;
  std::uint32_t mask = 0;
  std::string_view rest = text;
  for (bool more = true; more;) {
    const auto parts = split_at(rest, ',');
    std::string_view word = trim_prefix(parts ? parts->first : rest);
    more = parts.has_value();
    if (more) rest = parts->second;
    const bool negated = word.starts_with('!');
    if (negated) word.remove_prefix(1);
    const std::string name(word);
    const auto flag = names::tcp_flag(name);
    if (!flag) {
      if (const std::string list = other_words::flags_to_write(text); !list.empty()) {
        return wrong("is no list of TCP flags" + list);
      }
      return wrong(fmt::format("{} is no TCP flag{}", shown(json(name)),
                               did_you_mean(names::canonical(name), names::tcp_flags())));
    }
    if ((mask & *flag) != 0) return wrong(fmt::format("names {} twice", shown(json(name))));
    mask |= *flag;
    if (!negated) wanted |= *flag;
  }
  values.ranges.push_back({.low = wanted, .high = mask});
  return {};
}

struct Address {
  bool is_ipv6 = false;
  std::uint32_t ipv4 = 0;
  Ipv6Number ipv6;
};

std::optional<Address> parse_address(std::string_view text) {
  const std::string terminated(text);
  if (terminated.find('\0') != std::string::npos) return std::nullopt;
  std::array<std::uint8_t, 16> bytes{};
  if (::inet_pton(AF_INET, terminated.c_str(), bytes.data()) == 1) {
    return Address{.is_ipv6 = false, .ipv4 = load_be32(std::span(bytes).first<4>()), .ipv6 = {}};
  }
  if (::inet_pton(AF_INET6, terminated.c_str(), bytes.data()) != 1) return std::nullopt;
  const std::span<const std::uint8_t, 16> all(bytes);
  return Address{.is_ipv6 = true, .ipv4 = 0, .ipv6 = {load_be64(all.first<8>()), load_be64(all.last<8>())}};
}

// The bits below a prefix of `length` bits in a number of `width`.
template <typename Number>
Number host_bits(unsigned length, unsigned width) {
  if (length >= width) return 0;
  return static_cast<Number>(~Number{0} >> length);
}

void add_network(const Address& address, unsigned length, Values& values) {
  if (!address.is_ipv6) {
    const auto below = host_bits<std::uint32_t>(length, 32);
    values.ranges.push_back({.low = address.ipv4 & ~below, .high = address.ipv4 | below});
    return;
  }
  const auto high = host_bits<std::uint64_t>(length, 64);
  const auto low = length <= 64 ? ~std::uint64_t{0} : host_bits<std::uint64_t>(length - 64, 64);
  values.ranges6.push_back({.low = {address.ipv6.high & ~high, address.ipv6.low & ~low},
                            .high = {address.ipv6.high | high, address.ipv6.low | low}});
}

// Where the network begins, if the address is another one.
std::string network_of(const Address& address, unsigned length) {
  std::array<std::uint8_t, 16> bytes{};
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (!address.is_ipv6) {
    const std::uint32_t first = address.ipv4 & ~host_bits<std::uint32_t>(length, 32);
    if (first == address.ipv4) return {};
    for (unsigned i = 0; i < 4; ++i) bytes.at(i) = static_cast<std::uint8_t>(first >> (24 - 8 * i));
  } else {
    const std::uint64_t high = address.ipv6.high & ~host_bits<std::uint64_t>(length, 64);
    const std::uint64_t low = length <= 64 ? 0 : address.ipv6.low & ~host_bits<std::uint64_t>(length - 64, 64);
    if (high == address.ipv6.high && low == address.ipv6.low) return {};
    for (unsigned i = 0; i < 8; ++i) bytes.at(i) = static_cast<std::uint8_t>(high >> (56 - 8 * i));
    for (unsigned i = 0; i < 8; ++i) bytes.at(8 + i) = static_cast<std::uint8_t>(low >> (56 - 8 * i));
  }
  return ::inet_ntop(address.is_ipv6 ? AF_INET6 : AF_INET, bytes.data(), text.data(), text.size()) == nullptr
             ? std::string()
             : std::string(text.data());
}

Error no_address(std::string_view text, std::string_view part) {
  const std::string which = text == part ? std::string() : fmt::format("{} ", shown(json(std::string(part))));
  return wrong(which + "is no IPv4 or IPv6 address");
}

Result<void> add_cidr(std::string_view text, std::string_view address_text, std::string_view length_text,
                      Values& values) {
  const auto address = parse_address(address_text);
  if (!address) return no_address(text, address_text);
  const unsigned most = address->is_ipv6 ? 128 : 32;
  const auto length = parse_number(length_text);
  if (const auto mask = parse_address(length_text); mask && !mask->is_ipv6 && !address->is_ipv6) {
    const auto bits = static_cast<unsigned>(std::popcount(mask->ipv4));
    const bool is_mask = mask->ipv4 == ~host_bits<std::uint32_t>(bits, 32);
    return wrong("a network is written with the length of its prefix" +
                 (is_mask ? fmt::format("; write \"{}/{}\"", address_text, bits) : std::string()));
  }
  if (!length || length_text.starts_with("0x")) {
    return wrong(fmt::format("the prefix length must be a number, 0 to {}", most));
  }
  if (*length > most) return wrong(fmt::format("the prefix length is at most {}", most));
  if (const auto network = network_of(*address, static_cast<unsigned>(*length)); !network.empty()) {
    values.doubts.push_back(fmt::format("{} has bits behind its prefix, which do not count: it is \"{}/{}\"",
                                        shown(json(std::string(text))), network, *length));
  }
  add_network(*address, static_cast<unsigned>(*length), values);
  return {};
}

Result<void> add_address_range(std::string_view text, std::string_view from, std::string_view to, Values& values) {
  const auto low = parse_address(from);
  if (!low) return no_address(text, from);
  const auto high = parse_address(to);
  if (!high) return no_address(text, to);
  if (low->is_ipv6 != high->is_ipv6) return wrong("the range goes from one version of IP to the other");
  if (high->ipv4 < low->ipv4 || high->ipv6 < low->ipv6) {
    return wrong(fmt::format("the range is reversed; write \"{}-{}\"", to, from));
  }
  if (low->is_ipv6) {
    values.ranges6.push_back({.low = low->ipv6, .high = high->ipv6});
  } else {
    values.ranges.push_back({.low = low->ipv4, .high = high->ipv4});
  }
  return {};
}

Result<void> add_address(const std::string& text, Values& values) {
  if (const auto cidr = split_at(text, '/')) return add_cidr(text, cidr->first, cidr->second, values);
  if (const auto range = split_at(text, '-')) return add_address_range(text, range->first, range->second, values);
  const auto address = parse_address(text);
  if (!address) return no_address(text, text);
  add_network(*address, 128, values);
  return {};
}

Result<void> add_mac(const std::string& text, Values& values) {
  constexpr std::size_t kTextBytes = 17;
  const auto wrong_mac = [] { return wrong("is no hardware address such as \"02:00:00:00:00:01\""); };
  if (text.size() != kTextBytes) return wrong_mac();
  std::uint64_t mac = 0;
  for (std::size_t i = 0; i < kTextBytes; i += 3) {
    std::uint8_t octet = 0;
    const char* const end = text.data() + i + 2;
    if (std::from_chars(text.data() + i, end, octet, 16).ptr != end) return wrong_mac();
    if (i + 2 < kTextBytes && (*end != text[2] || (*end != ':' && *end != '-'))) return wrong_mac();
    mac = mac << 8U | octet;
  }
  values.macs.push_back(mac);
  return {};
}

Pattern pattern_of(const std::string& text) { return {.text = text, .has_star = text.find('*') != std::string::npos}; }

Result<void> add_pattern(const std::string& text, Values& values) {
  values.patterns.push_back(pattern_of(text));
  return {};
}

Result<void> add_prefix(const std::string& text, Values& values) {
  const std::string prefix = normalize_prefix(text);
  if (const std::string root = normalize_prefix(values.topic_root); !root.empty() && prefix.starts_with(root)) {
    values.doubts.push_back(
        fmt::format("{} begins with the topic root, which is no part of a rule's prefix; write \"{}\"",
                    shown(json(text)), trim_prefix(std::string_view(prefix).substr(root.size()))));
  }
  return add_pattern(prefix, values);
}

Result<void> add_topic(const std::string& text, Values& values) {
  const TopicPattern topic(text, values.topic_root, Extent::whole);
  if (!values.topic_root.empty() && !topic.may_fit_packet(values.topic_root) && sounds_like_rule(text)) {
    values.doubts.push_back(
        fmt::format("{0}: only messages have such topics; those of packets begin with \"{1}\": write "
                    "\"{1}{2}\"",
                    shown(json(text)), values.topic_root, trim_prefix(text)));
  }
  values.patterns.push_back(pattern_of(topic.of_packets()));
  values.message_patterns.push_back(pattern_of(topic.text()));
  return {};
}

Result<void> add_domain(const std::string& text, Values& values) {
  std::string domain = normalize_prefix(text);
  if (domain.ends_with('.')) domain.pop_back();
  if (domain.empty()) return wrong("is no domain name");
  return add_pattern(domain, values);
}

Result<void> add_bpf(const std::string& text, Values& values) {
  auto program = BpfProgram::compile(text, values.bpf_words_left);
  if (!program) return std::move(program).error();
  values.programs.push_back(std::move(program).value());
  return {};
}

Result<void> add_text(const Key& key, const std::string& text, Values& values) {
  switch (key.type) {
    case ValueType::text: return add_pattern(text, values);
    case ValueType::topic: return add_topic(text, values);
    case ValueType::prefix: return add_prefix(text, values);
    case ValueType::domain: return add_domain(text, values);
    case ValueType::action: return add_action(text, values);
    case ValueType::family: return add_family(text, values);
    case ValueType::protocol: return add_protocol(key, text, values);
    case ValueType::icmp_type: return add_icmp_type(key, text, values);
    case ValueType::number: return add_number_text(key, text, values);
    case ValueType::mark: return add_mark(key, text, values);
    case ValueType::address: return add_address(text, values);
    case ValueType::mac: return add_mac(text, values);
    case ValueType::tcp_flags: return add_tcp_flags(text, values);
    case ValueType::bpf: return add_bpf(text, values);
  }
  return wrong("is of no known type");
}

bool takes_numbers(ValueType type) {
  return type == ValueType::protocol || type == ValueType::icmp_type || type == ValueType::number ||
         type == ValueType::mark;
}

// Interfaces may have odd names, and hardly do.
void doubt_name(const Key& key, const json& value, Values& values) {
  if (key.type != ValueType::text || key.kind != Kind::text) return;
  std::string advice = other_words::text_to_write(key, value);
  if (advice.empty()) advice = other_words::interface_to_write(value.get_ref<const std::string&>());
  if (!advice.empty()) values.doubts.push_back(shown(value) + ": no interface has such a name" + advice);
}

}  // namespace

Result<void> add_value(const Key& key, const json& value, Values& values) {
  const bool is_number = value.is_number_integer() && takes_numbers(key.type);
  if (!value.is_string() && !is_number) {
    return wrong(fmt::format("expected {}, found {}", takes_numbers(key.type) ? "a number or a string" : "a string",
                             found_type(value)));
  }
  if (is_number && !value.is_number_unsigned() && value.get<std::int64_t>() < 0) {
    return wrong(shown(value) + ": " + at_most(key.most));
  }
  const Result<void> added = add_text(key, is_number ? value.dump() : value.get_ref<const std::string&>(), values);
  if (!added) {
    std::string what = shown(value) + ": " + added.error().text;
    if (what.find("; write ") == std::string::npos) what += other_words::text_to_write(key, value);
    return wrong(std::move(what));
  }
  doubt_name(key, value, values);
  return {};
}

}  // namespace nfbus::host
