#include <nfbus/lru_map.hpp>
//
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <random>

namespace {

using testing::ElementsAre;

template <typename Map>
std::vector<std::string> newest_first(Map& map) {
  std::vector<std::string> keys;
  map.each_newest([&](std::string_view key, auto& /*value*/) {
    keys.emplace_back(key);
    return true;
  });
  return keys;
}

TEST(LruMap, ForgetsTheLeastRecentlyUsedFirst) {
  nfbus::LruMap<std::string, int> map(3);
  map.insert("a", 1);
  map.insert("b", 2);
  map.insert("c", 3);
  ASSERT_NE(map.use("a"), nullptr);
  ASSERT_NE(map.find("b"), nullptr);  // a look is no use
  EXPECT_EQ(map.oldest_key(), "b");
  map.insert("d", 4);
  EXPECT_EQ(map.find("b"), nullptr);
  EXPECT_THAT(newest_first(map), ElementsAre("d", "a", "c"));
  EXPECT_EQ(*map.find("a"), 1);
  EXPECT_EQ(map.size(), 3U);
}

TEST(LruMap, HoldsKeysOfAnyBytesAndLength) {
  nfbus::LruMap<std::string, int> map(10);
  map.insert("", 1);
  map.insert(std::string(1, '\0'), 2);
  map.insert(std::string(8, '\0'), 3);
  map.insert(std::string(9, '\0'), 4);
  EXPECT_EQ(*map.find(""), 1);
  EXPECT_EQ(*map.find(std::string_view("\0", 1)), 2);
  EXPECT_EQ(*map.find(std::string(8, '\0')), 3);
  EXPECT_EQ(*map.find(std::string(9, '\0')), 4);
}

TEST(LruMap, VisitsFromTheNewestUntilToldToStop) {
  nfbus::LruMap<std::array<std::uint8_t, 1>, int> map(10);
  for (const char* key : {"a", "b", "c"}) map.insert(key, 0);
  std::string seen;
  map.each_newest([&](std::string_view key, int& /*value*/) {
    seen += key;
    return key != "b";
  });
  EXPECT_EQ(seen, "cb");
}

// Random use, compared with a list that is searched through.
TEST(LruMap, DoesWhatAPlainListDoes) {
  std::mt19937 random(7);
  nfbus::LruMap<std::array<std::uint8_t, 4>, std::uint32_t> map(200);
  std::list<std::pair<std::string, std::uint32_t>> model;  // newest first
  for (std::uint32_t step = 0; step < 20'000; ++step) {
    const std::uint32_t number = std::uniform_int_distribution<std::uint32_t>(0, 400)(random);
    const std::string key(reinterpret_cast<const char*>(&number), sizeof number);
    const auto known = std::find_if(model.begin(), model.end(), [&](const auto& entry) { return entry.first == key; });
    std::uint32_t* const value = map.use(key);
    ASSERT_EQ(value != nullptr, known != model.end());
    if (value != nullptr) {
      ASSERT_EQ(*value, known->second);
      model.splice(model.begin(), model, known);
      if (step % 50 == 0) {
        ASSERT_EQ(map.oldest_key(), model.back().first);
        map.pop_oldest();
        model.pop_back();
      }
    } else {
      map.insert(key, step);
      model.emplace_front(key, step);
      if (model.size() > 200) model.pop_back();
    }
    ASSERT_EQ(map.size(), model.size());
  }
  std::vector<std::string> keys;
  for (const auto& entry : model) keys.push_back(entry.first);
  EXPECT_EQ(newest_first(map), keys);
}

}  // namespace
