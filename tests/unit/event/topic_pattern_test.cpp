#include "event/topic_pattern.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nfbus::host {
namespace {

TEST(TopicPattern, FoldsWhatStandsBelowTheRoot) {
  EXPECT_EQ(fold_topic("nft:Drop:Input ", "nft:"), "nft:drop:input");
  EXPECT_EQ(fold_topic(" NFT:\t Drop ", "nft:"), "nft:drop");
  EXPECT_EQ(fold_topic("Drop: ", "nft:"), "drop:");
  EXPECT_EQ(fold_topic("fw/ Drop", "FW/"), "fw/drop");
  EXPECT_EQ(fold_topic("x", ""), "x");
  EXPECT_EQ(fold_topic("", "nft:"), "");
}

TEST(TopicPattern, IsOfAWholeTopicOrOfItsBeginning) {
  const TopicPattern whole("nft:drop", "nft:", Extent::whole);
  EXPECT_TRUE(whole.fits_packet("nft:drop"));
  EXPECT_FALSE(whole.fits_packet("nft:drop:input"));
  const TopicPattern beginning("nft:drop", "nft:", Extent::beginning);
  EXPECT_TRUE(beginning.fits_packet("nft:drop:input"));
  EXPECT_FALSE(beginning.fits_packet("nft:dro"));
}

TEST(TopicPattern, KnowsRootsWithCapitals) {
  const TopicPattern topic("fw/Drop", "FW/", Extent::beginning);
  EXPECT_TRUE(topic.fits_packet("FW/drop:input"));
  EXPECT_FALSE(topic.fits_message("FW/drop:input"));
}

TEST(TopicPattern, OfBytesTakesAStarForItself) {
  const TopicPattern topic = TopicPattern::beginning_with("a*");
  EXPECT_TRUE(topic.fits_message("a*b"));
  EXPECT_FALSE(topic.fits_message("ab"));
}

TEST(TopicPattern, KnowsWhatNoPacketCanHave) {
  const auto may = [](std::string_view text, std::string_view beginning) {
    return TopicPattern(text, "nft:", Extent::beginning).may_fit_packet(beginning);
  };
  EXPECT_TRUE(may("nft:lan:in", "nft:lan:"));
  EXPECT_TRUE(may("nft:l", "nft:lan:"));
  EXPECT_TRUE(may("nft:*out", "nft:lan:"));
  EXPECT_TRUE(may("*", "nft:lan:"));
  EXPECT_TRUE(may("nft:LAN:", "nft:Lan:"));
  EXPECT_FALSE(may("nft:wan:", "nft:lan:"));
  EXPECT_FALSE(may("drop:", "nft:"));
  EXPECT_FALSE(may("nft:w*n", "nft:lan:"));
  EXPECT_FALSE(TopicPattern("nft:lan", "nft:", Extent::whole).may_fit_packet("nft:lan:"));
}

TEST(Pattern, FitsBeginnings) {
  EXPECT_TRUE(matches("a*c", "abcd", Extent::beginning, false));
  EXPECT_FALSE(matches("a*c", "abcd", Extent::whole, false));
  EXPECT_TRUE(matches("", "abcd", Extent::beginning, false));
  EXPECT_TRUE(matches("*", "", Extent::whole, false));
  EXPECT_FALSE(matches("a", "", Extent::beginning, false));
  EXPECT_TRUE(matches("a*b*c", "AxxBxBxC", Extent::whole, true));
  // Each star may have to begin anew, and none costs more than a look at each byte.
  EXPECT_FALSE(matches("*" + std::string(1000, 'a') + "*b", std::string(100'000, 'a'), Extent::whole, false));
}

TEST(Pattern, SoundsLikeARule) {
  for (const std::string_view topic : {"drop:", "DROP:INPUT", "wan in", "lan:*", "[UFW BLOCK]", "fw4"}) {
    EXPECT_TRUE(sounds_like_rule(topic)) << topic;
  }
  for (const std::string_view topic : {"web:", "dns:serve:", "nfbus:", "", "*", "dropbox:", "1"}) {
    EXPECT_FALSE(sounds_like_rule(topic)) << topic;
  }
}

}  // namespace
}  // namespace nfbus::host
