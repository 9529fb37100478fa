#include "config/unquoted.hpp"

#include "schema/quantities.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace nfbus::host {

namespace {

constexpr std::string_view kDigits = "0123456789";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r");
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(" \t\r") + 1 - begin);
}

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

std::string_view word_at(std::string_view text, std::size_t begin) {
  std::size_t end = begin;
  while (end < text.size() && is_word(text[end])) ++end;
  return text.substr(std::min(begin, text.size()), end - begin);
}

// The last word before `end`, blanks aside.
std::string_view word_before(std::string_view text, std::size_t end) {
  while (end > 0 && (text[end - 1] == ' ' || text[end - 1] == '\t')) --end;
  std::size_t begin = end;
  while (begin > 0 && is_word(text[begin - 1])) --begin;
  return text.substr(begin, end - begin);
}

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of(kDigits) == std::string_view::npos;
}

// "80, 443" -> "[80, 443]"
std::string as_list(std::string_view text) {
  std::string list;
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view number = trimmed(text.substr(0, comma));
    if (!is_number(number)) return {};
    list += (list.empty() ? "[" : ", ") + std::string(number);
    if (comma == std::string_view::npos) return list.find(',') == std::string::npos ? std::string() : list + ']';
    text.remove_prefix(comma + 1);
  }
}

// "1000:2000" -> "1000-2000"
std::string as_range(std::string_view text) {
  const std::size_t at = text.find_first_of(":-");
  if (at == std::string_view::npos) return {};
  const std::string_view low = trimmed(text.substr(0, at));
  const std::string_view high = trimmed(text.substr(at + 1));
  return is_number(low) && is_number(high) ? fmt::format("{}-{}", low, high) : std::string();
}

struct Unquoted {
  std::string_view key;
  std::string_view value;
  std::size_t begin;  // of the value
};

// What stands behind the last = before `at`, where the parser stopped: all of a list of numbers, else the element that
// it stopped in.
std::optional<Unquoted> value_at(std::string_view line, std::size_t at) {
  const std::size_t equals = line.substr(0, at + 1).rfind('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::size_t begin = line.find_first_not_of(" \t[{", equals + 1);  // also nft's { 80, 443 }
  if (begin == std::string_view::npos) return std::nullopt;
  const auto unquoted = [&](std::size_t from, std::size_t to) {
    from = std::min(line.find_first_not_of(" \t", from), to);
    return Unquoted{.key = word_before(line, equals), .value = trimmed(line.substr(from, to - from)), .begin = from};
  };
  const std::size_t end = std::min(line.find_first_of("]}#\"'", begin), line.size());
  for (const std::size_t to : {end, std::max(at, begin)}) {
    if (!as_list(trimmed(line.substr(begin, to - begin))).empty()) return unquoted(begin, to);
  }
  const std::size_t first = std::max(begin, line.substr(0, std::max(at, begin)).find_last_of("[,=") + 1);
  return unquoted(first, std::min(line.find_first_of("]},#\"'", first), line.size()));
}

std::string correct_value(const Unquoted& unquoted) {
  const std::string_view value = unquoted.value;
  if (const std::string list = as_list(value); !list.empty()) return "a list is written " + list;
  if (const std::string range = as_range(value); !range.empty()) return fmt::format("a range is written \"{}\"", range);
  if (is_number(value)) return {};
  if (std::string number = number_to_write(value, unit_of_option(unquoted.key)); !number.empty()) {
    return fmt::format("{} is no number; write {}", value, number);
  }
  const auto is_plain = [](char c) {
    return c >= ' ' && c <= '~' && std::string_view("\\{[=").find(c) == std::string_view::npos;
  };
  if (value.empty() || !std::all_of(value.begin(), value.end(), is_plain)) return {};
  return fmt::format("this is not a TOML value; texts stand in quotes: \"{}\"", value);
}

std::optional<Correction> correct_key(std::string_view line, std::size_t at) {
  if (line[at] == '!') {
    const std::string_view name = word_at(line, at + 1);
    const auto column = static_cast<unsigned>(at + 1);
    if (!name.empty()) {
      return Correction{fmt::format("a key that begins with ! stands in quotes: \"!{}\" = VALUE", name), column};
    }
    const std::string_view before = word_before(line, at);
    if (!before.empty() && line.substr(at).starts_with("!=")) {
      return Correction{fmt::format("a condition that must not hold is written \"!{}\" = VALUE", before), column};
    }
  }
  const std::string_view rest = line.substr(at);
  if ((rest.starts_with(';') || rest.starts_with("//")) && trimmed(line.substr(0, at)).empty()) {
    return Correction{"a comment begins with #", static_cast<unsigned>(at + 1)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<Correction> correct_line(std::string_view line, std::size_t column, std::string_view description) {
  const std::size_t at = column == 0 ? 0 : column - 1;
  const auto here = static_cast<unsigned>(column);
  if (at < line.size()) {
    if (auto corrected = correct_key(line, at)) return corrected;
    constexpr std::string_view kTypographic = "\xe2\x80";
    if (line.substr(at).starts_with(kTypographic))
      return Correction{R"(typographic quotes; write plain ones: ")", here};
  }
  if (description.find("dangling comma") != std::string_view::npos) {
    return Correction{"no comma stands before a }; remove it", here};
  }
  const bool ends_in_table =
      description.find("inline table") != std::string_view::npos &&
      (description.find("saw '\\n'") != std::string_view::npos || at >= line.size() || line[at] == '#');
  if (ends_in_table) {
    return Correction{
        "a table in { } stands on one line; write it on one, or its keys below a header of its own: [TABLE] "
        "or, one of many, [[TABLE]]",
        here};
  }
  const auto unquoted = value_at(line, at);
  if (!unquoted) return std::nullopt;
  std::string text = correct_value(*unquoted);
  if (text.empty()) return std::nullopt;
  return Correction{std::move(text), static_cast<unsigned>(unquoted->begin + 1)};
}

unsigned line_of_ulogd(std::string_view text) {
  unsigned number = 0;
  while (!text.empty()) {
    ++number;
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with("stack") && !line.starts_with("plugin")) continue;
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view key = trimmed(line.substr(0, equals));
    const std::string_view value = line.substr(equals + 1);
    const bool is_stack = key == "stack" && value.find(':') != std::string_view::npos &&
                          value.find_first_of("\"'[{") == std::string_view::npos;
    const std::size_t name = value.find("ulogd_");
    const bool is_plugin =
        key == "plugin" && name != std::string_view::npos && value.find(".so", name) != std::string_view::npos;
    if (is_stack || is_plugin) return number;
  }
  return 0;
}

}  // namespace nfbus::host
