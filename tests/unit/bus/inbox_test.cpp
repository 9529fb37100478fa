#include "bus/server/inbox.hpp"

#include "make_events.hpp"

#include <gtest/gtest.h>

#include <poll.h>

#include <cstdint>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host {
namespace {

using test::Events;

constexpr std::size_t kPlenty = 1UL << 30U;
constexpr std::size_t kSlabBytes = 4096;
constexpr std::size_t kRecordBytes = 3000;  // one batch fills a slab

class InboxTest : public testing::Test {
 protected:
  // Prefixes become "nft:PREFIX"; each batch has a slab of its own.
  void offer(Inbox& inbox, const std::vector<std::string>& prefixes, bool wait_for_room = false) {
    inbox.offer(events.packets(prefixes, kRecordBytes / prefixes.size()), wait_for_room);
  }
  // Topics of all events, in order; adds to `shed` what the inbox had to drop.
  std::string take(Inbox& inbox) {
    std::deque<BatchRef> batches;
    std::vector<Inbox::Dropped> dropped;
    inbox.take(batches, dropped);
    for (const Inbox::Dropped& topic : dropped) shed[topic.topic] += topic.events;
    std::string topics;
    for (const BatchRef& batch : batches) {
      for (const Event& event : batch->events()) topics += (topics.empty() ? "" : " ") + std::string(view(event.topic));
    }
    return topics;
  }
  static bool readable(const Inbox& inbox) {
    pollfd waiting{.fd = inbox.descriptor(), .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, 0) == 1;
  }

  Events events{kSlabBytes};  // outlives the inboxes
  std::map<std::string, std::uint64_t> shed;
};

TEST_F(InboxTest, TakesTheBatchesThatHaveATopicSomebodyWants) {
  Inbox inbox(kPlenty);
  offer(inbox, {"a"});
  EXPECT_EQ(take(inbox), "");
  for (const char* prefix : {"nft:b", "web:"}) inbox.add_prefix(prefix);
  offer(inbox, {"a"});
  offer(inbox, {"a", "b"});
  inbox.offer(make_message("web:x", "{}", 0, 0), false);
  inbox.offer(make_message("dns:x", "{}", 0, 0), false);
  EXPECT_TRUE(inbox.wants_message("web:x"));
  EXPECT_FALSE(inbox.wants_message("dns:x"));
  EXPECT_EQ(take(inbox), "nft:a nft:b web:x");
  EXPECT_TRUE(shed.empty());
}

TEST_F(InboxTest, NeverTakesATopicThatIsUnwanted) {
  Inbox inbox(kPlenty, "nfbus:status");
  inbox.add_prefix("");
  EXPECT_FALSE(inbox.wants_message("nfbus:status"));
  EXPECT_TRUE(inbox.wants_message("nfbus:sta"));
  inbox.offer(make_message("nfbus:status", "{}", 0, 0), false);
  EXPECT_EQ(take(inbox), "");
  inbox.offer(make_message("nfbus:loss", "{}", 0, 0), false);
  EXPECT_EQ(take(inbox), "nfbus:loss");
}

TEST_F(InboxTest, JudgesATopicAnewWhenThePrefixesChange) {
  Inbox inbox(kPlenty);
  for (const char* prefix : {"nft:b", "nft:a", "nft:c"}) {
    inbox.add_prefix(prefix);
    offer(inbox, {"a"});
    inbox.remove_prefix(prefix);
  }
  EXPECT_EQ(take(inbox), "nft:a");
  for (const char* prefix : {"nft:a", "nft:"}) inbox.add_prefix(prefix);
  inbox.remove_prefix("nft:a");
  offer(inbox, {"a"});
  EXPECT_EQ(take(inbox), "nft:a") << "the other one is still there";
}

TEST_F(InboxTest, ShedsTheOldestAndCountsThemByTopicWhenItIsFull) {
  Inbox inbox(2 * kSlabBytes);
  inbox.add_prefix("");
  offer(inbox, {"a", "b", "a"});
  offer(inbox, {"a"});
  offer(inbox, {"c"});
  offer(inbox, {"d"});
  EXPECT_EQ(take(inbox), "nft:c nft:d");
  EXPECT_EQ(shed, (std::map<std::string, std::uint64_t>{{"nft:a", 3}, {"nft:b", 1}}));
  shed.clear();
  offer(inbox, {"e"});
  EXPECT_EQ(take(inbox), "nft:e");
  EXPECT_TRUE(shed.empty());
}

TEST_F(InboxTest, LetsASingleBatchInWhateverItsSize) {
  Inbox inbox(1);
  inbox.add_prefix("");
  offer(inbox, {"a"});
  offer(inbox, {"b"});
  EXPECT_EQ(take(inbox), "nft:b");
  EXPECT_EQ(shed.at("nft:a"), 1U);
}

TEST_F(InboxTest, CountsASlabOnceThatSeveralBatchesShare) {
  Events sharing(1UL << 20U);
  Inbox inbox(1UL << 20U);
  inbox.add_prefix("");
  for (int i = 0; i < 50; ++i) inbox.offer(sharing.packets(2), false);
  std::deque<BatchRef> batches;
  std::vector<Inbox::Dropped> dropped;
  inbox.take(batches, dropped);
  EXPECT_EQ(batches.size(), 50U);
  EXPECT_TRUE(dropped.empty());
}

TEST_F(InboxTest, CanBeReadWhileSomethingIsToBeTaken) {
  Inbox inbox(kPlenty);
  inbox.add_prefix("nft:a");
  offer(inbox, {"b"});
  EXPECT_FALSE(readable(inbox));
  offer(inbox, {"a"});
  offer(inbox, {"a"});
  EXPECT_TRUE(readable(inbox));
  EXPECT_EQ(take(inbox), "nft:a nft:a");
  EXPECT_FALSE(readable(inbox));
  offer(inbox, {"a"});
  EXPECT_TRUE(readable(inbox));
}

TEST_F(InboxTest, ShedsNothingOfAPublisherThatWaitsForRoom) {
  constexpr std::size_t kBatches = 200;
  Inbox inbox(2 * kSlabBytes);
  inbox.add_prefix("");
  std::thread publisher([&] {
    for (std::size_t i = 0; i < kBatches; ++i) offer(inbox, {"a"}, true);
  });
  std::size_t taken = 0;
  while (taken < kBatches) {
    pollfd waiting{.fd = inbox.descriptor(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waiting, 1, 10'000), 1);
    std::deque<BatchRef> batches;
    std::vector<Inbox::Dropped> dropped;
    inbox.take(batches, dropped);
    EXPECT_TRUE(dropped.empty());
    EXPECT_LE(batches.size(), 2U);
    taken += batches.size();
  }
  publisher.join();
  EXPECT_EQ(taken, kBatches);
}

TEST_F(InboxTest, LetsNobodyWaitAndTakesNothingOnceItIsClosed) {
  Inbox inbox(1);
  inbox.add_prefix("");
  offer(inbox, {"a"});
  std::thread publisher([&] { offer(inbox, {"b"}, true); });  // there is no room, and nobody takes anything
  inbox.close();
  publisher.join();
  offer(inbox, {"c"});
  EXPECT_FALSE(inbox.wants_message("web:x"));
  EXPECT_EQ(take(inbox), "nft:a");
  EXPECT_TRUE(shed.empty());
}

}  // namespace
}  // namespace nfbus::host
