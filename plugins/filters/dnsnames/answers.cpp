#include "answers.hpp"

#include <algorithm>
#include <string>

namespace dnsnames {

namespace {

// Resolvers follow about so many, too; a loop of CNAMEs ends here.
constexpr std::size_t kMostAliases = 16;

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

std::string_view without_dot(std::string_view name) noexcept {
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

bool same_name(std::string_view a, std::string_view b) noexcept {
  a = without_dot(a);
  b = without_dot(b);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string shown(std::string_view name) {
  std::string out(without_dot(name));
  std::transform(out.begin(), out.end(), out.begin(), lower);
  return out;
}

// A name on the way from the question to its addresses.
struct Alias {
  std::string_view name;
  std::uint32_t ttl_s;
};

// The CNAME records in any order: servers do not always sort them.
std::vector<Alias> aliases_of(std::string_view question, std::span<const Record> records) {
  std::vector<Alias> aliases = {{.name = question, .ttl_s = UINT32_MAX}};
  for (std::size_t i = 0; i < aliases.size(); ++i) {
    const Alias from = aliases[i];
    for (const Record& record : records) {
      if (aliases.size() > kMostAliases) return aliases;
      if (record.type != nfbus::DnsType::cname || !same_name(record.owner, from.name)) continue;
      const bool known = std::any_of(aliases.begin(), aliases.end(),
                                     [&](const Alias& alias) { return same_name(alias.name, record.target); });
      if (!known) aliases.push_back({.name = record.target, .ttl_s = std::min(from.ttl_s, record.ttl_s)});
    }
  }
  return aliases;
}

}  // namespace

void learn_answer(std::string_view question, std::span<const Record> records, std::int64_t now_ns, Names& names) {
  const std::string name = shown(question);
  if (name.empty()) return;
  const std::vector<Alias> aliases = aliases_of(question, records);
  for (const Record& record : records) {
    if (record.address.empty()) continue;
    const auto alias = std::find_if(aliases.begin(), aliases.end(),
                                    [&](const Alias& one) { return same_name(one.name, record.owner); });
    if (alias != aliases.end()) names.learn(record.address, name, std::min(alias->ttl_s, record.ttl_s), now_ns);
  }
}

void learn_announcement(std::span<const Record> records, std::int64_t now_ns, Names& names) {
  for (const Record& record : records) {
    if (record.address.empty()) continue;
    const std::string name = shown(record.owner);
    if (!name.ends_with(".local")) continue;
    if (record.ttl_s == 0) {
      names.unlearn(record.address, name);
    } else {
      names.learn(record.address, name, record.ttl_s, now_ns);
    }
  }
}

}  // namespace dnsnames
