#include "schema/quantities.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

namespace nfbus::host {

namespace {

struct Unit {
  std::string_view name;  // in lower case
  double factor;
};

// In ms.
constexpr std::array<Unit, 20> kTimes = {{{"ms", 1},        {"msec", 1},       {"s", 1e3},        {"sec", 1e3},
                                          {"secs", 1e3},    {"second", 1e3},   {"seconds", 1e3},  {"m", 60e3},
                                          {"min", 60e3},    {"mins", 60e3},    {"minute", 60e3},  {"minutes", 60e3},
                                          {"h", 3600e3},    {"hour", 3600e3},  {"hours", 3600e3}, {"d", 86400e3},
                                          {"day", 86400e3}, {"days", 86400e3}, {"w", 604800e3},   {"week", 604800e3}}};

constexpr std::string_view kPowers = "kmgt";

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string whole(double number) { return fmt::format("{:.0f}", number); }

// "10 MB" in bytes, or "10k" of anything; both meanings of the letter, where it has two.
std::string by_power(double number, const std::string& suffix, bool is_bytes) {
  if (suffix == "b" || suffix == "bytes" || suffix == "byte") return whole(number);
  const std::size_t power = kPowers.find(suffix.front());
  if (power == std::string_view::npos) return {};
  const std::string rest = suffix.substr(1);
  if (!rest.empty() && rest != "b" && rest != "i" && rest != "ib") return {};
  const auto exponent = static_cast<double>(power + 1);
  std::string binary = whole(number * std::pow(1024.0, exponent));
  if (rest.starts_with('i')) return binary;
  constexpr std::array<std::string_view, 4> kBinary = {"KiB", "MiB", "GiB", "TiB"};
  std::string of_thousand = whole(number * std::pow(1000.0, exponent));
  return is_bytes ? fmt::format("{}, or {} for {}", of_thousand, binary, kBinary.at(power)) : of_thousand;
}

std::optional<double> in_ms(double number, const std::string& suffix) {
  const auto* const found =
      std::find_if(kTimes.begin(), kTimes.end(), [&](const Unit& unit) { return unit.name == suffix; });
  if (found == kTimes.end()) return std::nullopt;
  return number * found->factor;
}

}  // namespace

std::string number_to_write(std::string_view text, std::string_view unit) {
  constexpr double kMost = 9e15;  // whole numbers are exact up to here
  double number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number, std::chars_format::fixed);
  if (text.empty() || text.front() < '0' || text.front() > '9' || error != std::errc() || stop == text.data() ||
      number < 0 || number > kMost)
    return {};
  std::string_view rest(stop, static_cast<std::size_t>(end - stop));
  rest.remove_prefix(std::min(rest.find_first_not_of(" _"), rest.size()));
  constexpr std::size_t kMostLetters = 7;
  if (rest.size() > kMostLetters) return {};
  if (rest.empty()) return std::floor(number) == number ? whole(number) : std::string();
  const std::string suffix = lowered(rest);
  const bool is_time = unit == "s" || unit == "ms";
  const bool may_be_time = is_time || (unit.empty() && rest != "M");
  if (may_be_time) {
    if (const auto ms = in_ms(number, suffix)) return whole(unit == "ms" ? *ms : std::ceil(*ms / 1000));
  }
  return is_time ? std::string() : by_power(number, suffix, unit.empty() || unit == "bytes");
}

std::string_view unit_of_option(std::string_view name) noexcept {
  if (name.ends_with("_ms")) return "ms";
  if (name.ends_with("_s")) return "s";
  if (name.ends_with("bytes")) return "bytes";
  return {};
}

}  // namespace nfbus::host
