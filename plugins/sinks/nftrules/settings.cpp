#include "settings.hpp"

#include "statement_texts.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <utility>

namespace nftrules {
namespace {

using nfbus::OptionError;
using nfbus::Options;

constexpr std::size_t kMostPrefix = 127;  // NF_LOG_PREFIXLEN, with its NUL
constexpr std::size_t kMostDevice = 15;   // IFNAMSIZ

[[noreturn]] void wrong(const std::string& key, const std::string& text) { throw OptionError(key, text); }

TableName table_at(const Options& options, const std::string& key) {
  const auto table = table_name_of(options.text(key));
  if (!table) wrong(key, table.error().text);
  return *table;
}

// What goes into nft's language in quotes, or is compared with what stands there.
std::string prefix_at(const Options& options, const std::string& key) {
  std::string prefix = options.text(key);
  if (prefix.empty()) wrong(key, "a prefix is a topic: it cannot be empty");
  if (prefix.size() > kMostPrefix) wrong(key, "the kernel keeps 127 characters of a prefix");
  const bool is_plain =
      std::ranges::all_of(prefix, [](char c) { return c >= ' ' && c != '"' && c != '\\' && c != 127; });
  if (!is_plain) wrong(key, "nft has no quotes, backslashes or control characters in a prefix");
  return prefix;
}

std::string chain_at(const Options& options, const std::string& key) {
  std::string chain = options.text(key);
  const bool is_word = !chain.empty() && std::ranges::all_of(chain, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '/';
  });
  if (!is_word) wrong(key, "a chain's name is letters, digits, _, -, . and /");
  return chain;
}

std::uint16_t group_at(const Options& options, const std::string& key) {
  return static_cast<std::uint16_t>(options.integer(key));
}

// Words of nft that decide, or change something. Compiling some of them already changes what the kernel has: a set that
// rules add to gets a size, though nothing is committed.
constexpr std::array<std::string_view, 24> kForbidden = {
    "accept",   "drop",   "reject",   "queue",  "jump", "goto",  "return",  "continue",
    "vmap",     "add",    "update",   "delete", "set",  "meter", "snat",    "dnat",
    "redirect", "tproxy", "synproxy", "dup",    "fwd",  "flow",  "notrack", "masquerade"};

void check_words(std::string_view unquoted, const std::string& key) {
  std::string word;
  for (const char c : std::string(unquoted) + ' ') {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '@' || c == '.') {
      word += c;
      continue;
    }
    if (std::ranges::find(kForbidden, word) != kForbidden.end()) {
      wrong(key, "a rule of nfbus's only looks and logs: \"" + word + "\" decides, or changes something");
    }
    if (word == "comment") wrong(key, "the comment is nfbus's to give: it knows its rules by it");
    word.clear();
  }
}

// One rule, on one line: nothing that begins another command, and no verdict hidden behind it.
std::string statement_at(const Options& options, const std::string& key) {
  std::string statement = options.text(key);
  std::string unquoted;
  bool is_quoted = false;
  for (const char c : statement) {
    if (c == '"') is_quoted = !is_quoted;
    if (!is_quoted) unquoted += c;
    if (static_cast<unsigned char>(c) < ' ' || c == 127) wrong(key, "a statement is one line");
    if (!is_quoted && (c == ';' || c == '#' || c == '\\' || c == '$')) {
      wrong(key, std::string("a statement is one rule, without \"") + c + '"');
    }
  }
  if (is_quoted) wrong(key, "a quote is not closed");
  check_words(unquoted, key);
  return statement;
}

// FNV-1a, 64 bits: which statement a rule of ours is made from. Not against an enemy: who may write rules needs no tag.
std::string tag_of(std::string_view chain, std::string_view statement) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3U;
  };
  add(chain);
  add("\n");
  add(statement);
  std::array<char, 17> hex{};
  static_cast<void>(std::snprintf(hex.data(), hex.size(), "%016llx", static_cast<unsigned long long>(hash)));
  return std::string(kTag) + hex.data();
}

// Prefix and group, to know a rule of others that logs the same; what the kernel would run is looked at once it is
// compiled.
LogStatement log_in(const std::string& statement, const std::string& key) {
  LogStatement log;
  if (const auto found = find_log(statement)) {
    log.prefix = found->prefix;
    log.group = found->group;
  }
  if (log.prefix.empty()) wrong(key, "a statement of nfbus's logs with a prefix: log prefix \"lan:in \" group 0");
  if (!log.group) wrong(key, "a statement of nfbus's logs to a group: log prefix \"lan:in \" group 0");
  return log;
}

Rewrite rewrite_of(const Options& options, const std::string& key) {
  Rewrite out;
  out.key = key;
  out.table = table_at(options, key + "/table");
  out.chain = chain_at(options, key + "/chain");
  out.match_prefix = plain_prefix(options.text(key + "/match_prefix"));
  if (out.match_prefix.empty()) wrong(key + "/match_prefix", "which prefix the rule has now is not said");
  out.log.prefix = prefix_at(options, key + "/prefix");
  out.log.group = group_at(options, key + "/group");
  return out;
}

Insert insert_of(const Options& options, const std::string& key) {
  Insert out;
  out.key = key;
  out.table = table_at(options, key + "/table");
  out.chain = chain_at(options, key + "/chain");
  const bool before = options.has(key + "/before");
  if (before == options.has(key + "/after")) wrong(key, "give before or after: what the rule beside it says");
  out.place = before ? Insert::Place::before : Insert::Place::after;
  out.beside = options.text(key + (before ? "/before" : "/after"));
  if (out.beside.empty()) wrong(key + (before ? "/before" : "/after"), "what the rule beside it says cannot be empty");
  if (options.has(key + "/match")) {
    out.which = options.text(key + "/match") == "first" ? Insert::Which::first : Insert::Which::last;
  }
  out.statement = statement_at(options, key + "/statement");
  out.log = log_in(out.statement, key + "/statement");
  out.tag = tag_of(out.chain, out.statement);
  return out;
}

Hook hook_of(const Options& options, const std::string& key) {
  Hook out;
  out.key = key;
  out.hook = options.text(key + "/hook");
  const bool is_ingress = out.hook == "ingress";
  if (options.has(key + "/devices")) out.devices = options.list(key + "/devices");
  for (std::size_t i = 0; i < out.devices.size(); ++i) {
    const std::string& device = out.devices[i];
    const bool is_name = !device.empty() && device.size() <= kMostDevice && std::ranges::all_of(device, [](char c) {
      return c > ' ' && c != '"' && c != '/' && c != '\\' && c != ',' && c != 127;
    });
    if (!is_name) wrong(key + "/devices/" + std::to_string(i), "a device's name is 1 to 15 characters without blanks");
    if (is_ingress && device.find('*') != std::string::npos) {
      wrong(key + "/devices/" + std::to_string(i), "hook ingress takes whole names of devices");
    }
  }
  if (is_ingress && out.devices.empty()) wrong(key + "/hook", "hook ingress needs devices = [\"NAME\"]");
  const bool sees_in = out.hook != "output" && out.hook != "postrouting";
  const bool sees_out = out.hook == "output" || out.hook == "postrouting" || out.hook == "forward";
  out.is_outgoing = options.has(key + "/direction") ? options.text(key + "/direction") == "out" : !sees_in;
  if (out.is_outgoing ? !sees_out : !sees_in) {
    wrong(key + "/direction", std::string("a packet in hook ") + out.hook + " has no device where it " +
                                  (out.is_outgoing ? "leaves" : "came in"));
  }
  out.prefix = prefix_at(options, key + "/prefix");
  out.group = group_at(options, key + "/group");
  if (options.has(key + "/limit")) out.limit = options.text(key + "/limit");
  return out;
}

}  // namespace

std::string plain_prefix(std::string_view prefix) {
  const std::size_t begin = prefix.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  std::string out(prefix.substr(begin, prefix.find_last_not_of(" \t") - begin + 1));
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::vector<TableName> Settings::tables() const {
  std::vector<TableName> out;
  const auto add = [&](const TableName& table) {
    if (std::ranges::find(out, table) == out.end()) out.push_back(table);
  };
  for (const Rewrite& rewrite : rewrites) add(rewrite.table);
  for (const Insert& insert : inserts) add(insert.table);
  return out;
}

Settings settings_of(const Options& options) {
  Settings out;
  const auto each = [&](const std::string& list, auto add) {
    for (std::size_t i = 0; i < options.count(list); ++i) add(list + '/' + std::to_string(i));
  };
  each("rewrite", [&](const std::string& key) { out.rewrites.push_back(rewrite_of(options, key)); });
  each("insert", [&](const std::string& key) { out.inserts.push_back(insert_of(options, key)); });
  each("hook", [&](const std::string& key) { out.hooks.push_back(hook_of(options, key)); });
  out.state_dir = options.text("state_dir");
  out.on_stop = options.text("on_stop") == "revert" ? OnStop::revert : OnStop::keep;
  out.watch = options.boolean("watch");
  return out;
}

}  // namespace nftrules
