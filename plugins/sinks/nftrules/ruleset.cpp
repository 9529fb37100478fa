#include "ruleset.hpp"

#include "attributes.hpp"

#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_log.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;

constexpr std::array<std::pair<std::string_view, std::uint8_t>, 6> kFamilies = {{{"ip", NFPROTO_IPV4},
                                                                                 {"ip6", NFPROTO_IPV6},
                                                                                 {"inet", NFPROTO_INET},
                                                                                 {"arp", NFPROTO_ARP},
                                                                                 {"bridge", NFPROTO_BRIDGE},
                                                                                 {"netdev", NFPROTO_NETDEV}}};

// syslog's words, linux/netfilter/nf_log.h.
constexpr std::array<std::string_view, 9> kLevels = {"emerg",  "alert", "crit",  "err",  "warn",
                                                     "notice", "info",  "debug", "audit"};
constexpr std::uint32_t kDefaultLevel = 4;

// linux/netfilter/nf_log.h, in nft's words.
std::string flags_text(std::uint32_t flags) {
  if ((flags & NF_LOG_MASK) == NF_LOG_MASK) return " flags all";
  std::string text;
  if ((flags & (NF_LOG_TCPSEQ | NF_LOG_TCPOPT)) != 0) {
    text += " flags tcp ";
    text += (flags & NF_LOG_TCPSEQ) != 0 ? "sequence" : "";
    text += (flags & NF_LOG_TCPSEQ) != 0 && (flags & NF_LOG_TCPOPT) != 0 ? "," : "";
    text += (flags & NF_LOG_TCPOPT) != 0 ? "options" : "";
  }
  if ((flags & NF_LOG_IPOPT) != 0) text += " flags ip options";
  if ((flags & NF_LOG_UID) != 0) text += " flags skuid";
  if ((flags & NF_LOG_MACDECODE) != 0) text += " flags ether";
  return text;
}

bool is_anonymous(std::string_view set) {
  return (set.starts_with("__set") || set.starts_with("__map")) && set.size() > 5;
}

// The comment is one of the rule's own user data: type, length, bytes (libnftnl/udata.h).
std::string comment_of(std::string_view userdata) {
  while (userdata.size() >= 2) {
    const auto type = static_cast<std::uint8_t>(userdata[0]);
    const std::size_t size = static_cast<std::uint8_t>(userdata[1]);
    if (size + 2 > userdata.size()) return {};
    const std::string_view value = userdata.substr(2, size);
    if (type == NFTNL_UDATA_RULE_COMMENT) return std::string(value.substr(0, value.find('\0')));
    userdata.remove_prefix(size + 2);
  }
  return {};
}

// Whether the rule can end at this expression, or change the packet or where it goes.
bool is_verdict_by_name(std::string_view name) {
  constexpr std::array<std::string_view, 11> kNames = {"reject", "nat",      "masq", "redir",  "queue",       "tproxy",
                                                       "fwd",    "synproxy", "dup",  "target", "flow_offload"};
  return std::ranges::find(kNames, name) != kNames.end();
}

struct RuleReader {
  Rule& rule;

  void use_set(std::string_view set) {
    if (is_anonymous(set)) {
      rule.anonymous_sets.emplace_back(set);
    } else {
      rule.mentions.push_back('@' + std::string(set));
    }
  }

  void read_verdict(const Attributes& data) {
    const Attribute found = data.find(NFTA_DATA_VERDICT);
    if (found.whole.empty()) return;
    const Attributes parts(found.payload);
    const auto code = static_cast<std::int32_t>(parts.find(NFTA_VERDICT_CODE).be32());
    const std::string chain(parts.find(NFTA_VERDICT_CHAIN).text());
    if (code == NFT_JUMP) rule.mentions.push_back("jump " + chain);
    if (code == NFT_GOTO) rule.mentions.push_back("goto " + chain);
    rule.has_verdict = true;
  }

  void read(std::string_view name, std::string_view bytes) {
    rule.names.emplace_back(name);
    const Attributes data(bytes);
    if (name == "log") {
      rule.logs.push_back(log_statement_of(bytes));
    } else if (name == "immediate") {
      read_verdict(Attributes(data.find(NFTA_IMMEDIATE_DATA).payload));
    } else if (name == "lookup") {
      use_set(data.find(NFTA_LOOKUP_SET).text());
      const Attribute to = data.find(NFTA_LOOKUP_DREG);
      if (!to.whole.empty() && to.be32() == NFT_REG_VERDICT) rule.has_verdict = true;
    } else if (name == "dynset") {
      use_set(data.find(NFTA_DYNSET_SET_NAME).text());
    } else if (name == "objref") {
      const Attribute set = data.find(NFTA_OBJREF_SET_NAME);
      if (!set.whole.empty()) use_set(set.text());
    } else if (is_verdict_by_name(name)) {
      rule.has_verdict = true;
    }
  }
};

}  // namespace

std::string_view family_name(std::uint8_t family) {
  for (const auto& [name, number] : kFamilies) {
    if (number == family) return name;
  }
  return "unknown";
}

Result<TableName> table_name_of(std::string_view text) {
  TableName table{NFPROTO_IPV4, {}};
  const std::size_t blank = text.find(' ');
  if (blank != std::string_view::npos) {
    const std::string_view family = text.substr(0, blank);
    const auto* const found = std::ranges::find(kFamilies, family, &std::pair<std::string_view, std::uint8_t>::first);
    if (found == kFamilies.end()) {
      return Error{Code::invalid,
                   '"' + std::string(family) + "\" is no family of nft; it is ip, ip6, inet, arp, bridge or netdev"};
    }
    table.family = found->second;
    text.remove_prefix(std::min(text.find_first_not_of(' ', blank), text.size()));
  }
  if (text.empty() || text.find(' ') != std::string_view::npos) {
    return Error{Code::invalid, R"(a table is a family and a name: "inet filter")"};
  }
  table.name = text;
  return table;
}

std::string to_string(const TableName& table) { return std::string(family_name(table.family)) + ' ' + table.name; }

LogStatement log_statement_of(std::string_view attributes_of_log) {
  const Attributes attributes(attributes_of_log);
  LogStatement log;
  log.prefix = attributes.find(NFTA_LOG_PREFIX).text();
  if (attributes.has(NFTA_LOG_GROUP)) log.group = attributes.find(NFTA_LOG_GROUP).be16();
  if (attributes.has(NFTA_LOG_SNAPLEN)) log.snaplen = attributes.find(NFTA_LOG_SNAPLEN).be32();
  if (attributes.has(NFTA_LOG_QTHRESHOLD)) log.queue_threshold = attributes.find(NFTA_LOG_QTHRESHOLD).be16();
  if (attributes.has(NFTA_LOG_LEVEL)) log.level = attributes.find(NFTA_LOG_LEVEL).be32();
  if (attributes.has(NFTA_LOG_FLAGS)) log.flags = attributes.find(NFTA_LOG_FLAGS).be32();
  return log;
}

std::string log_attributes(const LogStatement& log) {
  AttributeWriter writer;
  if (log.group) writer.be16(NFTA_LOG_GROUP, *log.group);
  if (!log.prefix.empty()) writer.text(NFTA_LOG_PREFIX, log.prefix);
  if (log.snaplen) writer.be32(NFTA_LOG_SNAPLEN, *log.snaplen);
  if (log.queue_threshold) writer.be16(NFTA_LOG_QTHRESHOLD, *log.queue_threshold);
  if (log.level) writer.be32(NFTA_LOG_LEVEL, *log.level);
  if (log.flags) writer.be32(NFTA_LOG_FLAGS, *log.flags);
  return std::move(writer).bytes();
}

std::string to_string(const LogStatement& log) {
  std::string text = "log";
  if (!log.prefix.empty()) text += " prefix \"" + log.prefix + '"';
  if (log.group) text += " group " + std::to_string(*log.group);
  if (log.snaplen) text += " snaplen " + std::to_string(*log.snaplen);
  if (log.queue_threshold) text += " queue-threshold " + std::to_string(*log.queue_threshold);
  if (log.level && *log.level != kDefaultLevel && *log.level < kLevels.size()) {
    text += " level " + std::string(kLevels[*log.level]);
  }
  return text + flags_text(log.flags.value_or(0));
}

Rule rule_of(const Message& message) {
  const Attributes attributes(message.attributes);
  Rule rule;
  rule.table = {message.family, std::string(attributes.find(NFTA_RULE_TABLE).text())};
  rule.chain = attributes.find(NFTA_RULE_CHAIN).text();
  rule.handle = attributes.find(NFTA_RULE_HANDLE).be64();
  rule.expressions = attributes.find(NFTA_RULE_EXPRESSIONS).payload;
  rule.userdata = attributes.find(NFTA_RULE_USERDATA).payload;
  rule.comment = comment_of(rule.userdata);
  RuleReader reader{rule};
  for (const Attribute& element : Attributes(rule.expressions)) {
    const Attributes expression(element.payload);
    reader.read(expression.find(NFTA_EXPR_NAME).text(), expression.find(NFTA_EXPR_DATA).payload);
  }
  return rule;
}

bool only_looks(std::string_view name, std::string_view data) {
  constexpr std::array<std::string_view, 18> kLooks = {"payload",   "meta", "cmp",    "bitwise", "lookup",  "range",
                                                       "byteorder", "ct",   "exthdr", "fib",     "rt",      "socket",
                                                       "osf",       "hash", "numgen", "limit",   "counter", "quota"};
  // The register that such an expression would write from.
  constexpr std::array<std::pair<std::string_view, std::uint16_t>, 4> kSources = {
      {{"payload", NFTA_PAYLOAD_SREG}, {"meta", NFTA_META_SREG}, {"ct", NFTA_CT_SREG}, {"exthdr", NFTA_EXTHDR_SREG}}};
  const Attributes attributes(data);
  return std::ranges::find(kLooks, name) != kLooks.end() && std::ranges::none_of(kSources, [&](const auto& source) {
           return source.first == name && attributes.has(source.second);
         });
}

std::string with_log(std::string_view expressions, std::size_t index, const LogStatement& now) {
  AttributeWriter out;
  std::size_t logs = 0;
  for (const Attribute& element : Attributes(expressions)) {
    const bool is_log = Attributes(element.payload).find(NFTA_EXPR_NAME).text() == "log";
    if (!is_log || logs++ != index) {
      out.raw(element.whole);
      continue;
    }
    AttributeWriter expression;
    expression.text(NFTA_EXPR_NAME, "log").nested(NFTA_EXPR_DATA, log_attributes(now));
    out.nested(NFTA_LIST_ELEM, expression.bytes());
  }
  return std::move(out).bytes();
}

}  // namespace nftrules
