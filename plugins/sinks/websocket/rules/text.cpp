#include "text.hpp"

#include "../../../lib/ascii.hpp"
#include "../../../lib/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <limits>

namespace rules {
namespace {

constexpr std::string_view kEllipsis = "\xe2\x80\xa6";  // U+2026
constexpr std::int64_t kSecondNs = 1'000'000'000;

using output::Character;
using output::first_character;

std::uint8_t byte_at(std::string_view text, std::size_t at) noexcept {
  return at < text.size() ? static_cast<std::uint8_t>(text[at]) : std::uint8_t{0};
}

using output::lower;

// Insertions, deletions, substitutions, and neighbours that changed places.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1);
  std::vector<std::size_t> above(b.size() + 1);
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  const auto is_same = [&](std::size_t i, std::size_t j) { return lower(a[i - 1]) == lower(b[j - 1]); };
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (is_same(i, j) ? 0U : 1U)});
      const bool is_swapped = i > 1 && j > 1 && is_same(i, j - 1) && is_same(i - 1, j);
      if (is_swapped) row[j] = std::min(row[j], before[j - 2] + 1);
    }
  }
  return row[b.size()];
}

// Reads so many digits; -1: they are not there.
int number_at(std::string_view text, std::size_t at, std::size_t digits) noexcept {
  if (at + digits > text.size()) return -1;
  int value = 0;
  const char* const end = text.data() + at + digits;
  const bool is_signed = text[at] == '-' || text[at] == '+';
  return !is_signed && std::from_chars(text.data() + at, end, value).ptr == end ? value : -1;
}

// "Z", "+01:00": seconds east of UTC; nothing: neither.
std::optional<int> zone_of(std::string_view text) noexcept {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = number_at(text, 1, 2);
  const int minutes = number_at(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  const int seconds = (hours * 60 + minutes) * 60;
  return text[0] == '-' ? -seconds : seconds;
}

}  // namespace

void append_clean(std::string& out, std::string_view value) {
  const bool is_cut = value.size() > kMostValueBytes;
  value = value.substr(0, kMostValueBytes);
  while (!value.empty()) {
    const Character character = first_character(value);
    if (character.size_bytes == 0) {
      // What the cut went through is no mistake.
      if (!is_cut || value.size() >= 4) out += output::kReplacement;
      value.remove_prefix(1);
      continue;
    }
    if (output::is_control(character.code)) {
      std::array<char, 8> text{};
      out.append(text.data(), static_cast<std::size_t>(std::snprintf(text.data(), text.size(), "\\x%02x",
                                                                     static_cast<unsigned>(character.code))));
    } else if (!output::is_hidden(character.code)) {
      out += value.substr(0, character.size_bytes);
    }
    value.remove_prefix(character.size_bytes);
  }
  if (is_cut) out += kEllipsis;
}

bool is_clean(std::string_view text, bool lines) noexcept {
  while (!text.empty()) {
    const Character character = first_character(text);
    const bool is_line = lines && (character.code == '\n' || character.code == '\t');
    if (character.size_bytes == 0 || (output::is_control(character.code) && !is_line)) return false;
    text.remove_prefix(character.size_bytes);
  }
  return true;
}

void shorten(std::string& text, std::size_t most_bytes) {
  if (text.size() <= most_bytes) return;
  std::size_t end = most_bytes - kEllipsis.size();
  while (end > 0 && (byte_at(text, end) & 0xc0U) == 0x80) --end;
  text.resize(end);
  text += kEllipsis;
}

std::string slug(std::string_view name) {
  constexpr std::size_t kMostBytes = 64;
  std::string out;
  for (const char written : name) {
    const char c = lower(written);
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (!is_plain && (out.empty() || out.back() == '-')) continue;
    out += is_plain ? c : '-';
    if (out.size() == kMostBytes) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "rule" : out;
}

std::string time_text(std::int64_t time_ns) {
  const std::time_t seconds = time_ns / kSecondNs;
  std::tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return {};
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

std::optional<std::int64_t> time_of(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  if (text[10] != 'T' && text[10] != 't' && text[10] != ' ') return std::nullopt;
  std::tm parts{};
  const int year = number_at(text, 0, 4);
  const int month = number_at(text, 5, 2);
  parts.tm_mday = number_at(text, 8, 2);
  parts.tm_hour = number_at(text, 11, 2);
  parts.tm_min = number_at(text, 14, 2);
  parts.tm_sec = number_at(text, 17, 2);
  if (year < 1970 || month < 1 || month > 12 || parts.tm_mday < 1 || parts.tm_mday > 31) return std::nullopt;
  if (parts.tm_hour < 0 || parts.tm_hour > 23 || parts.tm_min < 0 || parts.tm_min > 59) return std::nullopt;
  if (parts.tm_sec < 0 || parts.tm_sec > 60) return std::nullopt;
  text.remove_prefix(19);
  if (text.starts_with('.')) {
    const std::size_t end = text.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end);  // a fraction of a second does not matter here
  }
  const std::optional<int> zone_s = zone_of(text);
  if (!zone_s) return std::nullopt;
  parts.tm_year = year - 1900;
  parts.tm_mon = month - 1;
  const int day = parts.tm_mday;
  const bool is_leap_second = parts.tm_sec == 60;
  const std::int64_t seconds = timegm(&parts);
  if (parts.tm_mday != day && !is_leap_second) return std::nullopt;  // the 31st of a shorter month
  constexpr int kLastYear = 2261;
  return year > kLastYear ? std::numeric_limits<std::int64_t>::max() : (seconds - *zone_s) * kSecondNs;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string_view>& candidates) {
  constexpr std::size_t kMostWord = 64;
  if (word.size() > kMostWord) return {};
  std::string_view best;
  std::size_t best_distance = std::min<std::size_t>(3, (word.size() + 2) / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const std::size_t edits = distance(word, candidate);
    if (edits < best_distance && edits < std::min(word.size(), candidate.size())) {
      best = candidate;
      best_distance = edits;
    }
  }
  return best.empty() ? std::string() : "; did you mean \"" + std::string(best) + "\"?";
}

}  // namespace rules
