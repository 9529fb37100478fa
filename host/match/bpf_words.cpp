#include "match/bpf_words.hpp"

#include "support/mutex.hpp"

#include <arpa/inet.h>
#include <netdb.h>

#include <algorithm>
#include <array>
#include <utility>

namespace nfbus::host {

namespace {

// pcap-filter(7), but for `gateway`, which takes a name alone. Sorted.
constexpr auto kWords = std::to_array<std::string_view>({
    "aarp",   "action",    "addr1",     "addr2",   "addr3",   "addr4",   "ah",         "and",        "arp",
    "atalk",  "bcc",       "broadcast", "byte",    "carp",    "clnp",    "connectmsg", "csnp",       "dccp",
    "decnet", "dir",       "direction", "dst",     "egp",     "eigrp",   "es-is",      "esis",       "esp",
    "ether",  "fddi",      "geneve",    "greater", "gre",     "host",    "icmp",       "icmp6",      "ifindex",
    "ifname", "igmp",      "igrp",      "iih",     "inbound", "ip",      "ip6",        "ipx",        "is-is",
    "isis",   "iso",       "l1",        "l2",      "lane",    "lat",     "len",        "length",     "less",
    "link",   "llc",       "lsp",       "mask",    "metac",   "moprc",   "mopdl",      "mpls",       "multicast",
    "net",    "netbeui",   "not",       "oam",     "oamf4",   "on",      "or",         "outbound",   "pim",
    "port",   "portrange", "ppp",       "pppoed",  "pppoes",  "proto",   "protochain", "psnp",       "ra",
    "radio",  "rarp",      "reason",    "rnr",     "rset",    "ruleset", "rulenum",    "sc",         "sca",
    "sctp",   "slip",      "snp",       "src",     "srnr",    "stp",     "subtype",    "subrulenum", "ta",
    "tcp",    "tr",        "type",      "udp",     "vci",     "vlan",    "vpi",        "vrrp",       "wlan",
});

constexpr auto kBeginningsOfWords = std::to_array<std::string_view>(
    {"icmp-", "icmp6-", "icmptype", "icmpcode", "icmp6type", "icmp6code", "tcp-", "tcpflags"});

bool is_word_byte(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '.' || c == ':';
}

bool consists_of(std::string_view text, std::string_view bytes) noexcept {
  return !text.empty() && text.find_first_not_of(bytes) == std::string_view::npos;
}

// Runs part on each piece between separators, until it says no.
template <typename Part>
bool all_parts(std::string_view text, char separator, std::size_t most, const Part& part) {
  for (std::size_t count = 1; count <= most; ++count) {
    const std::size_t end = text.find(separator);
    if (!part(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
  return false;
}

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kHexDigits = "0123456789abcdefABCDEF";

// What libpcap's scanner reads as a number, an address, or the slice of a header: never as a name.
bool is_number(const std::string& word) {
  if (word.starts_with("0x") || word.starts_with("0X"))
    return consists_of(std::string_view(word).substr(2), kHexDigits);
  if (all_parts(word, '.', 4, [](std::string_view part) { return consists_of(part, kDigits); })) return true;
  if (all_parts(word, ':', 2, [](std::string_view part) { return consists_of(part, kDigits); })) return true;
  in6_addr ipv6{};
  if (::inet_pton(AF_INET6, word.c_str(), &ipv6) == 1) return true;
  const auto is_octet = [](std::string_view part) { return part.size() <= 2 && consists_of(part, kHexDigits); };
  return std::count(word.begin(), word.end(), ':') == 5 && all_parts(word, ':', 6, is_octet);
}

bool is_keyword(std::string_view word) noexcept {
  if (std::find(kWords.begin(), kWords.end(), word) != kWords.end()) return true;
  return std::any_of(kBeginningsOfWords.begin(), kBeginningsOfWords.end(),
                     [&](std::string_view beginning) { return word.starts_with(beginning); });
}

// Those of /etc/services and /etc/protocols, and ranges of ports: what may follow `port` and `proto`.
bool is_known_here(const std::string& word) {
  if (all_parts(word, '-', 2, [](std::string_view part) { return consists_of(part, kDigits); })) return true;
  static Mutex mutex;  // of the C library's buffers
  const MutexLock lock(mutex);
  return ::getservbyname(word.c_str(), nullptr) != nullptr || ::getprotobyname(word.c_str()) != nullptr;
}

bool takes_local_names(std::string_view word) noexcept {
  return word == "port" || word == "portrange" || word == "proto" || word == "protochain";
}

bool joins(std::string_view word) noexcept { return word == "or" || word == "and" || word == "not"; }

}  // namespace

std::size_t count_words(std::string_view expression) {
  std::size_t count = 0;
  while (!expression.empty()) {
    const auto* const end = std::find_if_not(expression.begin(), expression.end(), is_word_byte);
    const std::string_view word(expression.begin(), end);
    if (!word.empty() && !joins(word)) ++count;
    expression.remove_prefix(std::max<std::size_t>(word.size(), 1));
  }
  return count;
}

std::string name_to_look_up(std::string_view expression) {
  bool local_names = false;  // `port ssh or https`: of both
  bool escaped = false;      // `\tcp` is a name, `tcp` a keyword
  while (!expression.empty()) {
    const auto* const end = std::find_if_not(expression.begin(), expression.end(), is_word_byte);
    std::string word(expression.begin(), end);
    if (word.empty()) {
      escaped = expression.front() == '\\';
      expression.remove_prefix(1);
      continue;
    }
    expression.remove_prefix(word.size());
    const bool may_be_keyword = !std::exchange(escaped, false);
    if (is_number(word)) continue;
    if (may_be_keyword && is_keyword(word)) {
      if (!joins(word)) local_names = takes_local_names(word);
      continue;
    }
    if (!local_names || !is_known_here(word)) return word;
  }
  return {};
}

}  // namespace nfbus::host
