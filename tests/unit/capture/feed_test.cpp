#include "capture/feed.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What a feed hands over, by which of the two ways, as "TOPIC TEXT" or "TOPIC GROUP TIME".
class FeedTest : public testing::Test {
 protected:
  SourceContext context() {
    return {.topics = topics_,
            .slabs = slabs_,
            .batches = batches_,
            .publish = [this](const BatchRef& batch) { note(*batch, at_once_); },
            .publish_when_room = [this](const BatchRef& batch) { note(*batch, when_room_); }};
  }
  static void note(const Batch& batch, std::vector<std::string>& seen) {
    for (const Event& event : batch.events()) {
      std::string what(view(event.topic));
      if (event.kind == NFBUS_EVENT_MESSAGE) {
        what += ' ' + std::string(reinterpret_cast<const char*>(event.payload.data), event.payload.size);
      } else {
        what += ' ' + std::to_string(event.group) + ' ' + std::to_string(event.time_ns);
      }
      seen.push_back(std::move(what));
    }
  }
  static void expect(const SourceSnapshot& counters, std::uint64_t published, std::uint64_t malformed,
                     std::uint64_t refused) {
    EXPECT_EQ(counters.published, published);
    EXPECT_EQ(counters.malformed, malformed);
    EXPECT_EQ(counters.refused, refused);
    EXPECT_EQ(counters.received, published + counters.filtered + malformed + refused);
  }

  TopicTable topics_{"nft:"};
  SlabPool slabs_{kSlabBytes, 4};
  BatchPool batches_{4};
  std::vector<std::string> at_once_;
  std::vector<std::string> when_room_;
};

// nfgenmsg of IPv4 and a group, and the prefix "lan:in".
std::vector<std::uint8_t> record_of(std::uint8_t group) {
  return {2, 0, 0, group, 11, 0, 10, 0, 'l', 'a', 'n', ':', 'i', 'n', 0, 0};
}

TEST_F(FeedTest, RecordsAreEventsOfTheirGroupAndPrefixAtTheirTime) {
  Feed feed("fed", false, context());
  const auto first = record_of(7);
  const auto second = record_of(9);
  const std::vector<FedRecord> records = {{.bytes = first, .time_ns = 1000}, {.bytes = second, .time_ns = 2000}};
  feed.take(records);
  EXPECT_THAT(at_once_, ElementsAre("nft:lan:in 7 1000", "nft:lan:in 9 2000"));
  expect(feed.counters(), 2, 0, 0);
}

TEST_F(FeedTest, ARecordThatIsNoneIsMalformedAndTheOthersAreTaken) {
  Feed feed("fed", false, context());
  const auto good = record_of(7);
  const std::vector<std::uint8_t> tiny(3);
  const std::vector<std::uint8_t> huge(RecordChunk::kMaxFrameBytes + 1);
  const std::vector<FedRecord> records = {
      {.bytes = tiny, .time_ns = 1}, {.bytes = huge, .time_ns = 1}, {.bytes = good, .time_ns = 1}};
  feed.take(records);
  EXPECT_THAT(at_once_, ElementsAre("nft:lan:in 7 1"));
  expect(feed.counters(), 1, 2, 0);
}

TEST_F(FeedTest, MessagesArePublishedInOrderButNotUnderTopicsOfTheHost) {
  Feed feed("fed", false, context());
  const std::string too_long(Feed::kMostTopicBytes + 1, 't');
  const std::vector<FedMessage> messages = {{.topic = "web:a", .text = "1"},        {.topic = "nft:drop", .text = "2"},
                                            {.topic = "nfbus:status", .text = "3"}, {.topic = "", .text = "4"},
                                            {.topic = too_long, .text = "5"},       {.topic = "web:b", .text = ""}};
  feed.take(messages);
  EXPECT_THAT(at_once_, ElementsAre("web:a 1", "web:b "));
  expect(feed.counters(), 2, 2, 2);
}

TEST_F(FeedTest, OneThatIsLosslessWaitsForRoomWithAllItHas) {
  Feed feed("fed", true, context());
  const auto good = record_of(7);
  const std::vector<FedRecord> records = {{.bytes = good, .time_ns = 1}};
  const std::vector<FedMessage> messages = {{.topic = "web:a", .text = "1"}};
  feed.take(records);
  feed.take(messages);
  EXPECT_THAT(at_once_, IsEmpty());
  EXPECT_THAT(when_room_, ElementsAre("nft:lan:in 7 1", "web:a 1"));
}

TEST_F(FeedTest, AnyNumberOfRecordsGoesThroughInBatches) {
  Feed feed("fed", false, context());
  const auto good = record_of(7);
  const std::vector<FedRecord> records(5000, FedRecord{.bytes = good, .time_ns = 1});
  feed.take(records);
  EXPECT_EQ(at_once_.size(), 5000U);
  expect(feed.counters(), 5000, 0, 0);
}

}  // namespace
}  // namespace nfbus::host
