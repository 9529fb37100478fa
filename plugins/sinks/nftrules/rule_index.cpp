#include "rule_index.hpp"

#include <nfbus/abi.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace nftrules {
namespace {

constexpr std::string_view kBlank = " \t\r\n\v\f";

// Its bytes without blanks around them, in small letters, and those of the group: in its own storage.
class Key {
 public:
  Key(std::string_view prefix, std::uint16_t group) noexcept {
    const std::size_t first = std::min(prefix.find_first_not_of(kBlank), prefix.size());
    prefix = prefix.substr(first, prefix.find_last_not_of(kBlank) + 1 - first);
    if (prefix.size() + sizeof group > bytes_.size()) return;
    for (const char c : prefix) push(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
    push(static_cast<char>(group >> 8U));
    push(static_cast<char>(group & 0xffU));
  }
  // Empty: no rule has such a prefix.
  [[nodiscard]] std::string_view view() const noexcept { return {bytes_.data(), size_}; }

 private:
  void push(char c) noexcept { bytes_[size_++] = c; }

  std::array<char, 256> bytes_{};
  std::size_t size_ = 0;
};

std::string as_json_text(const std::string& text) {
  using nlohmann::json;
  return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Unless it is the last one already, or there is no room for it.
void append(std::string& array, const std::string& element) {
  if (array.size() + 1 + element.size() > NFBUS_MAX_FIELD_VALUE || array.ends_with(element + ']')) return;
  if (array == "[]") {
    array.pop_back();
  } else {
    array.back() = ',';
  }
  array += element + ']';
}

}  // namespace

void RuleIndex::add(const LoggingRule& rule) {
  if (!rule.group) return;
  const Key key(rule.prefix, *rule.group);
  if (key.view().empty()) return;
  std::string name = rule.name();
  const auto found = entries_.find(key.view());
  if (found == entries_.end()) {
    const std::size_t more = key.view().size() + name.size();
    if (size_bytes_ + more > most_bytes_) {
      ++left_out_;
      return;
    }
    size_bytes_ += more;
    entries_.emplace(key.view(), Entry{std::move(name), {}});
    return;
  }
  Entry& entry = found->second;
  if (entry.candidates.empty() && entry.rule == name) return;
  const std::size_t before = entry.candidates.size();
  if (entry.candidates.empty()) {
    entry.candidates = "[]";
    append(entry.candidates, as_json_text(entry.rule));
  }
  append(entry.candidates, as_json_text(name));
  size_bytes_ += entry.candidates.size() - before;
}

const RuleIndex::Entry* RuleIndex::find(std::string_view prefix, std::uint16_t group) const noexcept {
  const Key key(prefix, group);
  const auto found = entries_.find(key.view());
  return found == entries_.end() ? nullptr : &found->second;
}

const RuleIndex::Entry* RuleCache::find(const RuleIndex& index, std::string_view prefix, std::uint16_t group) noexcept {
  if (prefix.size() > kMostPrefix) return nullptr;
  std::uint32_t hash = 2166136261U ^ group;  // FNV-1a: rules, and no packets, choose prefixes
  for (const char c : prefix) hash = (hash ^ static_cast<std::uint8_t>(c)) * 16777619U;
  Slot& slot = slots_[(hash ^ hash >> 16U) % slots_.size()];
  if (slot.is_used && slot.group == group && std::string_view(slot.prefix.data(), slot.size) == prefix) {
    return slot.entry;
  }
  slot.is_used = true;
  slot.group = group;
  slot.size = static_cast<std::uint8_t>(prefix.size());
  prefix.copy(slot.prefix.data(), slot.prefix.size());
  slot.entry = index.find(prefix, group);
  return slot.entry;
}

}  // namespace nftrules
