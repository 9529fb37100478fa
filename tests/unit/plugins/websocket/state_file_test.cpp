// What rules remember beyond a restart.
#include "rules_fixture.hpp"

#include <filesystem>

namespace rules::test {
namespace {

using StateFile = RulesTest;

const std::string kNews = R"([{"name":"News","match":{},"first_seen":"src","message":"{src}","cooldown_s":0}])";

TEST_F(StateFile, ThatIsSomethingElseStaysAsItIs) {
  for (const std::string& other : {std::string("[]"), std::string(R"({"rules":{}})"), std::string("7"),
                                   std::string("# tokens\nsecret\n"), std::string("\xef\xbb\xbf[]")}) {
    logged().clear();
    nfbus::test::write_file(state_file(), other);
    start(kNews);
    ASSERT_THAT(logged(), SizeIs(1)) << other;
    EXPECT_THAT(logged()[0], HasSubstr("name another state_file"));
    packet();
    packet();
    EXPECT_THAT(messages(), ElementsAre("10.0.0.2"));
    wait(20);
    book_->finish(told_);
    EXPECT_EQ(nfbus::test::read_file(state_file()), other);
    EXPECT_FALSE(std::filesystem::exists(state_file() + ".broken"));
  }
}

TEST_F(StateFile, IsWrittenAtMostEachTwoSeconds) {
  start(kNews);
  packet({.source = "10.0.0.2"});
  wait(0.1);
  EXPECT_THAT(nfbus::test::read_file(state_file()), HasSubstr("10.0.0.2"));
  packet({.source = "10.0.0.3"});
  wait(1.8);
  EXPECT_THAT(nfbus::test::read_file(state_file()), ::testing::Not(HasSubstr("10.0.0.3")));
  wait(0.2);
  EXPECT_THAT(nfbus::test::read_file(state_file()), HasSubstr("10.0.0.3"));
  packet({.source = "10.0.0.4"});
  book_->finish(told_);
  EXPECT_THAT(nfbus::test::read_file(state_file()), HasSubstr("10.0.0.4"));
}

TEST_F(StateFile, ThatIsBrokenIsKeptAndBegunAnew) {
  start(kNews);
  packet();
  book_->finish(told_);
  const std::string good = nfbus::test::read_file(state_file());
  for (const std::string& broken : {std::string("{"), std::string(), std::string(R"({"version":2,"rules":{}})"),
                                    std::string(R"({"version":1,"rules":{"News":{"seen":[5]}}})"),
                                    std::string(R"({"version":1,"rules":{"News":{"snooze":{"until":"now"}}}})"),
                                    good.substr(0, good.size() / 2), good + std::string(1, '\0')}) {
    logged().clear();
    nfbus::test::write_file(state_file(), broken);
    start();
    ASSERT_THAT(logged(), SizeIs(1)) << broken;
    EXPECT_THAT(logged()[0], HasSubstr(state_file() + ".broken"));
    EXPECT_EQ(nfbus::test::read_file(state_file() + ".broken"), broken);
    packet();
    EXPECT_THAT(messages(), ElementsAre("10.0.0.2"));
    book_->finish(told_);
  }
  logged().clear();
  start();
  packet();
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_THAT(logged(), IsEmpty());
}

TEST_F(StateFile, RemembersSoMuchAndForgetsTheOldest) {
  start(kNews);
  const auto address = [](unsigned i) {
    return "10." + std::to_string(i >> 16U) + '.' + std::to_string(i >> 8U & 0xffU) + '.' + std::to_string(i & 0xffU);
  };
  for (unsigned i = 0; i <= 20'000; ++i) {
    if (i % 100 == 0) wait(1);  // more are not told in a second
    packet({.source = address(i)});
  }
  wait(1);
  (void)take();
  packet({.source = address(20'000)});
  packet({.source = address(1)});
  EXPECT_THAT(take(), IsEmpty());
  packet({.source = address(0)});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.0"));
  book_->finish(told_);
  start();
  packet({.source = address(20'000)});
  packet({.source = address(1)});
  EXPECT_THAT(take(), IsEmpty());
  packet({.source = address(2)});  // the oldest by then
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(StateFile, IsOfOneWriter) {
  start(kNews);
  ASSERT_TRUE(book_->claim().ok());
  const auto other =
      std::make_unique<RuleBook>(host(), Settings{.state_file = (folder_.path() / "./state.json").string()});
  const auto refused = other->claim();
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().text,
              HasSubstr("another sink of this host writes to " + (folder_.path() / "./state.json").string()));
  book_.reset();
  EXPECT_TRUE(other->claim().ok());
  EXPECT_TRUE(RuleBook(host(), {.state_file = "/proc/nfbus/state.json"}).claim().ok());
}

TEST_F(StateFile, IsOfTheRulesName) {
  start(kNews);
  packet();
  (void)take();
  json rules = json::parse(kNews);
  rules[0]["message"] = "new: {src}";
  write(rules.dump());
  wait(1);
  packet();
  EXPECT_THAT(take(), IsEmpty());
  rules[0]["name"] = "Other news";
  write(rules.dump());
  wait(1);
  packet();
  EXPECT_THAT(messages(), ElementsAre("new: 10.0.0.2"));
}

}  // namespace
}  // namespace rules::test
