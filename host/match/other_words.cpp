#include "match/other_words.hpp"

#include "event/topic.hpp"
#include "match/names.hpp"
#include "support/json_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace nfbus::host::other_words {

namespace {

struct Word {
  std::string_view theirs;
  std::string_view ours;
};

// Without the layer's name before it: "ip.saddr", "tcp dport", "meta.iifname".
constexpr std::array<Word, 97> kKeys = {{
    {"saddr", "src"},
    {"source", "src"},
    {"source_ip", "src"},
    {"src_ip", "src"},
    {"srcip", "src"},
    {"srcaddr", "src"},
    {"src_addr", "src"},
    {"ip_src", "src"},
    {"daddr", "dst"},
    {"dest", "dst"},
    {"destination", "dst"},
    {"destination_ip", "dst"},
    {"dest_ip", "dst"},
    {"dst_ip", "dst"},
    {"dstip", "dst"},
    {"dstaddr", "dst"},
    {"dst_addr", "dst"},
    {"ip_dst", "dst"},
    {"addr", "host"},
    {"address", "host"},
    {"net", "host"},
    {"ip", "host"},
    {"src_port", "sport"},
    {"srcport", "sport"},
    {"source_port", "sport"},
    {"spt", "sport"},
    {"dst_port", "dport"},
    {"dstport", "dport"},
    {"dest_port", "dport"},
    {"destport", "dport"},
    {"destination_port", "dport"},
    {"dpt", "dport"},
    {"ports", "port"},
    {"portrange", "port"},
    {"service", "port"},
    {"protocol", "proto"},
    {"l4proto", "proto"},
    {"ip_protocol", "proto"},
    {"nexthdr", "proto"},
    {"iif", "in"},
    {"iifname", "in"},
    {"indev", "in"},
    {"in_dev", "in"},
    {"in_interface", "in"},
    {"in-interface", "in"},
    {"ininterface", "in"},
    {"input", "in"},
    {"interface", "in"},
    {"iface", "in"},
    {"oif", "out"},
    {"oifname", "out"},
    {"outdev", "out"},
    {"out_dev", "out"},
    {"out_interface", "out"},
    {"out-interface", "out"},
    {"outinterface", "out"},
    {"output", "out"},
    {"ibrname", "in"},
    {"obrname", "out"},
    {"physindev", "physin"},
    {"physin_dev", "physin"},
    {"physoutdev", "physout"},
    {"physout_dev", "physout"},
    {"ether", "mac"},
    {"hwaddr", "mac"},
    {"mac_address", "mac"},
    {"macaddr", "mac"},
    {"lladdr", "mac"},
    {"fwmark", "mark"},
    {"nfmark", "mark"},
    {"skuid", "uid"},
    {"user", "uid"},
    {"uid_owner", "uid"},
    {"uid-owner", "uid"},
    {"len", "length"},
    {"size", "length"},
    {"pktlen", "length"},
    {"totlen", "length"},
    {"packet_length", "length"},
    {"payloadlen", "length"},
    {"flags", "tcp_flags"},
    {"tcpflags", "tcp_flags"},
    {"tcp-flags", "tcp_flags"},
    {"icmptype", "icmp_type"},
    {"icmp-type", "icmp_type"},
    {"icmpv6_type", "icmp_type"},
    {"icmpv6-type", "icmp_type"},
    {"type", "icmp_type"},
    {"nfproto", "family"},
    {"version", "family"},
    {"log_prefix", "prefix"},
    {"log-prefix", "prefix"},
    {"verdict", "action"},
    {"nflog_group", "group"},
    {"nflog-group", "group"},
    {"qname", "domain"},
    {"expression", "bpf"},
}};

struct Service {
  std::string_view name;
  std::uint16_t port;
};

// As IANA has them, and other words for them.
constexpr std::array<Service, 48> kServices = {{{"ftp", 21},
                                                {"ssh", 22},
                                                {"telnet", 23},
                                                {"smtp", 25},
                                                {"domain", 53},
                                                {"dns", 53},
                                                {"bootps", 67},
                                                {"dhcp", 67},
                                                {"bootpc", 68},
                                                {"tftp", 69},
                                                {"http", 80},
                                                {"www", 80},
                                                {"kerberos", 88},
                                                {"pop3", 110},
                                                {"sunrpc", 111},
                                                {"ntp", 123},
                                                {"netbios-ns", 137},
                                                {"netbios-dgm", 138},
                                                {"netbios-ssn", 139},
                                                {"imap", 143},
                                                {"imap2", 143},
                                                {"snmp", 161},
                                                {"bgp", 179},
                                                {"ldap", 389},
                                                {"https", 443},
                                                {"smb", 445},
                                                {"microsoft-ds", 445},
                                                {"isakmp", 500},
                                                {"syslog", 514},
                                                {"printer", 515},
                                                {"dhcpv6-client", 546},
                                                {"dhcpv6-server", 547},
                                                {"submission", 587},
                                                {"ipp", 631},
                                                {"ldaps", 636},
                                                {"domain-s", 853},
                                                {"imaps", 993},
                                                {"pop3s", 995},
                                                {"openvpn", 1194},
                                                {"mysql", 3306},
                                                {"rdp", 3389},
                                                {"ms-wbt-server", 3389},
                                                {"ipsec-nat-t", 4500},
                                                {"sip", 5060},
                                                {"mdns", 5353},
                                                {"postgresql", 5432},
                                                {"llmnr", 5355},
                                                {"http-alt", 8080}}};

bool is_number(std::string_view text) noexcept {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// The parts between commas and blanks; within { } as nft has it.
std::vector<std::string_view> parts_of(std::string_view text) {
  text = trim_prefix(text);
  if (text.starts_with('{') && text.ends_with('}')) text = text.substr(1, text.size() - 2);
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t begin = text.find_first_not_of(", \t");
    if (begin == std::string_view::npos) return parts;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_of(", \t"), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
}

std::string one_number(const Key& key, std::string_view text) {
  if (is_number(text)) return std::string(text);
  if (const std::size_t at = text.find_first_of(":-"); at != std::string_view::npos) {
    const std::string_view low = text.substr(0, at);
    const std::string_view high = text.substr(at + 1);
    const bool fits = (low.empty() || is_number(low)) && (high.empty() || is_number(high)) && text.size() > 1;
    if (fits) {
      return fmt::format("\"{}-{}\"", low.empty() ? "0" : std::string(low),
                         high.empty() ? std::to_string(key.most) : std::string(high));
    }
  }
  if (key.most == 65535 && key.name.ends_with("port")) {
    if (const auto port = port_of(text)) return std::to_string(*port);
  }
  return {};
}

// ">1023", "<= 5"
std::string compared(const Key& key, std::string_view text) {
  const bool greater = text.starts_with('>');
  if (!greater && !text.starts_with('<')) return {};
  const bool or_equal = text.substr(1).starts_with('=');
  const std::string_view number = trim_prefix(text.substr(or_equal ? 2 : 1));
  constexpr std::size_t kMostDigits = 9;
  if (!is_number(number) || number.size() > kMostDigits) return {};
  const unsigned long value = std::stoul(std::string(number));
  if (greater) return fmt::format("\"{}-{}\"", or_equal ? value : value + 1, key.most);
  return value == 0 && !or_equal ? std::string() : fmt::format("\"0-{}\"", or_equal ? value : value - 1);
}

// "S.", "[P.]", "SA"
std::string flags_of_tcpdump(std::string_view text) {
  constexpr std::array<std::pair<char, std::string_view>, 9> kLetters = {{{'S', "syn"},
                                                                          {'.', "ack"},
                                                                          {'A', "ack"},
                                                                          {'F', "fin"},
                                                                          {'R', "rst"},
                                                                          {'P', "psh"},
                                                                          {'U', "urg"},
                                                                          {'E', "ece"},
                                                                          {'W', "cwr"}}};
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  constexpr std::size_t kMost = 4;
  if (text.size() > kMost) return {};
  std::string flags;
  for (const char c : text) {
    const auto* const found =
        std::find_if(kLetters.begin(), kLetters.end(), [c](const auto& letter) { return letter.first == c; });
    if (found == kLetters.end() || flags.find(found->second) != std::string::npos) return {};
    flags += (flags.empty() ? "" : ",") + std::string(found->second);
  }
  return flags;
}

}  // namespace

std::string_view key_of(std::string_view name) {
  std::string lowered = names::canonical(name);
  std::replace(lowered.begin(), lowered.end(), '-', '_');
  std::string_view word = lowered;
  const auto find = [](std::string_view wanted) -> std::string_view {
    for (const Word& one : kKeys) {
      if (one.theirs == wanted) return one.ours;
    }
    return {};
  };
  if (const std::string_view found = find(word); !found.empty()) return found;
  // "icmp.type", "oob.in", "mac.saddr.str", "ip saddr"
  if (word == "icmp.type" || word == "icmpv6.type") return "icmp_type";
  if (word.starts_with("mac.") || word.starts_with("ether.")) return "mac";
  const std::size_t dot = word.find_last_of(". ");
  if (dot == std::string_view::npos) return {};
  word.remove_prefix(dot + 1);
  if (const std::string_view found = find(word); !found.empty()) return found;
  const Key* const ours = find_key(word);
  return ours == nullptr ? std::string_view() : ours->name;
}

std::optional<std::uint16_t> port_of(std::string_view service) {
  const std::string wanted = names::canonical(service);
  const auto* const found =
      std::find_if(kServices.begin(), kServices.end(), [&](const Service& one) { return one.name == wanted; });
  if (found == kServices.end()) return std::nullopt;
  return found->port;
}

std::string number_to_write(const Key& key, std::string_view text) {
  text = trim_prefix(text);
  if (text.starts_with('!')) {
    std::string_view rest = text.substr(text.starts_with("!=") ? 2 : 1);
    rest = trim_prefix(rest);
    const std::string one = one_number(key, rest);
    return one.empty() ? std::string() : fmt::format("; write \"!{}\" = {}", key.name, one);
  }
  if (const std::string range = compared(key, text); !range.empty()) return "; write " + range;
  const std::vector<std::string_view> parts = parts_of(text);
  std::string list;
  for (const std::string_view part : parts) {
    const std::string one = one_number(key, part);
    if (one.empty()) return {};
    list += (list.empty() ? "" : ", ") + one;
  }
  if (list.empty()) return {};
  return parts.size() == 1 ? "; write " + list : "; write [" + list + ']';
}

std::string text_to_write(const Key& key, const nlohmann::json& value) {
  if (!value.is_string() || key.type == ValueType::bpf || key.type == ValueType::tcp_flags) return {};
  std::string_view text = trim_prefix(value.get_ref<const std::string&>());
  if (text.starts_with('!') && text.size() > 1) {
    text = trim_prefix(text.substr(text.starts_with("!=") ? 2 : 1));
    return fmt::format("; write \"!{}\" = {}", key.name, shown(nlohmann::json(std::string(text))));
  }
  const std::vector<std::string_view> parts = parts_of(text);
  if (parts.size() < 2 || text.find_first_of(",{") == std::string_view::npos) return {};
  std::string list;
  for (const std::string_view part : parts) {
    list += (list.empty() ? "" : ", ") + shown(nlohmann::json(std::string(part)));
  }
  return "; write [" + list + ']';
}

std::string interface_to_write(std::string_view text) {
  constexpr std::size_t kMostBytes = 15;  // IFNAMSIZ, less its NUL
  if (text.size() > 1 && text.ends_with('+')) {
    return fmt::format("; write \"{}*\"", text.substr(0, text.size() - 1));
  }
  const auto stars = static_cast<std::size_t>(std::count(text.begin(), text.end(), '*'));
  if (text.size() - stars > kMostBytes) return fmt::format(": it has {} bytes at most", kMostBytes);
  return text.empty() || text.find_first_of("/ \t") != std::string_view::npos ? ": it has no blank and no / in it" : "";
}

std::string flags_to_write(std::string_view text) {
  if (const std::string flags = flags_of_tcpdump(text); !flags.empty()) return "; write \"" + flags + '"';
  if (trim_prefix(text).find_first_of("|+& ") == std::string_view::npos) return {};
  std::string list;
  std::string word;
  const auto add = [&] {
    if (word.empty()) return true;
    const bool negated = word.front() == '!';
    const std::string name = names::canonical(word.substr(negated ? 1 : 0));
    word.clear();
    if (!names::tcp_flag(name)) return false;
    list += (list.empty() ? "" : ",") + std::string(negated ? "!" : "") + name;
    return true;
  };
  for (const char c : text) {
    if (std::string_view("|+&, \t").find(c) == std::string_view::npos) {
      word += c;
    } else if (!add()) {
      return {};
    }
  }
  return add() && !list.empty() ? "; write \"" + list + '"' : std::string();
}

}  // namespace nfbus::host::other_words
