// A disk queue behind a queue in memory: order, outcomes and restarts, against a list of what was published.
#include "delivery/spill_queue.hpp"
#include "delivery/spiller.hpp"

#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <deque>
#include <limits>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using test::TemporaryFolder;

constexpr std::size_t kPlenty = 1UL << 30;

// A queue with its disk, and the worker's side of it as SinkWorker has it: what is in its hands is settled before more
// is taken.
class Queue {
 public:
  Queue(const std::filesystem::path& folder, QueueLimits limits, spill::Settings settings = {},
        spill::Mode mode = spill::Mode::overflow)
      : memory_owner_(std::make_shared<MemoryQueue>(limits)), memory_(*memory_owner_) {
    settings.folder = folder.string();
    settings.owner = "test";
    settings.min_free_bytes = 0;
    auto store = spill::Store::open(settings);
    EXPECT_TRUE(store.ok()) << (store.ok() ? "" : store.error().text);
    queue_ = std::make_unique<SpillQueue>(memory_owner_, std::move(store).value(), mode, "sink.test");
    queue_->start([] {});
  }
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  ~Queue() { queue_->finish(); }

  // Messages whose text is their number.
  void push(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) memory_.push(make_message("a:b", std::to_string(next_++), 1, 0));
  }
  void push_large(std::size_t size_bytes) {
    memory_.push(make_message("a:b", std::to_string(kLarge) + std::string(size_bytes, ' '), 1, 0));
  }
  static constexpr std::uint64_t kLarge = 1'000'000;
  void begin_at(std::uint64_t number) { next_ = number; }
  void step() { static_cast<void>(queue_->step()); }
  void finish() { queue_->finish(); }
  void fail() { queue_->fail(); }
  void let_go() { queue_->let_go(); }

  // Takes up to so many into its hands where these are empty; returns the numbers in them.
  std::vector<std::uint64_t> take(std::size_t most) {
    if (items_.empty()) {
      if (entry_ == entries_.size()) {
        EXPECT_TRUE(queue_->pull(entries_, {.enough = 1, .most = most}, 0ms, MemoryQueue::Clock::now()));
      }
      while (entry_ < entries_.size() && items_.size() < most) {
        const QueueEntry& entry = *entries_[entry_];
        items_.push_back(&entry[entry.begin + begun_of_entry_]);
        ++begun_;
        if (++begun_of_entry_ == entry.size()) {
          ++entry_;
          begun_of_entry_ = 0;
        }
      }
    }
    std::vector<std::uint64_t> numbers;
    for (const nfbus_event* item : items_) numbers.push_back(number_of(*item));
    return numbers;
  }
  // Those of what is in its hands that `is_done` names are delivered.
  template <class IsDone>
  void settle(IsDone is_done) {
    const std::size_t before = items_.size();
    std::erase_if(items_, [&](const nfbus_event* item) { return is_done(number_of(*item)); });
    EXPECT_TRUE(
        queue_->settle({.delivered = before - items_.size(), .begun = std::exchange(begun_, 0), .left = items_}));
    if (!items_.empty()) return;
    entries_.erase(entries_.begin(), entries_.begin() + static_cast<std::ptrdiff_t>(entry_));
    entry_ = 0;
  }
  std::vector<std::uint64_t> deliver(std::size_t most) {
    const auto numbers = take(most);
    if (!numbers.empty()) settle([](std::uint64_t) { return true; });
    return numbers;
  }
  std::vector<std::uint64_t> deliver_all() {
    std::vector<std::uint64_t> all;
    for (auto some = deliver(100); !some.empty(); some = deliver(100)) all.insert(all.end(), some.begin(), some.end());
    return all;
  }

  [[nodiscard]] QueueCounters counters() const { return queue_->counters(); }
  [[nodiscard]] SpillSnapshot spill() const { return queue_->spill(); }
  void expect_sum() const {
    const QueueCounters c = counters();
    EXPECT_EQ(c.published + c.recovered,
              c.delivered + c.filtered + c.overflowed + c.rejected + c.corrupted + c.queued + c.spilled);
  }

  static std::uint64_t number_of(const nfbus_event& event) {
    return std::stoull(std::string(reinterpret_cast<const char*>(event.payload.data), event.payload.size));
  }

 private:
  std::shared_ptr<MemoryQueue> memory_owner_;
  MemoryQueue& memory_;
  std::unique_ptr<SpillQueue> queue_;
  std::uint64_t next_ = 0;
  std::vector<const QueueEntry*> entries_;
  std::size_t entry_ = 0;
  std::size_t begun_of_entry_ = 0;
  std::size_t begun_ = 0;
  std::vector<const nfbus_event*> items_;
};

QueueLimits limits(std::size_t events, std::size_t bytes = kPlenty) {
  return {.events = events, .bytes = bytes, .overflow = Overflow::spill};
}

std::vector<std::uint64_t> numbers(std::uint64_t first, std::uint64_t end) {
  std::vector<std::uint64_t> all;
  for (std::uint64_t i = first; i < end; ++i) all.push_back(i);
  return all;
}

TEST(SpillQueue, LeavesTheDiskAloneWhileThereIsRoomInMemory) {
  const TemporaryFolder folder;
  Queue queue(folder.path(), limits(10));
  queue.push(10);
  queue.step();
  EXPECT_EQ(queue.counters().spilled, 0U);
  EXPECT_EQ(queue.deliver_all(), numbers(0, 10));
}

TEST(SpillQueue, DropsNothingThatTheLimitOfEventsWouldAndDeliversInOrder) {
  const TemporaryFolder folder;
  Queue queue(folder.path(), limits(10));
  queue.push(100);
  queue.step();
  EXPECT_GE(queue.counters().spilled, 90U);
  EXPECT_LE(queue.counters().queued, 10U);
  EXPECT_EQ(queue.counters().overflowed, 0U);
  queue.expect_sum();
  EXPECT_EQ(queue.deliver_all(), numbers(0, 100));
  EXPECT_EQ(queue.counters().spilled, 0U);
  queue.expect_sum();
}

TEST(SpillQueue, WritesWhatTheWorkerHoldsFirst) {
  const TemporaryFolder folder;
  {
    Queue queue(folder.path(), limits(10));
    queue.push(5);
    EXPECT_EQ(queue.take(5), numbers(0, 5));
    queue.push(50);
    queue.step();
    queue.settle([](std::uint64_t number) { return number == 1 || number == 3; });
    queue.finish();
    EXPECT_EQ(queue.counters().queued, 0U);
    EXPECT_EQ(queue.counters().spilled, 53U);
    queue.expect_sum();
  }
  Queue again(folder.path(), limits(10));
  EXPECT_EQ(again.counters().recovered, 53U);
  std::vector<std::uint64_t> left = {0, 2, 4};
  for (const std::uint64_t number : numbers(5, 55)) left.push_back(number);
  EXPECT_EQ(again.deliver_all(), left);
  again.expect_sum();
}

TEST(SpillQueue, ResendsNothingAfterACleanDrain) {
  const TemporaryFolder folder;
  {
    Queue queue(folder.path(), limits(10));
    queue.push(100);
    queue.step();
    EXPECT_EQ(queue.deliver_all().size(), 100U);
  }
  Queue again(folder.path(), limits(10));
  EXPECT_EQ(again.counters().recovered, 0U);
  EXPECT_EQ(again.spill().size_bytes, 0U);
}

TEST(SpillQueue, WithModeAlwaysDeliversOnlyWhatIsOnDisk) {
  const TemporaryFolder folder;
  Queue queue(folder.path(), limits(100), {}, spill::Mode::always);
  queue.push(10);
  queue.step();
  EXPECT_EQ(queue.counters().spilled, 10U);
  EXPECT_EQ(queue.deliver_all(), numbers(0, 10));
}

TEST(SpillQueue, AfterAFailureKeepsWhatIsOnDiskAndRejectsTheRest) {
  const TemporaryFolder folder;
  {
    Queue queue(folder.path(), limits(10));
    queue.push(30);
    queue.step();
    const std::uint64_t spilled = queue.counters().spilled;
    EXPECT_EQ(queue.take(3), numbers(0, 3));
    queue.fail();
    queue.let_go();
    queue.push(5);
    EXPECT_EQ(queue.counters().spilled, spilled);
    EXPECT_EQ(queue.counters().rejected, 30 - spilled + 5);
    queue.expect_sum();
  }
  Queue again(folder.path(), limits(10));
  EXPECT_EQ(again.deliver_all().front(), 0U);
}

TEST(SpillQueue, DropsAnEventThatIsTooLargeForTheDiskAndKeepsTheOthers) {
  const TemporaryFolder folder;
  spill::Settings settings;
  settings.max_bytes = 65536;
  Queue queue(folder.path(), limits(10), settings);
  queue.push(5);
  queue.push_large(100'000);
  queue.push(50);
  queue.step();
  EXPECT_EQ(queue.counters().overflowed, 1U);
  queue.expect_sum();
  EXPECT_EQ(queue.deliver_all(), numbers(0, 55));
}

TEST(SpillQueue, IsNotKeptFromWritingByALargeEventThatTheWorkerHolds) {
  const TemporaryFolder folder;
  spill::Settings settings;
  settings.max_bytes = 65536;
  Queue queue(folder.path(), limits(10), settings);
  queue.push_large(100'000);
  EXPECT_EQ(queue.take(1), (std::vector<std::uint64_t>{Queue::kLarge}));
  queue.push(50);
  queue.step();
  EXPECT_GE(queue.counters().spilled, 40U);
  queue.settle([](std::uint64_t) { return true; });
  EXPECT_EQ(queue.deliver_all(), numbers(0, 50));
  EXPECT_EQ(queue.counters().corrupted, 0U);
  queue.expect_sum();
}

TEST(SpillQueue, LosesAndTurnsAroundNothingWhileThreadsShareIt) {
  constexpr std::uint64_t kCount = 20000;
  const TemporaryFolder folder;
  const auto memory = std::make_shared<MemoryQueue>(limits(200));
  auto store = spill::Store::open(
      {.folder = folder.path().string(), .owner = "test", .segment_bytes = 65536, .min_free_bytes = 0});
  ASSERT_TRUE(store.ok());
  SpillQueue queue(memory, std::move(store).value(), spill::Mode::overflow, "sink.test");
  Spiller spiller;
  ASSERT_TRUE(spiller.add(queue).ok());
  std::thread producer([&] {
    for (std::uint64_t i = 0; i < kCount; ++i) memory->push(make_message("a:b", std::to_string(i), 1, 0));
  });
  std::vector<std::uint64_t> delivered;
  std::vector<const QueueEntry*> entries;
  while (delivered.size() < kCount) {
    ASSERT_TRUE(queue.pull(entries, {.enough = 50, .most = 100}, 1ms, MemoryQueue::Clock::now() + 10s));
    for (const QueueEntry* entry : entries) {
      std::vector<const nfbus_event*> left;
      for (std::size_t i = entry->begin; i < entry->end; ++i) {
        delivered.push_back(Queue::number_of((*entry)[i]));
        left.push_back(&(*entry)[i]);
      }
      // In two calls, the first of which leaves the second half.
      left.erase(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(left.size() / 2));
      const std::uint64_t first = entry->size() - left.size();
      const std::uint64_t second = left.size();
      ASSERT_TRUE(queue.settle({.delivered = first, .begun = first + second, .left = left}));
      ASSERT_TRUE(queue.settle({.delivered = second}));
    }
    entries.clear();
  }
  producer.join();
  EXPECT_EQ(delivered, numbers(0, kCount));
  EXPECT_EQ(queue.counters().overflowed, 0U);
  EXPECT_TRUE(spiller.remove(queue, MemoryQueue::Clock::now() + 10s));
  queue.finish();
  EXPECT_EQ(queue.counters().spilled, 0U);
}

// Whatever happens, each event is delivered once and in the order of publication.
TEST(SpillQueue, KeepsOrderAndSumsThroughAnySequenceOfOperations) {
  for (const std::uint32_t seed : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const TemporaryFolder folder;
    std::mt19937 random(seed);
    const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
    const auto mode = seed % 2 == 0 ? spill::Mode::always : spill::Mode::overflow;
    const spill::Settings settings = {.folder = {}, .owner = {}, .segment_bytes = 16384};
    auto queue = std::make_unique<Queue>(folder.path(), limits(50), settings, mode);
    std::deque<std::uint64_t> expected;  // what is still to be delivered
    std::uint64_t published = 0;
    std::vector<std::uint64_t> held;
    for (int i = 0; i < 1500; ++i) {
      switch (below(8)) {
        case 0:
        case 1: {
          const std::uint32_t count = 1 + below(40);
          queue->push(count);
          for (std::uint32_t n = 0; n < count; ++n) expected.push_back(published++);
          break;
        }
        case 2:
        case 3: queue->step(); break;
        case 4:
        case 5:
        case 6: {
          // What is on its way to disk is waited for, and this test has one thread only.
          if (mode == spill::Mode::always) queue->step();
          held = queue->take(1 + below(60));
          ASSERT_LE(held.size(), expected.size());
          ASSERT_TRUE(std::equal(held.begin(), held.end(), expected.begin())) << "operation " << i;
          if (held.empty()) break;
          const std::uint32_t part = below(4);
          const auto is_done = [&](std::uint64_t number) { return part == 0 || number % (part + 1) != 0; };
          queue->settle(is_done);
          std::erase_if(expected, [&](std::uint64_t number) {
            return std::find(held.begin(), held.end(), number) != held.end() && is_done(number);
          });
          break;
        }
        case 7: {
          if (below(10) != 0) break;
          queue->finish();
          ASSERT_EQ(queue->counters().spilled, expected.size()) << "operation " << i;
          queue->expect_sum();
          queue = std::make_unique<Queue>(folder.path(), limits(50), settings, mode);
          ASSERT_EQ(queue->counters().recovered, expected.size());
          queue->begin_at(published);
          break;
        }
        default: break;
      }
      queue->expect_sum();
      ASSERT_EQ(queue->counters().overflowed, 0U);
      if (testing::Test::HasFailure()) FAIL() << "operation " << i;
    }
  }
}

}  // namespace
}  // namespace nfbus::host
