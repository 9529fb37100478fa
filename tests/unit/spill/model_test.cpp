// Ten thousand random operations, compared with a queue that cannot fail; and power cuts.
#include "delivery/spill/store.hpp"
#include "memory_files.hpp"
#include "spill_folder.hpp"

#include <algorithm>
#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

constexpr int kOperations = 10'000;

std::string body_of(std::mt19937_64& random) {
  std::string body(random() % 10 == 0 ? random() % 5000 : random() % 200, '\0');
  for (char& c : body) c = static_cast<char>(random());
  return body;
}

// What a store must do, from a map of numbers to bodies.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed) {
    settings_ = {.folder = "/spill",
                 .owner = "db",
                 .max_bytes = 64 << 10U,
                 .segment_bytes = 4096,
                 .min_free_bytes = 0,
                 .sync = Sync::never};
    reopen();
  }

  void step() {
    switch (random_() % 20) {
      case 0: restart(); break;
      case 1: crash(); break;
      case 2: rewind(); break;
      case 3: {
        const auto gone = store_->tick();
        ASSERT_TRUE(gone);
        ASSERT_EQ(*gone, 0U);
        break;
      }
      case 4: change_limits(); break;
      case 5:
      case 6:
      case 7:
      case 8:
      case 9: append_some(); break;
      case 10:
      case 11:
      case 12: settle_some(); break;
      default: read_some(); break;
    }
    const Snapshot snapshot = store_->snapshot();
    ASSERT_EQ(snapshot.corrupted, 0U);
    ASSERT_EQ(snapshot.records, unread());
    ASSERT_EQ(store_->end(), end_);
  }

  void drain() {
    for (std::uint64_t left = unread(); left > 0; left = unread()) {
      read_some();
      if (testing::Test::HasFatalFailure()) return;
      ASSERT_LT(unread(), left);
    }
  }

 private:
  [[nodiscard]] std::uint64_t unread() const {
    return static_cast<std::uint64_t>(std::distance(there_.lower_bound(next_), there_.end())) -
           static_cast<std::uint64_t>(
               std::ranges::count_if(done_, [&](auto number) { return number >= next_ && there_.contains(number); }));
  }

  void reopen() {
    store_ = opened(settings_, *files_);
    static_cast<void>(give_back());
  }

  // What was read and is not settled will be read again, but for what was evicted meanwhile. Returns how many those
  // are.
  std::uint64_t give_back() {
    next_ = frontier_;
    // Evicted together with unread ones behind them.
    auto gone = static_cast<std::uint64_t>(
        std::ranges::count_if(read_, [&](std::uint64_t number) { return !there_.contains(number); }));
    for (const std::uint64_t left = store_->snapshot().records; unread() > left; ++gone) {
      const auto oldest =
          std::ranges::find_if(there_, [&](const auto& record) { return !done_.contains(record.first); });
      EXPECT_TRUE(read_.contains(oldest->first));
      there_.erase(there_.begin(), std::next(oldest));
    }
    read_.clear();
    return gone;
  }

  void restart() {
    ASSERT_TRUE(store_->close());
    reopen();
  }

  // Without a close: what a killed process leaves behind.
  void crash() {
    auto left = files_->copy();
    store_.reset();
    files_ = std::move(left);
    reopen();
  }

  void rewind() {
    store_->rewind();
    const std::uint64_t gone = give_back();
    const auto told = store_->tick();
    ASSERT_TRUE(told);
    ASSERT_EQ(*told, gone);
  }

  void change_limits() {
    settings_.max_bytes = (32 + random_() % 64) << 10U;
    settings_.segment_bytes = 1024 + random_() % 16384;
    restart();
  }

  void append_some() {
    std::vector<std::string> bodies;
    for (std::uint64_t n = 1 + random_() % 5; n > 0; --n) bodies.push_back(body_of(random_));
    const std::uint64_t before = unread();
    const auto done = append(*store_, bodies);
    ASSERT_TRUE(done) << to_string(done.error());
    ASSERT_EQ(done->first, end_);
    for (std::string& body : bodies) there_[end_++] = std::move(body);
    // The oldest went, as many as it says.
    const std::uint64_t left = store_->snapshot().records;
    ASSERT_EQ(left + done->evicted, before + bodies.size());
    while (unread() > left) {
      const auto oldest = std::ranges::find_if(
          there_, [&](const auto& record) { return record.first >= next_ && !done_.contains(record.first); });
      there_.erase(there_.begin(), std::next(oldest));
    }
    ASSERT_LE(store_->snapshot().bytes, settings_.max_bytes);
  }

  void read_some() {
    std::vector<Record> records;
    const std::uint64_t lost = store_->read(records, 1 + random_() % 20, 1 + random_() % 4000);
    ASSERT_EQ(lost, 0U);
    ASSERT_EQ(records.empty(), unread() == 0);
    for (const Record& record : records) {
      auto expected = there_.lower_bound(next_);
      while (expected != there_.end() && done_.contains(expected->first)) ++expected;
      ASSERT_NE(expected, there_.end());
      ASSERT_EQ(record.number, expected->first);
      ASSERT_EQ(std::string(reinterpret_cast<const char*>(record.body.data()), record.body.size()), expected->second);
      next_ = record.number + 1;
      read_.insert(record.number);
    }
  }

  // Some of what was read, in any order.
  void settle_some() {
    std::vector<Range> ranges;
    for (const std::uint64_t number : std::set<std::uint64_t>(read_)) {
      if (random_() % 3 == 0) continue;
      done_.insert(number);
      read_.erase(number);
      ranges.push_back({.first = number, .count = 1});
    }
    // All before the first that is not done with.
    std::uint64_t frontier = read_.empty() ? next_ : *read_.begin();
    if (random_() % 4 == 0) frontier = frontier_;
    ASSERT_TRUE(store_->settle(frontier, ranges));
    frontier_ = std::max(frontier_, frontier);
    while (done_.contains(frontier_)) ++frontier_;
    std::erase_if(done_, [&](auto number) { return number < frontier_; });
    std::erase_if(there_, [&](const auto& record) { return record.first < frontier_; });
  }

  std::mt19937_64 random_;
  Settings settings_;
  std::unique_ptr<MemoryFiles> files_ = std::make_unique<MemoryFiles>();
  std::unique_ptr<Store> store_;
  std::map<std::uint64_t, std::string> there_;  // not settled before the frontier, not evicted
  std::set<std::uint64_t> done_;                // behind the frontier
  std::set<std::uint64_t> read_;                // and not settled
  std::uint64_t frontier_ = kFirstNumber;
  std::uint64_t next_ = kFirstNumber;
  std::uint64_t end_ = kFirstNumber;
};

TEST(SpillModel, TenThousandRandomOperationsDoWhatAQueueDoes) {
  for (const std::uint64_t seed : {std::uint64_t{1}, std::uint64_t{std::random_device()()}}) {
    SCOPED_TRACE(seed);
    Model model(seed);
    for (int i = 0; i < kOperations; ++i) {
      model.step();
      ASSERT_FALSE(testing::Test::HasFatalFailure()) << "operation " << i;
    }
    model.drain();
  }
}

// What was forced to the disk is there after a power cut, and nothing else is taken for it.
TEST(SpillModel, APowerCutTakesOnlyWhatWasNotForcedToTheDisk) {
  const std::uint64_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937_64 random(seed);
  for (int run = 0; run < 500; ++run) {
    auto files = std::make_unique<MemoryFiles>();
    Settings settings{.folder = "/spill", .owner = "db", .segment_bytes = 8192, .min_free_bytes = 0};
    settings.sync = run % 2 == 0 ? Sync::always : Sync::interval;
    std::set<std::string> settled;
    std::set<std::string> owed;  // on the disk, and not settled
    int serial = 0;
    for (int life = 0; life < 4; ++life) {
      auto store = opened(settings, *files);
      ASSERT_TRUE(store) << "run " << run;
      std::vector<Record> records;
      std::set<std::string> unsure;
      for (std::uint64_t n = random() % 30; n > 0; --n) {
        if (random() % 3 == 0) {
          static_cast<void>(store->read(records, 1 + random() % 10, 1 << 20U));
          for (const Record& record : records) {
            std::string body(reinterpret_cast<const char*>(record.body.data()), record.body.size());
            ASSERT_TRUE(owed.contains(body) || unsure.contains(body) || settled.contains(body));
          }
          if (records.empty() || random() % 2 == 0) continue;
          ASSERT_TRUE(store->settle(records.back().number + 1, {}));
          // What was read before is settled with them.
          const std::uint64_t frontier = records.back().number + 1;
          store->rewind();
          std::set<std::string> left;
          const Read rest = read_all_of(*store);
          for (std::size_t i = 0; i < rest.bodies.size(); ++i) {
            ASSERT_GE(rest.numbers[i], frontier);
            left.insert(rest.bodies[i]);
          }
          for (const auto* bodies : {&owed, &unsure}) {
            for (const std::string& body : *bodies) {
              if (!left.contains(body)) settled.insert(body);
            }
          }
          std::erase_if(owed, [&](const auto& body) { return !left.contains(body); });
          std::erase_if(unsure, [&](const auto& body) { return !left.contains(body); });
          store->rewind();
        } else {
          std::vector<std::string> bodies;
          for (std::uint64_t k = 1 + random() % 4; k > 0; --k) {
            bodies.push_back(std::to_string(serial++) + std::string(random() % 3000, 'x'));
          }
          appended(*store, bodies);
          (settings.sync == Sync::always ? owed : unsure).insert(bodies.begin(), bodies.end());
        }
      }
      const bool closes = random() % 4 == 0;
      if (closes) {
        ASSERT_TRUE(store->close());
        owed.insert(unsure.begin(), unsure.end());
        unsure.clear();
      }
      auto left = files->copy();
      store.reset();
      files = std::move(left);
      files->lose_power(random);
      const auto again = opened(settings, *files);
      ASSERT_TRUE(again) << "run " << run;
      const Read read = read_all_of(*again);
      const std::set<std::string> there(read.bodies.begin(), read.bodies.end());
      ASSERT_EQ(there.size(), read.bodies.size()) << "each once";
      for (const std::string& body : owed)
        ASSERT_TRUE(there.contains(body)) << "run " << run << ": " << body.substr(0, 5);
      for (const std::string& body : there) {
        ASSERT_TRUE(owed.contains(body) || unsure.contains(body) || settled.contains(body)) << "run " << run;
      }
      // Nobody's number is used twice: what is appended now is delivered.
      const std::string mark = "mark" + std::to_string(serial++);
      appended(*again, {mark});
      const Read marked = read_all_of(*again);
      ASSERT_EQ(marked.bodies, std::vector<std::string>{mark}) << "run " << run;
      owed = there;
      owed.insert(mark);
      ASSERT_TRUE(again->close());
      for (const std::string& body : owed) settled.erase(body);
    }
  }
}

}  // namespace
}  // namespace nfbus::host::spill
