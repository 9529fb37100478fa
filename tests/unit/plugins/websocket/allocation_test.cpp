// An event that no rule tells of costs no memory.
#include "counting_new.hpp"
#include "rules_fixture.hpp"

namespace rules::test {
namespace {

using Allocations = RulesTest;

TEST_F(Allocations, AreNoneForWhatNobodyIsToldOf) {
  start(R"([
    {"name":"other port","match":{"dport":23,"action":"blocked"}},
    {"name":"other host","match":[{"src":"192.0.2.0/24"},{"prefix":"wan:*"}],"group_by":["src"]},
    {"name":"seen","match":{},"first_seen":["src","dport","in","prefix"]},
    {"name":"repeats","match":{"dport":22},"group_by":["src","dst"],"cooldown_s":60},
    {"TopicPrefix":"nft:","Name":"by headers","Actions":[{"SendNotification":true}],
     "Conditions":[{"JPath":"$[?(@.IP.SrcIP==\"10.9.9.9\" || @.InDev=~\"^wan[0-9]\")]"}]},
    {"TopicPrefix":"dns:","Name":"other topic","Actions":[{"SendNotification":true}]},
    {"Conditions":{"Prefix":"nft:wan:out","DstIP":"8.8.8.8"},"Notification":true}])");
  ASSERT_THAT(logged(), IsEmpty());
  auto event = made_of({});
  for (int i = 0; i < 50; ++i) judge(event);
  EXPECT_THAT(take(), SizeIs(2));  // of "seen" and of "repeats"
  const std::size_t before = allocation_count();
  EXPECT_GT(before, 0U);
  for (int i = 0; i < 1000; ++i) judge(event);
  EXPECT_EQ(allocation_count(), before);
  EXPECT_THAT(take(), IsEmpty());
  wait(60);
  EXPECT_EQ(overview()[3]["rolled_up"], 1049);
}

}  // namespace
}  // namespace rules::test
