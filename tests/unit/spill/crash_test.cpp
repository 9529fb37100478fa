// A process that is killed at each step of the protocol: what append() and settle() have returned holds.
#include "delivery/spill/store.hpp"
#include "spill_folder.hpp"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

#ifdef NFBUS_CRASH_POINTS

// What the child has been told, where the parent sees it after its end.
struct Told {
  std::uint64_t end = kFirstNumber;       // of what append() returned
  std::uint64_t settled = kFirstNumber;   // of what settle() returned
  std::uint64_t settling = kFirstNumber;  // of what it was called with
};

class Shared {
 public:
  Shared()
      : told_(static_cast<Told*>(
            ::mmap(nullptr, sizeof(Told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0))) {
    *told_ = Told();
  }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;
  ~Shared() { ::munmap(told_, sizeof(Told)); }
  Told* operator->() { return told_; }

 private:
  Told* told_;
};

// Of one point: at its 1st, 2nd, 4th, 7th time and so on.
constexpr int kMostKills = 7;

std::string body_of(std::uint64_t number) { return std::to_string(number) + std::string(700, 'x'); }

// Appends, reads, settles, closes and opens again, so that every step is taken several times.
int work(const Settings& settings, Shared& told) {
  RealFiles files;
  for (int life = 0; life < 3; ++life) {
    auto store = Store::open(settings, files);
    if (!store) return 1;
    std::vector<Record> records;
    for (int round = 0; round < 5; ++round) {
      std::vector<std::string> bodies;
      for (std::uint64_t i = 0; i < 3; ++i) bodies.push_back(body_of((*store)->end() + i));
      const auto done = append(**store, bodies);
      if (!done) return 2;
      told->end = done->first + 3;
      if ((*store)->read(records, 2, 1U << 20U) != 0 || !(*store)->tick()) return 3;
      if (records.empty()) continue;
      told->settling = records.back().number + 1;
      if (!(*store)->settle(told->settling, {})) return 4;
      told->settled = told->settling;
    }
    if (life == 1) {
      const Read rest = read_all_of(**store);
      told->settling = (*store)->end();
      if (!(*store)->settle((*store)->end(), {})) return 5;
      told->settled = told->settling;
    }
    if (!(*store)->close()) return 6;
  }
  return 0;
}

// True: it was killed at the point; false: it got to its end.
bool killed_at(const std::string& point, const Settings& settings, Shared& told) {
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit seconds{.rlim_cur = 20, .rlim_max = 20};
    const rlimit bytes{.rlim_cur = 1U << 24U, .rlim_max = 1U << 24U};
    ::setrlimit(RLIMIT_CPU, &seconds);
    ::setrlimit(RLIMIT_FSIZE, &bytes);
    ::setenv("NFBUS_CRASH_AT", point.c_str(), 1);
    ::_exit(work(settings, told));
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return true;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << point;
  return false;
}

void expect_all_there(const Settings& settings, Shared& told, std::uint64_t kills) {
  RealFiles files;
  const auto store = opened(settings, files);
  ASSERT_TRUE(store);
  EXPECT_TRUE(store->notes().empty()) << store->notes().front();
  const Read read = read_all_of(*store);
  EXPECT_EQ(read.lost, 0U);
  EXPECT_EQ(store->snapshot().corrupted, 0U);
  // From the first that was not settled, or in the very call that was cut off, on, without a hole.
  std::uint64_t next = read.numbers.empty() ? store->end() : read.numbers.front();
  EXPECT_GE(next, told->settled) << "settled, and here again";
  EXPECT_LE(next, told->settling) << "lost at the beginning";
  for (std::size_t i = 0; i < read.numbers.size(); ++i) {
    EXPECT_EQ(read.numbers[i], next++);
    EXPECT_EQ(read.bodies[i], body_of(read.numbers[i]));
  }
  EXPECT_GE(next, told->end) << "lost at the end";
  EXPECT_LE(next, told->end + 3 * kills) << "more than was ever appended";
}

class SpillCrash : public testing::TestWithParam<const char*> {};

TEST_P(SpillCrash, LosesNothingAndRepeatsNothing) {
  int killed = 0;
  for (bool again = true; again && killed < kMostKills; killed += again ? 1 : 0) {
    SpillFolder folder;
    Settings settings = folder.settings();
    settings.segment_bytes = 4096;
    settings.sync = killed % 2 == 0 ? Sync::interval : Sync::always;
    Shared told;
    const std::string point = std::string(GetParam()) + ":" + std::to_string(1 + killed * (killed + 1) / 2);
    SCOPED_TRACE(point);
    again = killed_at(point, settings, told);
    expect_all_there(settings, told, 1);
    // And killed again, while it puts right what the first time left.
    killed_at(std::string(GetParam()) + ":1", settings, told);
    expect_all_there(settings, told, 2);
    ASSERT_FALSE(testing::Test::HasFailure());
  }
  EXPECT_GT(killed, 0) << "nothing passes this point";
}

INSTANTIATE_TEST_SUITE_P(EachStep, SpillCrash,
                         testing::Values("id_reserved", "segment_made", "head_written", "folder_synced",
                                         "records_written", "records_synced", "footer_written", "segment_sealed",
                                         "state_write", "state_written", "state_synced", "deletion_published",
                                         "unlinked", "closed"),
                         [](const auto& point) { return std::string(point.param); });

#endif

}  // namespace
}  // namespace nfbus::host::spill
