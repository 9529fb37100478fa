#include "delivery/spill/store.hpp"

#include "spill_folder.hpp"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SpillStore : public testing::Test {
 protected:
  [[nodiscard]] std::unique_ptr<Store> open() { return opened(settings_, files_); }

  SpillFolder folder_;
  RealFiles files_;
  Settings settings_ = folder_.settings();
};

TEST_F(SpillStore, GivesBackInOrderWhatWasAppended) {
  const auto store = open();
  const std::uint64_t first = appended(*store, {"a", "", "ccc"});
  EXPECT_EQ(first, kFirstNumber);
  EXPECT_EQ(appended(*store, {"d"}), first + 3);
  EXPECT_EQ(store->end(), first + 4);
  EXPECT_EQ(store->snapshot().records, 4U);
  EXPECT_GT(store->snapshot().oldest_ns, 0);
  const Read read = read_all_of(*store);
  EXPECT_THAT(read.bodies, ElementsAre("a", "", "ccc", "d"));
  EXPECT_EQ(read.lost, 0U);
  EXPECT_EQ(store->snapshot().records, 0U);
  EXPECT_EQ(store->snapshot().oldest_ns, 0);
  appended(*store, {"e"});
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("e"));
}

TEST_F(SpillStore, ReadsNoMoreThanIsAskedFor) {
  const auto store = open();
  appended(*store, {"aaaa", "bbbb", "cccc", "dddd"});
  std::vector<Record> records;
  EXPECT_EQ(store->read(records, 3, 1000), 0U);
  EXPECT_EQ(records.size(), 3U);
  store->rewind();
  EXPECT_EQ(store->read(records, 100, 5), 0U);
  EXPECT_EQ(records.size(), 2U) << "until the bytes are reached";
  EXPECT_EQ(store->read(records, 100, 1), 0U);
  EXPECT_EQ(records.size(), 1U) << "one at least";
}

TEST_F(SpillStore, IsFoundAgainAfterARestart) {
  {
    const auto store = open();
    appended(*store, {"a", "b", "c"});
    std::vector<Record> records;
    EXPECT_EQ(store->read(records, 2, 1000), 0U);
    ASSERT_TRUE(store->settle(kFirstNumber + 1, {}));
    ASSERT_TRUE(store->close());
  }
  const auto store = open();
  EXPECT_THAT(store->notes(), IsEmpty());
  EXPECT_EQ(store->snapshot().records, 2U);
  const Read read = read_all_of(*store);
  EXPECT_THAT(read.bodies, ElementsAre("b", "c")) << "b was read, but not settled";
  EXPECT_THAT(read.numbers, ElementsAre(kFirstNumber + 1, kFirstNumber + 2));
  EXPECT_EQ(appended(*store, {"d"}), kFirstNumber + 3) << "numbers go on";
}

TEST_F(SpillStore, SendsNothingAgainThatWasSettledOutOfOrder) {
  std::vector<Record> records;
  {
    const auto store = open();
    appended(*store, {"a", "b", "c", "d", "e"});
    EXPECT_EQ(store->read(records, 5, 1000), 0U);
    const Range done[] = {{.first = kFirstNumber + 1, .count = 1}, {.first = kFirstNumber + 3, .count = 1}};
    ASSERT_TRUE(store->settle(kFirstNumber, done));
    store->rewind();
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a", "c", "e"));
  }
  {
    const auto store = open();
    EXPECT_EQ(store->snapshot().records, 3U);
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a", "c", "e"));
    ASSERT_TRUE(store->settle(kFirstNumber + 2, {}));
    store->rewind();
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("c", "e"));
    ASSERT_TRUE(store->settle(kFirstNumber + 5, {}));
  }
  const auto store = open();
  EXPECT_THAT(read_all_of(*store).bodies, IsEmpty());
}

TEST_F(SpillStore, LeavesNoSegmentWhenAllIsDone) {
  {
    const auto store = open();
    appended(*store, {"a", "b"});
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("a", "b"));
    ASSERT_TRUE(store->settle(kFirstNumber + 2, {}));
    ASSERT_TRUE(store->close());
  }
  EXPECT_THAT(folder_.segments(), IsEmpty());
  const auto store = open();
  EXPECT_EQ(store->snapshot().records, 0U);
  EXPECT_EQ(store->snapshot().bytes, 0U);
  EXPECT_EQ(appended(*store, {"c"}), kFirstNumber + 2);
}

TEST_F(SpillStore, RemovesSegmentsAsTheyAreDone) {
  settings_.segment_bytes = 4096;
  const auto store = open();
  for (int i = 0; i < 40; ++i) appended(*store, {std::string(1000, 'x')});
  EXPECT_GT(folder_.segments().size(), 9U);
  EXPECT_EQ(read_all_of(*store).bodies.size(), 40U);
  ASSERT_TRUE(store->settle(kFirstNumber + 40, {}));
  EXPECT_EQ(folder_.segments().size(), 1U) << "the one that is written to";
  appended(*store, {"y"});
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("y"));
}

TEST_F(SpillStore, LetsTheOldestGoWhenItIsFull) {
  settings_.segment_bytes = 4096;
  settings_.max_bytes = 16384;
  const auto store = open();
  std::uint64_t evicted = 0;
  for (int i = 0; i < 100; ++i) {
    const auto done = append(*store, {std::string(1000, 'x') + std::to_string(i)});
    ASSERT_TRUE(done);
    evicted += done->evicted;
    EXPECT_LE(store->snapshot().bytes, settings_.max_bytes);
  }
  const Read read = read_all_of(*store);
  EXPECT_EQ(read.bodies.size() + evicted, 100U);
  EXPECT_GT(read.bodies.size(), 8U);
  EXPECT_EQ(read.bodies.back(), std::string(1000, 'x') + "99");
  EXPECT_EQ(read.lost, 0U) << "what was evicted is not damaged";
  EXPECT_EQ(store->snapshot().corrupted, 0U);
}

TEST_F(SpillStore, DoesNotEvictTwiceWhatTheReaderHas) {
  settings_.segment_bytes = 4096;
  settings_.max_bytes = 16384;
  const auto store = open();
  for (int i = 0; i < 3; ++i) appended(*store, {std::string(1000, 'x')});
  std::vector<Record> records;
  EXPECT_EQ(store->read(records, 2, 1U << 20U), 0U);
  std::uint64_t evicted = 0;
  std::uint64_t count = 3;
  for (; evicted == 0; ++count) {
    const auto done = append(*store, {std::string(1000, 'y')});
    ASSERT_TRUE(done);
    evicted = done->evicted;
  }
  EXPECT_EQ(evicted, 1U) << "of three, two were read";
  EXPECT_EQ(read_all_of(*store).bodies.size(), count - 3);
}

TEST_F(SpillStore, RefusesABatchThatIsLargerThanAll) {
  settings_.max_bytes = 16384;
  const auto store = open();
  const auto done = append(*store, {std::string(17000, 'x')});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::invalid);
  EXPECT_THAT(done.error().text, HasSubstr("max_bytes"));
  appended(*store, {std::string(15000, 'x')});
  appended(*store, {std::string(15000, 'y')});
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre(std::string(15000, 'y')));
}

TEST_F(SpillStore, KeepsWhatTheFileSystemIsToKeepFree) {
  settings_.min_free_bytes = std::uint64_t{1} << 60U;
  const auto store = open();
  const auto done = append(*store, {"a"});
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().text, HasSubstr("min_free"));
  EXPECT_THAT(folder_.segments(), IsEmpty());
}

TEST_F(SpillStore, TakesChangedLimitsFromOneRunToTheNext) {
  settings_.segment_bytes = 65536;
  {
    const auto store = open();
    for (int i = 0; i < 200; ++i) appended(*store, {std::string(1000, 'x')});
  }
  settings_.segment_bytes = 4096;
  settings_.max_bytes = 100'000;
  const auto store = open();
  EXPECT_EQ(store->snapshot().records, 200U);
  const auto done = append(*store, {"y"});
  ASSERT_TRUE(done);
  EXPECT_LE(store->snapshot().bytes, settings_.max_bytes);
  EXPECT_EQ(read_all_of(*store).bodies.size() + done->evicted, 201U);
}

TEST_F(SpillStore, RefusesTheFolderOfAnother) {
  { appended(*open(), {"a"}); }
  Settings other = settings_;
  other.owner = "other";
  const auto refused = Store::open(other, files_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid);
  EXPECT_THAT(refused.error().text, HasSubstr("belongs to the sink \"db\""));
  std::filesystem::remove(folder_.path() / "state");
  EXPECT_FALSE(Store::open(other, files_)) << "segments tell the owner, too";
  EXPECT_THAT(read_all_of(*open()).bodies, ElementsAre("a"));
}

TEST_F(SpillStore, IsOneProcesssAtATime) {
  const auto store = open();
  const auto second = Store::open(settings_, files_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::busy);
  EXPECT_THAT(second.error().text, HasSubstr("in use"));
  ASSERT_TRUE(store->close());
  EXPECT_TRUE(Store::open(settings_, files_).ok()) << "closed, it lets go";
}

TEST_F(SpillStore, LetsGoOfItsFolderThoughAChildHasItsFilesToo) {
  const auto store = open();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[1]);
    char byte = 0;
    ::_exit(static_cast<int>(::read(ends[0], &byte, 1)));  // until the parent closes it
  }
  ::close(ends[0]);
  ASSERT_TRUE(store->close());
  EXPECT_TRUE(Store::open(settings_, files_).ok());
  ::close(ends[1]);
  EXPECT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(SpillStore, TakesRecordsLargerThanItsWindowAndASegment) {
  const std::vector<std::string> bodies{std::string(10, 'a'), std::string(3 << 20U, 'b'), std::string(300'000, 'c'),
                                        ""};
  const auto store = open();
  for (const std::string& body : bodies) appended(*store, {body});
  EXPECT_EQ(read_all_of(*store).bodies, bodies);
  ASSERT_TRUE(store->close());
  EXPECT_EQ(read_all_of(*open()).bodies, bodies);
}

TEST_F(SpillStore, LetsGoWhatIsTooOld) {
  settings_.max_age = std::chrono::seconds(3600);
  {
    appended(*open(), {"old"});
    for (const auto& segment : folder_.segments()) {
      std::filesystem::last_write_time(segment, std::filesystem::file_time_type::clock::now() - std::chrono::hours(2));
    }
  }
  const auto store = open();
  appended(*store, {"new"});
  const auto gone = store->tick();
  ASSERT_TRUE(gone);
  EXPECT_EQ(*gone, 1U);
  EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("new"));
}

TEST_F(SpillStore, DoesNotReadWhatTheReaderHas) {
  const std::string body = "has";
  const std::vector<Draft> drafts(
      3, Draft{.kind = 1, .body = {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}});
  {
    const auto store = open();
    ASSERT_TRUE(store->append(drafts, Reader::has_them));
    EXPECT_EQ(store->snapshot().records, 0U);
    EXPECT_EQ(store->next_to_read(), kFirstNumber + 3);
    appended(*store, {"wants"});
    ASSERT_TRUE(store->append(drafts, Reader::has_them));
    EXPECT_EQ(store->snapshot().records, 4U) << "it cannot have what stands behind unread ones";
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("wants", "has", "has", "has"));
    ASSERT_TRUE(store->append(drafts, Reader::has_them));
    appended(*store, {"more"});
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("more"));
    ASSERT_TRUE(store->settle(kFirstNumber + 7, {}));
    store->rewind();
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("has", "has", "has", "more"));
  }
  EXPECT_THAT(read_all_of(*open()).bodies, ElementsAre("has", "has", "has", "more"));
}

TEST_F(SpillStore, EachWayToSyncKeepsAll) {
  for (const Sync sync : {Sync::interval, Sync::always, Sync::never}) {
    SpillFolder folder;
    Settings settings = folder.settings();
    settings.sync = sync;
    settings.segment_bytes = 4096;
    {
      const auto store = opened(settings, files_);
      for (int i = 0; i < 20; ++i) appended(*store, {std::string(1000, 'x')});
      ASSERT_TRUE(store->tick());
    }
    EXPECT_EQ(read_all_of(*opened(settings, files_)).bodies.size(), 20U);
  }
}

}  // namespace
}  // namespace nfbus::host::spill
