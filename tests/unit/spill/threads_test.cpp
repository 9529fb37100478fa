// The writer and the reader at the same time.
#include "delivery/spill/store.hpp"
#include "spill_folder.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host::spill {
namespace {

constexpr std::uint64_t kRecords = 20'000;
constexpr std::chrono::seconds kDeadline{60};

// Whoever is quicker, each record is read once or evicted once, in order.
void run(std::uint64_t max_bytes, bool evicts) {
  SpillFolder folder;
  RealFiles files;
  Settings settings = folder.settings();
  settings.max_bytes = max_bytes;
  settings.segment_bytes = 16384;
  settings.sync = Sync::never;
  const auto store = opened(settings, files);
  std::atomic<std::uint64_t> evicted{0};
  std::atomic<bool> written{false};
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kRecords; i += 10) {
      const auto done = append(*store, std::vector<std::string>(10, std::string(100 + i % 50, 'x')));
      EXPECT_TRUE(done);
      if (done) evicted += done->evicted;
      const auto gone = store->tick();
      if (gone) evicted += *gone;
    }
    written = true;
  });
  std::uint64_t read = 0;
  std::uint64_t next = kFirstNumber;
  std::vector<Record> records;
  const auto end = std::chrono::steady_clock::now() + kDeadline;
  for (bool last = false; std::chrono::steady_clock::now() < end;) {
    last = written;
    EXPECT_EQ(store->read(records, 64, 4096), 0U);
    if (records.empty() && last) break;
    for (const Record& record : records) {
      EXPECT_GE(record.number, next);
      next = record.number + 1;
    }
    read += records.size();
    if (!records.empty()) {
      EXPECT_TRUE(store->settle(next, {}));
    }
    static_cast<void>(store->snapshot());
  }
  writer.join();
  EXPECT_EQ(read + evicted, kRecords);
  EXPECT_EQ(store->snapshot().records, 0U);
  EXPECT_EQ(store->snapshot().corrupted, 0U);
  if (!evicts) {
    EXPECT_EQ(evicted, 0U);
  }
}

TEST(SpillThreads, ReadEachRecordOnce) { run(std::uint64_t{64} << 20U, false); }

TEST(SpillThreads, ReadOrEvictEachRecordOnceUnderALimit) { run(40'000, true); }

}  // namespace
}  // namespace nfbus::host::spill
