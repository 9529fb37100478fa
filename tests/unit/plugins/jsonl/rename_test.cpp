// A disk that is full when the new file is to get its name, which no real one can be made to be at that moment.
#include "jsonl_fixture.hpp"

#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <utility>

namespace {

bool next_rename_fails = false;

}  // namespace

// Stands before the C library's.
extern "C" int renameat2(int from_folder, const char* from, int to_folder, const char* to, unsigned flags) noexcept {
  if (std::exchange(next_rename_fails, false)) {
    errno = ENOSPC;
    return -1;
  }
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
}

namespace {

using namespace nfbus::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

TEST_F(JsonlTest, ANameThatCannotBeGivenLeavesTheFileWhereItWas) {
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 2));
  ASSERT_TRUE(sink.open());
  sink.write({R"({"n":1})"});
  next_rename_fails = true;
  EXPECT_EQ(sink.write({R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_FALSE(std::filesystem::exists(numbered(1)));
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("cannot rotate"))));
}

TEST_F(JsonlTest, ANameThatCannotBeGivenCostsNoFileOfLogrotate) {
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 2));
  ASSERT_TRUE(sink.open());
  sink.write({R"({"n":1})"});
  write_file(numbered(1), "of logrotate\n");
  std::filesystem::rename(file(), numbered(2));
  next_rename_fails = true;
  sink.write({R"({"n":2})"});
  EXPECT_EQ(read_file(numbered(1)), "of logrotate\n");
  EXPECT_EQ(read_file(numbered(2)), "{\"n\":1}\n{\"n\":2}\n") << "the file that is open";
  EXPECT_FALSE(std::filesystem::exists(file()));
}

}  // namespace
