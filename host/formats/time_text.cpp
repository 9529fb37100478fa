#include "formats/time_text.hpp"

#include "formats/json_writer.hpp"

#include <cstdint>
#include <cstring>
#include <ctime>
#include <limits>
#include <string_view>

namespace nfbus::host {

namespace {

void fill(SecondTexts& texts, std::int64_t second) noexcept {
  texts.second = second;
  const std::time_t time = second;
  std::tm local{};
  localtime_r(&time, &local);
  // Whatever fits into 64 bits of nanoseconds is a year of four digits.
  std::array<char, std::tuple_size_v<decltype(texts.date_time)> + 1> text{};
  static_cast<void>(std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &local));
  std::memcpy(texts.date_time.data(), text.data(), texts.date_time.size());
  texts.is_utc = local.tm_gmtoff == 0;
  const auto minutes = static_cast<std::uint32_t>((local.tm_gmtoff < 0 ? -local.tm_gmtoff : local.tm_gmtoff) / 60);
  texts.zone[0] = local.tm_gmtoff < 0 ? '-' : '+';
  json::put_pair(&texts.zone[1], minutes / 60 % 100);
  json::put_pair(&texts.zone[3], minutes % 60);
  std::array<char, 10 + json::kSlack> digits{};
  constexpr std::int64_t kMillion = 1'000'000;
  constexpr std::int64_t kLastOf32Bits = std::numeric_limits<std::uint32_t>::max();  // in 2106
  char* const end =
      second <= kLastOf32Bits
          ? json::put_u32(digits.data(), static_cast<std::uint32_t>(second))
          : json::put_six_digits(json::put_u32(digits.data(), static_cast<std::uint32_t>(second / kMillion)),
                                 static_cast<std::uint32_t>(second % kMillion));
  texts.epoch_size = static_cast<std::size_t>(end - digits.data());
  std::memcpy(texts.epoch.data(), digits.data(), texts.epoch_size);
}

char* put_fraction(char* out, std::uint32_t fraction_ns) noexcept {
  *out++ = '.';
  char* end = json::put_six_digits(out, fraction_ns / 1000);
  if (const std::uint32_t rest_ns = fraction_ns % 1000; rest_ns != 0) {
    *end++ = static_cast<char>('0' + rest_ns / 100);
    end = json::put_pair(end, rest_ns % 100);
  }
  while (end[-1] == '0') --end;
  return end;
}

}  // namespace

const SecondTexts& texts_of(std::int64_t second) noexcept {
  thread_local SecondTexts texts;
  if (texts.second != second) fill(texts, second);
  return texts;
}

char* put_rfc3339(char* out, std::int64_t time_ns) noexcept {
  const SplitTime time = split_time(time_ns);
  const SecondTexts& second = texts_of(time.second);
  std::memcpy(out, second.date_time.data(), second.date_time.size());
  out += second.date_time.size();
  if (time.fraction_ns != 0) out = put_fraction(out, time.fraction_ns);
  if (second.is_utc) return json::put(out, "Z");
  const std::string_view zone(second.zone.data(), second.zone.size());
  return json::put(json::put(json::put(out, zone.substr(0, 3)), ":"), zone.substr(3));
}

}  // namespace nfbus::host
