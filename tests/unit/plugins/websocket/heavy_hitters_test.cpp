#include "heavy_hitters.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace websocket {
namespace {

constexpr std::size_t kMost = 64;

// What the sketch promises of any stream (Metwally et al., theorems 1 to 4).
void expect_promises(const HeavyHitters& sketch, const std::map<std::string, std::uint64_t>& exact) {
  std::uint64_t total = 0;
  for (const auto& [key, count] : exact) total += count;
  std::map<std::string, std::uint64_t> there;
  std::uint64_t sum = 0;
  std::uint64_t smallest = total;
  for (const HeavyHitters::Hit& hit : sketch.hits()) {
    EXPECT_TRUE(there.emplace(hit.key, hit.count).second) << hit.key << " is there twice";
    const auto found = exact.find(hit.key);
    ASSERT_NE(found, exact.end()) << hit.key;
    EXPECT_GE(hit.count, found->second) << hit.key;
    EXPECT_LE(hit.count - hit.error, found->second) << hit.key;
    EXPECT_LE(hit.error, total / kMost) << hit.key;
    sum += hit.count;
    smallest = std::min(smallest, hit.count);
  }
  EXPECT_EQ(sum, total);
  EXPECT_EQ(there.size(), std::min(exact.size(), kMost));
  if (exact.size() <= kMost) return;
  for (const auto& [key, count] : exact) {
    if (count > smallest) {
      EXPECT_TRUE(there.contains(key)) << key << " came " << count << " times";
    }
  }
}

template <typename Next>
void flood(std::size_t events, Next next) {
  HeavyHitters sketch(kMost);
  std::map<std::string, std::uint64_t> exact;
  for (std::size_t i = 0; i < events; ++i) {
    const std::string key = next();
    sketch.add(key);
    ++exact[key];
    if (i == 10 || i == kMost || i == events / 2) expect_promises(sketch, exact);
  }
  expect_promises(sketch, exact);
}

TEST(HeavyHitters, FewKeysAreCountedExactly) {
  HeavyHitters sketch(kMost);
  EXPECT_TRUE(sketch.hits().empty());
  for (int i = 0; i < 100; ++i) sketch.add(i % 2 == 0 ? "a" : std::string_view());
  const auto hits = sketch.hits();
  ASSERT_EQ(hits.size(), 2U);
  for (const auto& hit : hits) {
    EXPECT_EQ(hit.count, 50U);
    EXPECT_EQ(hit.error, 0U);
  }
}

TEST(HeavyHitters, KeepsItsPromisesWithSkewedKeys) {
  // Zipf's law, as addresses come.
  std::vector<double> weights;
  for (int rank = 1; rank <= 20'000; ++rank) weights.push_back(1 / std::pow(rank, 1.1));
  std::discrete_distribution<int> zipf(weights.begin(), weights.end());
  std::mt19937 random(1);
  flood(200'000, [&] { return "key " + std::to_string(zipf(random)); });
}

TEST(HeavyHitters, KeepsItsPromisesInAFloodOfRandomKeys) {
  std::mt19937 random(2);
  flood(100'000, [&] { return std::to_string(random() % 50'000); });
}

TEST(HeavyHitters, KeepsItsPromisesWhenEachKeyComesOnce) {
  int next = 0;
  flood(20'000, [&] { return std::to_string(next++); });
}

TEST(HeavyHitters, KeepsItsPromisesWithKeysInTurns) {
  int next = 0;
  flood(50'000, [&] { return std::to_string(next++ % (static_cast<int>(kMost) + 1)); });
}

// Who talks most is found in the middle of a scan by spoofed addresses, in whatever order they come.
TEST(HeavyHitters, TopTalkersStandOutOfAFlood) {
  std::mt19937 random(3);
  HeavyHitters sketch(kMost);
  std::map<std::string, std::uint64_t> exact;
  for (int i = 0; i < 100'000; ++i) {
    const std::string key = i % 10 == 0 ? "talker " + std::to_string(i / 10 % 2) : std::to_string(random());
    sketch.add(key);
    ++exact[key];
  }
  expect_promises(sketch, exact);
  auto hits = sketch.hits();
  std::ranges::sort(hits, [](const auto& a, const auto& b) { return a.count > b.count; });
  EXPECT_EQ(hits[0].key.substr(0, 6) + hits[1].key.substr(0, 6), "talkertalker");
  EXPECT_LE(hits[0].error, 10U);  // there from the beginning on
}

}  // namespace
}  // namespace websocket
