// Disks that are full, slow to fail, or broken.
#include "delivery/spill/store.hpp"
#include "memory_files.hpp"
#include "spill_folder.hpp"

#include <gmock/gmock.h>

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class SpillFaults : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Store> open() { return opened(settings_, files_); }

  MemoryFiles files_;
  Settings settings_{.folder = "/spill", .owner = "db", .segment_bytes = 65536, .min_free_bytes = 0};
};

TEST_F(SpillFaults, AShortWriteIsContinued) {
  files_.faults.longest_write = 10;
  {
    const auto store = open();
    appended(*store, {std::string(100, 'a'), std::string(100, 'b')});
    ASSERT_TRUE(store->close());
  }
  EXPECT_THAT(read_all_of(*open()).bodies, ElementsAre(std::string(100, 'a'), std::string(100, 'b')));
}

TEST_F(SpillFaults, AFullDiskLeavesNothingOfABatchWhereverItEnds) {
  for (std::uint64_t room = 0; room < 2 * kSlotBytes + 1200; room += room < 2 * kSlotBytes ? 4096 : 7) {
    MemoryFiles files;
    const auto store = opened(settings_, files);
    appended(*store, {"a"});
    const auto before = files.content(files.named("segment-").front()).size();
    files.faults.room = room;
    const bool fits = append(*store, {std::string(300, 'b'), std::string(300, 'c')}).ok();
    files.faults.room.reset();
    if (!fits) {
      EXPECT_EQ(files.content(files.named("segment-").front()).size(), before) << room;
    }
    appended(*store, {"d"});
    const Read read = read_all_of(*store);
    EXPECT_THAT(read.bodies, SizeIs(fits ? 4 : 2)) << room;
    EXPECT_EQ(read.lost, 0U);
  }
}

TEST_F(SpillFaults, AFullDiskIsTriedAgainAndGoesOn) {
  const auto store = open();
  appended(*store, {"a"});
  files_.faults.room = 0;
  settings_.min_free_bytes = 0;
  for (int i = 0; i < 10; ++i) {
    const std::uint64_t writes = files_.writes;
    EXPECT_FALSE(append(*store, {std::string(1000, 'x')}));
    EXPECT_LE(files_.writes - writes, 4U) << "one try a call";
  }
  EXPECT_THAT(files_.named("segment-"), SizeIs(1));
  files_.faults.room = 1'000'000;
  appended(*store, {"b"});
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a", "b"));
}

TEST_F(SpillFaults, AWriteThatCannotBeTakenBackCostsTheSegmentItsEnd) {
  {
    const auto store = open();
    appended(*store, {"a"});
    files_.faults.failing_writes = 1;
    files_.faults.failing_truncates = 1;
    const auto failed = append(*store, {std::string(50, 'b'), std::string(50, 'c')});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, Code::io);
    appended(*store, {"d", "e"});
    EXPECT_THAT(files_.named("segment-"), SizeIs(2));
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a", "d", "e"));
    EXPECT_EQ(store->snapshot().corrupted, 0U);
    ASSERT_TRUE(store->close());
  }
  // The half of it that was written is whole records, with numbers that others have got.
  const auto store = open();
  const Read read = read_all_of(*store);
  EXPECT_THAT(read.bodies, ElementsAre("a", "d", "e"));
  EXPECT_EQ(read.lost, 0U);
}

TEST_F(SpillFaults, ASegmentThatCouldNotBeForcedIsNeverForcedAgain) {
  const auto store = open();
  appended(*store, {"a"});
  files_.faults.failing_syncs = 1;
  std::vector<std::string> bodies(50, std::string(100'000, 'x'));
  for (const std::string& body : bodies) appended(*store, {body});
  EXPECT_EQ(files_.faults.failing_syncs, 0);
  const auto news = store->take_news();
  EXPECT_THAT(news, ElementsAre(HasSubstr("a new segment is begun")));
  EXPECT_THAT(store->take_news(), IsEmpty());
  bodies.insert(bodies.begin(), "a");
  EXPECT_EQ(read_all_of(*store).bodies, bodies);
}

TEST_F(SpillFaults, WithSyncAlwaysTheBatchInHandGoesIntoANewSegment) {
  settings_.sync = Sync::always;
  const auto store = open();
  appended(*store, {"a"});
  files_.faults.failing_syncs = 1;
  appended(*store, {"b"});
  EXPECT_THAT(files_.named("segment-"), SizeIs(2));
  files_.faults.failing_syncs = 5;
  const auto failed = append(*store, {"c"});
  ASSERT_FALSE(failed) << "twice in one call is a failure";
  files_.faults.failing_syncs = 0;
  appended(*store, {"d"});
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a", "b", "d"));
  EXPECT_EQ(store->snapshot().corrupted, 0U);
}

TEST_F(SpillFaults, WithSyncAlwaysEachBatchIsForced) {
  settings_.sync = Sync::always;
  const auto store = open();
  appended(*store, {"a"});
  const std::uint64_t syncs = files_.syncs;
  appended(*store, {"b"});
  EXPECT_EQ(files_.syncs, syncs + 1);
}

TEST_F(SpillFaults, WithSyncNeverNothingIs) {
  settings_.sync = Sync::never;
  const auto store = open();
  appended(*store, {"a"});
  ASSERT_TRUE(store->tick());
  ASSERT_TRUE(store->close());
  EXPECT_EQ(files_.syncs, 0U);
}

TEST_F(SpillFaults, ASegmentThatCannotBeReadIsSetAside) {
  {
    const auto store = open();
    appended(*store, {std::string(10'000, 'a'), std::string(10'000, 'b')});
    ASSERT_TRUE(store->close());
  }
  {
    const auto store = open();
    EXPECT_THAT(store->notes(), IsEmpty());
    appended(*store, {"c"});
    files_.faults.reads_fail = true;
    std::vector<Record> records;
    EXPECT_EQ(store->read(records, 10, 1000), 2U);
    EXPECT_THAT(store->take_news(), ElementsAre(HasSubstr("set aside as unreadable-")));
    files_.faults.reads_fail = false;
    if (records.empty()) {
      EXPECT_EQ(store->read(records, 10, 1000), 0U);
    }
    EXPECT_THAT(records, SizeIs(1));
    EXPECT_EQ(store->snapshot().corrupted, 2U);
    ASSERT_TRUE(store->settle(kFirstNumber + 2, {}));
  }
  const auto store = open();
  EXPECT_THAT(store->notes(), IsEmpty()) << "never looked at again";
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("c"));
}

TEST_F(SpillFaults, TooManyOpenFilesAreNoDamage) {
  {
    const auto store = open();
    appended(*store, {"a"});
    ASSERT_TRUE(store->close());
  }
  const auto store = open();
  files_.faults.short_of_files = 1;
  std::vector<Record> records;
  EXPECT_EQ(store->read(records, 10, 1000), 0U);
  EXPECT_THAT(records, IsEmpty());
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a"));
  EXPECT_THAT(files_.named("unreadable-"), IsEmpty());
}

TEST_F(SpillFaults, WhatAFailedCallEvictedIsToldByTheNext) {
  settings_.segment_bytes = 4096;
  settings_.max_bytes = 16384;
  const auto store = open();
  std::uint64_t evicted = 0;
  std::uint64_t written = 0;
  for (int i = 0; i < 200; ++i) {
    files_.faults.failing_writes = i % 3 == 0 ? 1 : 0;
    if (const auto done = append(*store, {std::string(1000, 'x')})) {
      evicted += done->evicted;
      ++written;
    }
  }
  files_.faults.failing_writes = 0;
  const auto last = store->tick();
  ASSERT_TRUE(last);
  const Read read = read_all_of(*store);
  EXPECT_EQ(evicted + *last + read.bodies.size(), written);
  EXPECT_EQ(read.lost, 0U);
}

}  // namespace
}  // namespace nfbus::host::spill
