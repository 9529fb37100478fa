#include "summary.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <utility>
#include <variant>
#include <vector>

namespace ratelimit {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostKeys = 100;
constexpr std::size_t kMostKeyBytes = 24'000;

std::string dump(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

// To the millisecond.
std::string rfc3339(std::int64_t time_ns) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  const std::int64_t ns = (time_ns % kNsPerSecond + kNsPerSecond) % kNsPerSecond;
  const std::time_t seconds = (time_ns - ns) / kNsPerSecond;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> date{};
  static_cast<void>(std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &utc));
  std::array<char, 8> fraction{};
  static_cast<void>(std::snprintf(fraction.data(), fraction.size(), ".%03dZ", static_cast<int>(ns / 1'000'000)));
  return std::string(date.data()) + fraction.data();
}

}  // namespace

std::string summary(std::string_view filter, Buckets& buckets, const nfbus::KeyFields& fields) {
  std::vector<std::pair<std::uint64_t, std::string_view>> keys;
  buckets.each_dropped([&](std::string_view key, std::uint64_t dropped) { keys.emplace_back(dropped, key); });
  const auto shown_end = keys.begin() + static_cast<std::ptrdiff_t>(std::min(keys.size(), kMostKeys));
  std::partial_sort(keys.begin(), shown_end, keys.end(), std::greater<>());

  Json rows = Json::array();
  std::uint64_t told = 0;
  std::size_t bytes = 0;
  for (auto key = keys.begin(); key != shown_end; ++key) {
    Json row = Json::object();
    fields.unpack(key->second, [&](std::string_view name, const nfbus::KeyFields::Shown& shown) {
      std::visit([&](const auto& value) { row[std::string(name)] = value; }, shown);
    });
    row["Dropped"] = key->first;
    bytes += dump(row).size();
    if (bytes > kMostKeyBytes) break;
    rows.push_back(std::move(row));
    told += key->first;
  }
  return dump({{"Filter", filter},
               {"From", rfc3339(buckets.first_ns())},
               {"To", rfc3339(buckets.last_ns())},
               {"Dropped", buckets.dropped()},
               {"Keys", std::move(rows)},
               {"Other", buckets.dropped() - told}});
}

}  // namespace ratelimit
