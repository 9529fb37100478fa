#include <nfbus/match.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <nfbus/host.hpp>

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace {

using nfbus::Match;

class MatchTest : public testing::Test {
 protected:
  MatchTest() {
    fake_.matches["[short]"] = [](nfbus::Event event) { return event.text().size() < 3 ? 2U : 0U; };
  }

  nfbus::Match compiled() { return nfbus::Host(fake_.raw()).match("[short]"); }
  [[nodiscard]] nfbus::Event event(std::size_t index) const { return nfbus::Event(batch_.items()[index]); }

  nfbus::test::FakeHost fake_;
  nfbus::test::Batch batch_{{"ab", "abc"}};
};

TEST_F(MatchTest, TellsWhichTableHolds) {
  const Match match = compiled();
  EXPECT_TRUE(match);
  EXPECT_EQ(match.first(event(0)), 2U);
  EXPECT_TRUE(match(event(0)));
  EXPECT_EQ(match.first(event(1)), 0U);
  EXPECT_FALSE(match(event(1)));
}

TEST_F(MatchTest, IsGivenBackOnceAlsoWhenItMoves) {
  {
    Match first = compiled();
    const Match second(std::move(first));
    Match third;
    EXPECT_FALSE(third);
    third = compiled();
    EXPECT_EQ(fake_.matches_held, 2);
    third = compiled();
    EXPECT_TRUE(second(event(0)));
  }
  EXPECT_EQ(fake_.matches_held, 0);
}

TEST_F(MatchTest, HoldsForNothingWhenItIsEmpty) { EXPECT_FALSE(Match()(event(0))); }

TEST_F(MatchTest, ThrowsWhatIsWrongWithIt) {
  try {
    (void)nfbus::Host(fake_.raw()).match("[long]");
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()), "unknown match [long]");
  }
}

}  // namespace
