#include "event/topic.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

TEST(Topic, IsTheRootAndTheTrimmedLowerCasePrefix) {
  EXPECT_EQ(make_topic("nft:", "lan:in "), "nft:lan:in");
  EXPECT_EQ(make_topic("nft:", "  Mixed Case:X  "), "nft:mixed case:x");
  EXPECT_EQ(make_topic("nft:", ""), "nft:");
  EXPECT_EQ(make_topic("nft:", " \t "), "nft:");
}

TEST(Topic, LeavesBytesAboveAsciiAlone) { EXPECT_EQ(make_topic("", "\xC3\x84 A"), "\xC3\x84 a"); }

TEST(TopicTable, KeepsPrefixesApartThatShareATopic) {
  TopicTable table("nft:");
  const Topic& plain = table.intern("lan:in");
  const Topic& spaced = table.intern("lan:in ");
  EXPECT_NE(plain.id, spaced.id);
  EXPECT_EQ(plain.topic, spaced.topic);
  EXPECT_EQ(spaced.prefix, "lan:in ");
  EXPECT_EQ(&table.intern("lan:in"), &plain);
}

TEST(TopicTable, SharesTheBareRootOnceItIsFull) {
  TopicTable table("nft:");
  for (std::size_t i = 0; i < TopicTable::kMaxTopics; ++i) (void)table.intern("p" + std::to_string(i));
  EXPECT_EQ(table.intern("one more").topic, "nft:");
  EXPECT_EQ(table.intern("p5").topic, "nft:p5");
}

}  // namespace
}  // namespace nfbus::host
