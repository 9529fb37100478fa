// Our form of rules: what they have open when they are changed, removed, or end.
#include "rules_fixture.hpp"

namespace rules::test {
namespace {

using ChangedRules = RulesTest;

TEST_F(ChangedRules, GoOnWithTheirWindowsAndCountsWhenTheyAreChanged) {
  start(rule({{"cooldown_s", 60}, {"max_per_hour", 2}}).dump());
  for (int i = 0; i < 5; ++i) packet();
  EXPECT_THAT(take(), SizeIs(1));
  ASSERT_EQ(put(Shape::rules, 0, rule({{"cooldown_s", 60}, {"max_per_hour", 2}, {"message", "new"}})[0].dump()).status,
            200);
  packet();
  EXPECT_THAT(take(), IsEmpty());
  write(rule({{"cooldown_s", 60}, {"max_per_hour", 2}, {"message", "newer"}}).dump(4));
  wait(60);
  EXPECT_THAT(messages(), ElementsAre("new (x 5 in 60 s)"));
  wait(60);
  packet();
  EXPECT_THAT(take(), IsEmpty());  // the hour goes on, too
  EXPECT_EQ(overview()[0]["matched"], 7);
  EXPECT_EQ(overview()[0]["told"], 2);
  EXPECT_EQ(overview()[0]["held_back"], 1);
}

TEST_F(ChangedRules, TellWhatIsOpenWhenItsGroupsAreOthersByNow) {
  start(rule({{"cooldown_s", 60}}).dump());
  for (int i = 0; i < 5; ++i) packet();
  (void)take();
  wait(9);
  ASSERT_EQ(put(Shape::rules, 0, rule({{"cooldown_s", 60}, {"disabled", true}})[0].dump()).status, 200);
  wait(0.1);
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 tried 22 (x 4 in 10 s)"));
  ASSERT_EQ(put(Shape::rules, 0, rule({{"cooldown_s", 30}})[0].dump()).status, 200);
  for (int i = 0; i < 3; ++i) packet();
  EXPECT_THAT(take(), SizeIs(1));
  ASSERT_EQ(put(Shape::rules, 0, rule({{"cooldown_s", 30}, {"group_by", "src"}})[0].dump()).status, 200);
  wait(0.1);
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 tried 22 (x 2 in 1 s)"));
  EXPECT_EQ(overview()[0]["matched"], 8);
  EXPECT_EQ(overview()[0]["rolled_up"], 6);
}

TEST_F(ChangedRules, TellWhatIsHeldBackWhenTheyAreDisabled) {
  const json changes = {{"cooldown_s", 60}, {"max_per_hour", 1}};
  start(rule(changes).dump());
  for (int i = 0; i < 5; ++i) packet({.source = "10.0.0." + std::to_string(i)});
  wait(60);
  (void)take();
  json disabled = changes;
  disabled["disabled"] = true;
  ASSERT_EQ(put(Shape::rules, 0, rule(disabled)[0].dump()).status, 200);
  wait(0.1);
  EXPECT_THAT(messages(), ElementsAre("4 events were held back in the last hour"));
  ASSERT_EQ(put(Shape::rules, 0, rule(changes)[0].dump()).status, 200);
  packet();
  EXPECT_THAT(take(), IsEmpty());  // the hour goes on
  // Without an hour there is no end of it to wait for.
  ASSERT_EQ(put(Shape::rules, 0, rule({{"cooldown_s", 60}})[0].dump()).status, 200);
  wait(0.1);
  EXPECT_THAT(messages(), ElementsAre("1 event was held back in the last hour"));
}

TEST_F(ChangedRules, TellWhatIsOpenWhenTheyAreRemoved) {
  start(rule({{"cooldown_s", 60}, {"max_per_hour", 1}}).dump());
  for (int i = 0; i < 5; ++i) packet();
  (void)take();
  ASSERT_EQ(remove(Shape::rules, 0).status, 200);
  wait(0.1);
  EXPECT_THAT(messages(), ElementsAre("4 events were held back in the last hour"));
}

TEST_F(ChangedRules, TellWhatIsOpenAtTheEnd) {
  start(rule({{"cooldown_s", 60}}).dump());
  for (int i = 0; i < 5; ++i) packet();
  wait(4.5);
  (void)take();
  book_->finish(told_);
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 tried 22 (x 4 in 5 s)"));
  book_->finish(told_);
  EXPECT_THAT(take(), IsEmpty());
}

}  // namespace
}  // namespace rules::test
