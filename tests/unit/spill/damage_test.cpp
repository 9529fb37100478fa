// What flipped bits, cut files, other people's files and missing ones cost.
#include "delivery/spill/format.hpp"
#include "delivery/spill/store.hpp"
#include "memory_files.hpp"
#include "spill_folder.hpp"

#include <gmock/gmock.h>
#include <xxhash.h>

#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSubsetOf;
using testing::SizeIs;

const std::string kState = "state";

Settings in_memory() { return {.folder = "/spill", .owner = "db", .min_free_bytes = 0}; }

std::vector<std::string> three() { return {std::string(100, 'a'), std::string(150, 'b'), std::string(30, 'c')}; }

// A disk with three records in one segment: complete, or as a killed process leaves it.
std::unique_ptr<MemoryFiles> disk_of_three(bool complete) {
  MemoryFiles files;
  const auto store = opened(in_memory(), files);
  for (const std::string& body : three()) appended(*store, {body});
  if (complete) {
    EXPECT_TRUE(store->close());
  }
  return files.copy();
}

constexpr std::uint64_t kFirstId = 1;

// As a writer of another version would leave it: its last 8 bytes check the others.
void rechecked(std::span<std::uint8_t> bytes) {
  const std::size_t size = bytes.size() - 8;
  const std::uint64_t check = XXH3_64bits(bytes.data(), size);
  for (std::size_t i = 0; i < 8; ++i) bytes[size + i] = static_cast<std::uint8_t>(check >> (8 * i));
}

// The part of the segment that holds records.
bool in_records(std::size_t offset) { return offset >= kHeadBytes && offset < kHeadBytes + 3 * kRecordHeadBytes + 280; }

TEST(SpillDamage, OneFlippedBitOfASegmentCostsItsRecordAlone) {
  for (const bool complete : {true, false}) {
    const auto disk = disk_of_three(complete);
    const std::size_t size = disk->content(segment_name(kFirstId)).size();
    for (std::size_t bit = 0; bit < size * 8; ++bit) {
      const auto files = disk->copy();
      files->content(segment_name(kFirstId))[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto store = opened(in_memory(), *files);
      ASSERT_TRUE(store) << "bit " << bit;
      appended(*store, {"next"});
      const Read read = read_all_of(*store);
      ASSERT_EQ(read.lost, in_records(bit / 8) ? 1U : 0U)
          << "bit " << bit << (complete ? " of a complete segment" : "");
      ASSERT_EQ(read.bodies.size(), 4 - read.lost) << "bit " << bit;
      ASSERT_EQ(read.bodies.back(), "next");
      ASSERT_EQ(store->snapshot().corrupted, read.lost);
      auto all = three();
      all.emplace_back("next");
      ASSERT_THAT(read.bodies, IsSubsetOf(all)) << "bit " << bit;
      store->rewind();
      ASSERT_EQ(read_all_of(*store).lost, 0U) << "counted once";
    }
  }
}

TEST(SpillDamage, OneFlippedBitOfTheStateCostsNoRecord) {
  for (const bool complete : {true, false}) {
    const auto disk = disk_of_three(complete);
    for (std::size_t bit = 0; bit < 2 * kSlotBytes * 8; ++bit) {
      // Most of it is empty.
      if (bit / 8 % kSlotBytes > 400 && bit / 8 % kSlotBytes < kSlotBytes - 16 && bit % 61 != 0) continue;
      const auto files = disk->copy();
      files->content(kState)[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      const auto store = opened(in_memory(), *files);
      ASSERT_TRUE(store) << "bit " << bit;
      const Read read = read_all_of(*store);
      ASSERT_EQ(read.bodies, three()) << "bit " << bit;
      ASSERT_EQ(read.lost, 0U) << "bit " << bit;
    }
  }
}

TEST(SpillDamage, WhatACrashCutOffIsNone) {
  const auto disk = disk_of_three(false);
  const std::size_t size = disk->content(segment_name(kFirstId)).size();
  const std::size_t last = size - kRecordHeadBytes - 30;
  for (std::size_t cut = last; cut < size; ++cut) {
    const auto files = disk->copy();
    files->content(segment_name(kFirstId)).resize(cut);
    const auto store = opened(in_memory(), *files);
    ASSERT_TRUE(store);
    appended(*store, {"next"});
    const Read read = read_all_of(*store);
    ASSERT_THAT(read.bodies, ElementsAre(three()[0], three()[1], "next")) << "cut at " << cut;
    ASSERT_EQ(read.lost, 0U);
  }
}

TEST(SpillDamage, ZerosBehindTheLastRecordAreNone) {
  for (const std::size_t zeros : {1U, 27U, 28U, 63U, 64U, 5000U, 300'000U}) {
    const auto files = disk_of_three(false);
    MemoryFiles::Bytes& bytes = files->content(segment_name(kFirstId));
    bytes.resize(bytes.size() + zeros);
    const auto store = opened(in_memory(), *files);
    const Read read = read_all_of(*store);
    EXPECT_EQ(read.bodies, three()) << zeros;
    EXPECT_EQ(read.lost, 0U) << zeros;
  }
}

TEST(SpillDamage, AHeadThatWasCutOffLeavesNothing) {
  for (const std::size_t size : {0U, 1U, 511U}) {
    const auto files = disk_of_three(true);
    MemoryFiles::Bytes cut = files->content(segment_name(kFirstId));
    cut.resize(size);
    const int made = files->open(0, segment_name(9), Open::make);
    EXPECT_EQ(files->pwrite(made, cut.data(), cut.size(), 0) >= 0 || size == 0, true);
    files->close(made);
    const auto store = opened(in_memory(), *files);
    EXPECT_THAT(store->notes(), IsEmpty());
    EXPECT_FALSE(files->has(segment_name(9)));
    EXPECT_EQ(read_all_of(*store).bodies, three());
    appended(*store, {"next"});
    EXPECT_TRUE(files->has(segment_name(10))) << "its id is not used again";
  }
}

TEST(SpillDamage, DestroyedBytesInTheMiddleCostWhatIsInThem) {
  MemoryFiles files;
  {
    const auto store = opened(in_memory(), files);
    for (int i = 0; i < 1000; ++i) appended(*store, {std::string(100, 'x') + std::to_string(i)});
    ASSERT_TRUE(store->close());
  }
  MemoryFiles::Bytes& bytes = files.content(segment_name(kFirstId));
  std::mt19937_64 random(7);
  for (std::size_t i = 20'000; i < 40'000; ++i) bytes[i] = static_cast<std::uint8_t>(random());
  const auto store = opened(in_memory(), files);
  const Read read = read_all_of(*store);
  EXPECT_EQ(read.bodies.size() + read.lost, 1000U);
  EXPECT_LE(read.lost, 20'000 / 130 + 2);
  EXPECT_GE(read.lost, 20'000 / 132 - 2);
}

TEST(SpillDamage, ABodyThatLooksLikeRecordsIsNeverTakenForThem) {
  MemoryFiles files;
  // What an attacker may know: all but the seed.
  std::vector<std::uint8_t> forged(10 * (kRecordHeadBytes + 4));
  const std::string evil = "evil";
  for (std::size_t i = 0; i < 10; ++i) {
    put_record(0, 1, kFirstNumber + 2 + i, {reinterpret_cast<const std::uint8_t*>(evil.data()), evil.size()},
               forged.data() + i * (kRecordHeadBytes + 4));
  }
  {
    const auto store = opened(in_memory(), files);
    appended(*store, {"a"});
    appended(*store, {std::string(forged.begin(), forged.end())});
    appended(*store, {"b"});
    ASSERT_TRUE(store->close());
  }
  // The length of the one that contains them is gone.
  files.content(segment_name(kFirstId))[kHeadBytes + kRecordHeadBytes + 1 + 8] ^= 1U;
  const auto store = opened(in_memory(), files);
  const Read read = read_all_of(*store);
  EXPECT_THAT(read.bodies, ElementsAre("a", "b"));
  EXPECT_EQ(read.lost, 1U);
}

TEST(SpillDamage, ASegmentWithoutAHeadIsSetAsideOnce) {
  MemoryFiles files;
  Settings settings = in_memory();
  settings.segment_bytes = 1024;
  {
    const auto store = opened(settings, files);
    for (int i = 0; i < 3; ++i) appended(*store, {std::string(600, static_cast<char>('a' + i))});
    ASSERT_TRUE(store->close());
  }
  const auto segments = files.named("segment-");
  ASSERT_THAT(segments, SizeIs(3));
  std::fill_n(files.content(segments[1]).begin(), kHeadBytes, std::uint8_t{0x55});
  {
    const auto store = opened(settings, files);
    EXPECT_THAT(store->notes(), ElementsAre(HasSubstr("set aside as unreadable-")));
    const Read read = read_all_of(*store);
    EXPECT_THAT(read.bodies, ElementsAre(std::string(600, 'a'), std::string(600, 'c')));
    EXPECT_EQ(read.lost, 1U);
    ASSERT_TRUE(store->settle(kFirstNumber + 1, {}));
  }
  EXPECT_THAT(files.named("unreadable-"), SizeIs(1));
  const auto store = opened(settings, files);
  EXPECT_THAT(store->notes(), IsEmpty()) << "said once";
  const Read read = read_all_of(*store);
  EXPECT_THAT(read.bodies, ElementsAre(std::string(600, 'c')));
  EXPECT_EQ(read.lost, 0U) << "counted once";
}

TEST(SpillDamage, AStateThatIsMissingOrBrokenIsMadeFromTheSegments) {
  for (const int way : {0, 1, 2, 3}) {
    const auto files = disk_of_three(true);
    if (way == 0) files->remove(kState);
    if (way == 1) files->content(kState).resize(100);
    if (way == 2) files->content(kState).clear();
    if (way == 3) {
      files->content(kState)[20] ^= 1U;
      files->content(kState)[kSlotBytes + 20] ^= 1U;
    }
    {
      const auto store = opened(in_memory(), *files);
      EXPECT_THAT(store->notes(), ElementsAre(HasSubstr("read from the beginning"))) << way;
      appended(*store, {"d"});
      auto all = three();
      all.emplace_back("d");
      EXPECT_EQ(read_all_of(*store).bodies, all) << "nothing is written over";
      ASSERT_TRUE(store->settle(kFirstNumber + 3, {}));
    }
    const auto store = opened(in_memory(), *files);
    EXPECT_THAT(store->notes(), IsEmpty());
    EXPECT_THAT(read_all_of(*store).bodies, ElementsAre("d"));
  }
}

TEST(SpillDamage, ASegmentThatVanishedIsCounted) {
  MemoryFiles files;
  Settings settings = in_memory();
  settings.segment_bytes = 1024;
  {
    const auto store = opened(settings, files);
    for (int i = 0; i < 4; ++i) appended(*store, {std::string(400, static_cast<char>('a' + i)), "x"});
    ASSERT_TRUE(store->close());
  }
  const auto segments = files.named("segment-");
  files.remove(segments.front());
  const auto store = opened(settings, files);
  const Read read = read_all_of(*store);
  EXPECT_EQ(read.bodies.size() + read.lost, 8U);
  EXPECT_GT(read.lost, 0U);
}

TEST(SpillDamage, ThatIsRandomNeverStopsTheStore) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  const auto disk = disk_of_three(true);
  for (int i = 0; i < 3000; ++i) {
    const auto files = disk->copy();
    for (const std::string& name : {segment_name(kFirstId), kState}) {
      MemoryFiles::Bytes& bytes = files->content(name);
      for (std::uint64_t n = random() % 20; n > 0; --n)
        bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
      if (random() % 4 == 0) bytes.resize(random() % bytes.size());
    }
    const auto store = Store::open(in_memory(), *files);
    if (!store) continue;  // refused by name; it must only not go wrong
    ASSERT_TRUE(append(**store, {"next"}));
    const Read read = read_all_of(**store);
    ASSERT_LE(read.bodies.size(), 4U);
    ASSERT_EQ(read.bodies.back(), "next");
  }
}

TEST(SpillForeign, VersionsAreRefusedAndKept) {
  const auto disk = disk_of_three(true);
  StateSlot slot;
  std::uint32_t version = 0;
  auto files = disk->copy();
  // A later version, whose checks are right.
  MemoryFiles::Bytes& state = files->content(kState);
  ASSERT_EQ(get_state_slot(std::span<const std::uint8_t, kSlotBytes>(state.data(), kSlotBytes), slot, version),
            Verdict::good);
  for (std::size_t at = 0; at < state.size(); at += kSlotBytes) {
    state[at + 8] = 2;
    rechecked({state.data() + at, kSlotBytes});
  }
  const MemoryFiles::Bytes before = state;
  const auto refused = Store::open(in_memory(), *files);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid);
  EXPECT_THAT(refused.error().text, HasSubstr("version 2"));
  EXPECT_EQ(files->content(kState), before);

  files = disk->copy();
  files->remove(kState);
  MemoryFiles::Bytes& segment = files->content(segment_name(kFirstId));
  for (const std::size_t at : {std::size_t{0}, kHeadBytes / 2}) {
    segment[at + 8] = 7;
    rechecked({segment.data() + at, kHeadBytes / 2});
  }
  const auto old = Store::open(in_memory(), *files);
  ASSERT_FALSE(old);
  EXPECT_THAT(old.error().text, HasSubstr("version 7"));
  EXPECT_FALSE(files->has(kState)) << "untouched";
}

TEST(SpillForeign, AFileNamedStateOfSomethingElseIsKept) {
  MemoryFiles files;
  const int file = files.open(0, kState, Open::make);
  const std::string text = "somebody else's";
  EXPECT_GT(files.pwrite(file, text.data(), text.size(), 0), 0);
  const auto refused = Store::open(in_memory(), files);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("not a spill's"));
  EXPECT_EQ(files.content(kState).size(), text.size());
  EXPECT_FALSE(files.has("lock"));
}

class SpillLinks : public testing::Test {
 protected:
  SpillFolder folder_;
  RealFiles files_;
};

TEST_F(SpillLinks, AreNotFollowed) {
  { appended(*opened(folder_.settings(), files_), {"a"}); }
  const auto other = folder_.path().parent_path() / "other";
  const auto segment = folder_.segments().front();
  for (const bool hard : {true, false}) {
    std::filesystem::rename(segment, other);
    if (hard) {
      std::filesystem::create_hard_link(other, segment);
    } else {
      std::filesystem::create_symlink(other, segment);
    }
    const std::string before = test::read_file(other);
    const auto refused = Store::open(folder_.settings(), files_);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().text, AnyOf(HasSubstr("links"), HasSubstr("symbolic")));
    EXPECT_EQ(test::read_file(other), before);
    std::filesystem::remove(segment);
    std::filesystem::rename(other, segment);
  }
  const auto link = folder_.path().parent_path() / "link";
  std::filesystem::create_directory_symlink(folder_.path(), link);
  Settings through = folder_.settings();
  through.folder = link.string() + "/";
  const auto refused = Store::open(through, files_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().text, HasSubstr("link"));
}

TEST(SpillStart, TakesNoLongerForTenGigabytes) {
  SpillFolder folder;
  RealFiles files;
  ASSERT_TRUE(opened(folder.settings(), files)->close());
  constexpr std::uint64_t kSegments = 640;
  constexpr std::uint64_t kBytes = std::uint64_t{16} << 20U;
  constexpr std::uint64_t kRecords = 100'000;
  for (std::uint64_t i = 0; i < kSegments; ++i) {
    std::array<std::uint8_t, kHeadBytes> head{};
    const SegmentHead fields{
        .id = 10 + i, .first = kFirstNumber + i * kRecords, .created_ns = 1, .seed = 99, .owner = "db"};
    put_segment_head(fields, head);
    const auto name = folder.path() / segment_name(fields.id);
    test::write_file(name, {reinterpret_cast<const char*>(head.data()), head.size()});
    std::filesystem::resize_file(name, kBytes);  // without blocks
    if (i + 1 < kSegments) continue;
    std::array<std::uint8_t, kFooterBytes> footer{};
    const std::uint64_t at = kBytes - kFooterBytes;
    put_footer({.id = fields.id, .first = fields.first, .end = fields.first + kRecords, .offset = at, .sealed_ns = 1},
               fields.seed, footer);
    std::fstream out(name, std::ios::in | std::ios::out | std::ios::binary);
    out.seekp(static_cast<std::streamoff>(at));
    out.write(reinterpret_cast<const char*>(footer.data()), footer.size());
  }
  Settings settings = folder.settings();
  settings.max_bytes = std::uint64_t{20} << 30U;
  settings.segment_bytes = kBytes;
  const auto begun = std::chrono::steady_clock::now();
  const auto store = opened(settings, files);
  EXPECT_EQ(store->snapshot().records, kSegments * kRecords);
  EXPECT_EQ(store->snapshot().bytes, kSegments * kBytes);
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(1));
}

}  // namespace
}  // namespace nfbus::host::spill
