// What keeping quiet may cost.
#include "rules/quiet.hpp"

#include "rules/state.hpp"
#include "rules_fixture.hpp"

#include <filesystem>

namespace rules::test {
namespace {

TEST(Windows, KeepCopiesWithinABudgetThatComesBack) {
  constexpr std::size_t kMiB = std::size_t{1} << 20;
  const auto budget = std::make_shared<CopyBudget>();
  const auto copies_kept = [&](Windows& windows) {
    std::size_t kept = 0;
    for (int i = 0; i < 40; ++i) {
      const std::string group = std::to_string(i);
      windows.open(group, 0);
      Windows::Window& window = *windows.find(group);
      EXPECT_TRUE(Windows::repeat(window, 0));
      windows.note(window, {.copy = std::string(kMiB, 'x'), .time_ns = 7});
      EXPECT_EQ(window.newest.get()->time_ns, 7);
      if (!window.newest.get()->copy.empty()) ++kept;
    }
    return kept;
  };
  {
    Windows windows(10, budget);
    EXPECT_EQ(copies_kept(windows), 31U);
    std::size_t told = 0;
    windows.end_due(10 * kSecondNs, [&](const Windows::Window&) { ++told; });
    EXPECT_EQ(told, 40U);
    windows.end_due(20 * kSecondNs, [&](const Windows::Window&) { ++told; });
    EXPECT_EQ(told, 40U);  // and closed
    EXPECT_TRUE(budget->take(32 * kMiB));
    budget->give_back(32 * kMiB);
    EXPECT_EQ(copies_kept(windows), 31U);
  }
  EXPECT_TRUE(budget->take(32 * kMiB));
}

TEST(Windows, GiveUpTheOldestGroupWhenThereAreTooMany) {
  Windows windows(10, std::make_shared<CopyBudget>());
  for (int i = 0; i < 4096; ++i) EXPECT_EQ(windows.open(std::to_string(i), i), 0U);
  EXPECT_TRUE(Windows::repeat(*windows.find("0"), 0));
  EXPECT_EQ(windows.open("new", 5000), 1U);
  EXPECT_EQ(windows.find("0"), nullptr);
  EXPECT_NE(windows.find("1"), nullptr);
}

TEST(Windows, CountEachRepeatAndNoteSomeOfAFlood) {
  Windows windows(10, std::make_shared<CopyBudget>());
  windows.open("", 0);
  Windows::Window& window = *windows.find("");
  int noted = 0;
  for (int i = 0; i < 1000; ++i) noted += Windows::repeat(window, 0) ? 1 : 0;
  EXPECT_EQ(noted, 16);
  EXPECT_TRUE(Windows::repeat(window, kSecondNs / 10));
  EXPECT_EQ(window.repeats, 1001U);
}

using Memory = RulesTest;

TEST_F(Memory, OfAllRulesTogetherIsBoundedAndTheLargestGives) {
  State state(host(), {});
  std::vector<RuleState*> rules;
  for (int i = 0; i < 6; ++i) rules.push_back(&state.of(std::to_string(i)));
  for (int i = 0; i < 20'000; ++i) {
    for (RuleState* rule : rules) (void)state.remember(*rule, std::to_string(i));
  }
  std::size_t all = 0;
  for (const RuleState* rule : rules) all += rule->seen.size();
  EXPECT_EQ(all, kMostSeenInAll);
  RuleState& quiet = state.of("quiet");
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(state.remember(quiet, std::to_string(i)));
  EXPECT_EQ(quiet.seen.size(), 100U);
  EXPECT_FALSE(state.remember(*rules[5], "19999"));
}

TEST_F(Memory, IsWrittenAsFarAsItMayBeReadAgain) {
  constexpr std::size_t kMostBytes = 10'000;
  State state(host(), state_file(), kMostBytes);
  const std::string text(100, '"');  // takes twice as much in the file
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(state.remember(state.of("a"), text + std::to_string(i)));
    (void)state.remember(state.of("b"), std::to_string(i % 2));
  }
  state.of("c").first_event_ns = 1;
  ASSERT_TRUE(state.write().ok());
  EXPECT_LE(std::filesystem::file_size(state_file()), kMostBytes);
  State after(host(), state_file(), kMostBytes);
  after.load();
  EXPECT_THAT(logged(), IsEmpty());
  EXPECT_EQ(after.of("c").first_event_ns, 1);
  EXPECT_EQ(after.of("b").seen.size(), 2U);
  EXPECT_FALSE(after.remember(after.of("a"), text + "99"));
  EXPECT_FALSE(after.remember(after.of("a"), text + "70"));
  EXPECT_TRUE(after.remember(after.of("a"), text + "0"));
  // Both know the same.
  EXPECT_TRUE(state.remember(state.of("a"), text + "0"));
  EXPECT_EQ(state.of("a").seen.size(), after.of("a").seen.size());
}

TEST_F(Memory, IsWrittenAndReadInFull) {
  const auto fill = [](State& state) {
    std::size_t news = 0;
    for (int rule = 0; rule < 5; ++rule) {
      for (int i = 0; i < 20'000; ++i) {
        const std::string key = "02:00:00:00:00:01\x1f" + std::to_string(i);
        news += state.remember(state.of(std::to_string(rule)), key) ? 1 : 0;
      }
    }
    return news;
  };
  State first(host(), state_file());
  EXPECT_EQ(fill(first), 100'000U);
  EXPECT_TRUE(first.write().ok());
  State second(host(), state_file());
  second.load();
  EXPECT_EQ(fill(second), 0U);
  EXPECT_THAT(logged(), IsEmpty());
}

}  // namespace
}  // namespace rules::test
