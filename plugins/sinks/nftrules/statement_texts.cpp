#include "statement_texts.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace nftrules {
namespace {

// A text's words; what stands in quotes is one.
class Words {
 public:
  explicit Words(std::string_view text, std::size_t from = 0) : text_(text), end_(from) {}

  // The next one; empty: there is none. Then begin() and end() are its.
  std::string_view next() {
    begin_ = std::min(text_.find_first_not_of(' ', end_), text_.size());
    const bool is_quoted = begin_ < text_.size() && text_[begin_] == '"';
    const std::size_t last = is_quoted ? text_.find('"', begin_ + 1) : text_.find(' ', begin_);
    end_ = last == std::string_view::npos ? text_.size() : last + (is_quoted ? 1 : 0);
    return text_.substr(begin_, end_ - begin_);
  }
  [[nodiscard]] std::string_view peek() const { return Words(*this).next(); }
  // The next one, if it is `word`.
  bool skip(std::string_view word) {
    if (peek() != word) return false;
    next();
    return true;
  }
  [[nodiscard]] std::size_t begin() const noexcept { return begin_; }
  [[nodiscard]] std::size_t end() const noexcept { return end_; }

 private:
  std::string_view text_;
  std::size_t begin_ = 0;
  std::size_t end_;
};

std::string_view unquoted(std::string_view word) {
  if (word.size() < 2 || word.front() != '"' || word.back() != '"') return word;
  return word.substr(1, word.size() - 2);
}

// Behind the word "flags": each of them, as libnftables' log_stmt_print has it.
void skip_flags(Words& words) {
  if (words.skip("tcp") || words.skip("ip")) {
    words.next();
  } else if (!words.skip("all") && !words.skip("skuid")) {
    words.skip("ether");
  }
}

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

// "limit rate 10/second burst 5 packets", "limit rate 1 kbytes/minute"; not "limit rate over".
std::optional<Range> find_limit(std::string_view rule) {
  Words words(rule);
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (word != "limit" || words.peek() != "rate") continue;
    const std::size_t begin = words.begin();
    words.next();
    if (words.peek() == "over") continue;
    if (words.next().find('/') == std::string_view::npos) words.next();
    if (words.skip("burst")) {
      words.next();
      words.next();
    }
    return Range{begin, words.end()};
  }
  return std::nullopt;
}

// With one blank where there was something between two.
std::string without(std::string_view text, Range range) {
  std::string_view before = text.substr(0, range.begin);
  std::string_view after = text.substr(range.end);
  if (before.ends_with(' ')) before.remove_suffix(1);
  if (before.empty() && after.starts_with(' ')) after.remove_prefix(1);
  return std::string(before).append(after);
}

// The rule and its comment, which may say anything.
std::pair<std::string, std::string> without_comment(const std::string& rule) {
  const std::size_t comment = rule.rfind(" comment \"");
  if (comment == std::string::npos || !rule.ends_with('"')) return {rule, {}};
  return {rule.substr(0, comment), rule.substr(comment)};
}

}  // namespace

std::optional<LogText> find_log(std::string_view rule, std::size_t from) {
  Words words(rule, from);
  for (std::string_view word = words.next(); word != "log"; word = words.next()) {
    if (word.empty()) return std::nullopt;
  }
  LogText log;
  log.begin = words.begin();
  for (;;) {
    log.end = words.end();
    if (words.skip("prefix")) {
      log.prefix = unquoted(words.next());
    } else if (words.skip("group")) {
      const std::string_view number = words.next();
      std::uint16_t group = 0;
      if (std::from_chars(number.data(), number.data() + number.size(), group).ec == std::errc()) log.group = group;
    } else if (words.skip("snaplen") || words.skip("queue-threshold") || words.skip("level")) {
      words.next();
    } else if (words.skip("flags")) {
      skip_flags(words);
    } else {
      return log;
    }
  }
}

std::optional<std::string> with_group(const std::string& rule, std::string_view prefix, std::uint16_t group) {
  for (auto log = find_log(rule); log; log = find_log(rule, log->end)) {
    if (log->prefix != prefix || log->group) continue;
    std::string out = rule.substr(0, log->begin) + "log";
    if (!prefix.empty()) out.append(" prefix \"").append(prefix) += '"';
    return out.append(" group ").append(std::to_string(group)).append(rule.substr(log->end));
  }
  return std::nullopt;
}

namespace {

// Statements that do something: in two rules they would do it twice, and behind a limit they were limited.
bool has_effect(std::string_view statements) {
  constexpr std::array<std::string_view, 16> kEffects = {"counter", "quota", "update", "add",   "delete", "set",
                                                         "meter",   "map",   "vmap",   "count", "numgen", "last",
                                                         "dup",     "fwd",   "tproxy", "queue"};
  Words words(statements);
  for (std::string_view word = words.next(); !word.empty(); word = words.next()) {
    if (std::ranges::find(kEffects, word) != kEffects.end()) return true;
  }
  return false;
}

}  // namespace

std::optional<LogThenVerdict> split_limited(const std::string& rule, std::string_view verdict) {
  const auto [statements, comment] = without_comment(rule);
  const std::size_t end = statements.rfind(' ' + std::string(verdict));
  if (end == std::string::npos) return std::nullopt;
  // "reject with icmp ..." ends it as a whole, anything else as it is.
  if (verdict != "reject" && end + 1 + verdict.size() != statements.size()) return std::nullopt;
  const std::string limited = statements.substr(0, end);
  const auto limit = find_limit(limited);
  if (!limit || has_effect(statements) || find_limit(without(limited, *limit))) return std::nullopt;
  // Matches, the limit, logs, the verdict; of anything else only its author knows what is meant.
  std::size_t at = limit->end;
  for (auto log = find_log(limited, at); log && log->begin == at + 1; log = find_log(limited, at)) at = log->end;
  if (at == limit->end || at != limited.size()) return std::nullopt;
  std::string all = without(statements, *limit);
  while (const auto left = find_log(all)) all = without(all, {left->begin, left->end});
  return LogThenVerdict{limited + comment, std::move(all)};
}

}  // namespace nftrules
