// Folders as `nfbus spill` sees them.
#include "delivery/spill/inspect.hpp"

#include "memory_files.hpp"
#include "spill_folder.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SpillInspect : public testing::Test {
 protected:
  struct Seen {
    std::vector<std::string> bodies;
    std::vector<std::string> damage;
  };
  [[nodiscard]] static Seen visited(MemoryFiles& files) {
    Seen seen;
    const auto done =
        visit(files, "/spill",
              {.record =
                   [&](const Record& record) {
                     seen.bodies.emplace_back(reinterpret_cast<const char*>(record.body.data()), record.body.size());
                     return true;
                   },
               .damage = [&](const std::string& what) { seen.damage.push_back(what); }});
    EXPECT_TRUE(done.ok());
    return seen;
  }

  MemoryFiles files_;
  Settings settings_{.folder = "/spill", .owner = "db", .segment_bytes = 2048, .min_free_bytes = 0};
};

TEST_F(SpillInspect, SeesWhatWaitsInAFolderThatIsInUse) {
  const auto store = opened(settings_, files_);
  for (const char c : {'a', 'b', 'c', 'd'}) appended(*store, {std::string(900, c)});
  std::vector<Record> records;
  EXPECT_EQ(store->read(records, 1, 1000), 0U);
  ASSERT_TRUE(store->settle(kFirstNumber + 1, {}));
  const std::uint64_t writes = files_.writes;
  const auto seen = overview(files_, "/spill");
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->owner, "db");
  EXPECT_EQ(seen->records, 3U);
  EXPECT_EQ(seen->segments, files_.named("segment-").size());
  EXPECT_GT(seen->bytes, 4 * 900U);
  EXPECT_GT(seen->oldest_ns, 0);
  const Seen all = visited(files_);
  EXPECT_THAT(all.bodies, ElementsAre(std::string(900, 'b'), std::string(900, 'c'), std::string(900, 'd')));
  EXPECT_THAT(all.damage, IsEmpty());
  EXPECT_EQ(files_.writes, writes) << "it never writes";
}

TEST_F(SpillInspect, NamesThePlaceOfEachDamage) {
  {
    const auto store = opened(settings_, files_);
    appended(*store, {"a", "b", "c"});
    ASSERT_TRUE(store->close());
  }
  MemoryFiles::Bytes& bytes = files_.content(segment_name(1));
  const std::size_t second = kHeadBytes + kRecordHeadBytes + 1;
  bytes[second + kRecordHeadBytes] ^= 1U;
  Seen seen = visited(files_);
  EXPECT_THAT(seen.bodies, ElementsAre("a", "c"));
  EXPECT_THAT(seen.damage, ElementsAre("/spill/" + segment_name(1) + ":" + std::to_string(second) +
                                       ": the record's body is damaged"));
  files_.content("state")[100] ^= 1U;
  seen = visited(files_);
  ASSERT_EQ(seen.damage.size(), 2U);
  EXPECT_THAT(seen.damage.front(), HasSubstr("/spill/state"));
}

TEST_F(SpillInspect, TakesTheTailOfAKilledProcessForNoDamage) {
  auto left = [&] {
    const auto store = opened(settings_, files_);
    appended(*store, {"a", "b"});
    return files_.copy();
  }();
  MemoryFiles::Bytes& bytes = left->content(segment_name(1));
  bytes.resize(bytes.size() - 1);
  const Seen seen = visited(*left);
  EXPECT_THAT(seen.bodies, ElementsAre("a"));
  EXPECT_THAT(seen.damage, IsEmpty());
  const auto known = overview(*left, "/spill");
  ASSERT_TRUE(known);
  EXPECT_EQ(known->records, 1U);
}

TEST_F(SpillInspect, SaysWhatIsNoSpill) {
  const auto empty = overview(files_, "/spill");
  ASSERT_FALSE(empty);
  EXPECT_THAT(empty.error().text, HasSubstr("holds no spill"));
  RealFiles files;
  const auto missing = overview(files, "/nowhere/at/all");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Code::not_found);
}

}  // namespace
}  // namespace nfbus::host::spill
