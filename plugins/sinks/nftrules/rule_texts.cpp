#include "rule_texts.hpp"

#include "compiler.hpp"

#include <algorithm>
#include <utility>

namespace nftrules {

const std::string* RuleTexts::listed(const Rule& rule) {
  const std::string table = to_string(rule.table);
  const auto [chain, is_new] = chains_.try_emplace(table + ' ' + rule.chain);
  if (is_new && trouble_.empty()) {
    auto texts = rule_texts(table, rule.chain);
    if (texts) {
      chain->second = std::move(texts).value();
    } else {
      trouble_ = "rules are shown without nft's words: " + texts.error().text;
    }
  }
  const auto text = chain->second.find(rule.handle);
  return text == chain->second.end() ? nullptr : &text->second;
}

std::string RuleTexts::of(const Rule& rule) {
  if (with_nft_) {
    if (const std::string* const text = listed(rule); text != nullptr) return *text;
  }
  std::string text;
  const auto add = [&](const std::string& words) { text += (text.empty() ? "" : " ") + words; };
  for (const std::string& mention : rule.mentions) add(mention);
  for (const LogStatement& log : rule.logs) add(to_string(log));
  if (!rule.comment.empty()) add("comment \"" + rule.comment + '"');
  return text;
}

std::string RuleTexts::with_log(std::string_view text, const LogStatement& was, const LogStatement& now) {
  const std::string before = to_string(was);
  const std::size_t at = text.find(before);
  if (at == std::string_view::npos) return std::string(text) + " -> " + to_string(now);
  return std::string(text.substr(0, at)) + to_string(now) + std::string(text.substr(at + before.size()));
}

bool RuleTexts::says(const Rule& rule, std::string_view words) {
  if (words.starts_with('@') || words.starts_with("jump ") || words.starts_with("goto ")) {
    if (std::ranges::find(rule.mentions, words) != rule.mentions.end()) return true;
    if (words.find(' ') == std::string_view::npos || words.rfind(' ') == 4) return false;
  }
  const std::string* const text = listed(rule);
  return text != nullptr && text->find(words) != std::string::npos;
}

}  // namespace nftrules
