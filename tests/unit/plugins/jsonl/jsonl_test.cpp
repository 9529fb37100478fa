// Files, their rotation and their end; FIFOs have fifo_test.cpp.
#include "jsonl_fixture.hpp"

#include "formats/names.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace nfbus::test;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST_F(JsonlTest, WritesALineForEachEvent) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(sink.write({R"({"n":3})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
  struct stat found {};
  ASSERT_EQ(stat(file().c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0137U, 0U) << "nobody else may read what packets say";
}

TEST_F(JsonlTest, AsksForThePacketFormatWithAndWithoutPayload) {
  const auto asked = [this](const char* format, const char* payload) {
    Values values = options();
    values["/format"] = format;
    values["/payload"] = payload;
    const SinkDriver sink(nfbus::test::plugin(), values);
    return sink.created() ? sink.host.formats.at(0) : sink.error();
  };
  EXPECT_EQ(asked("ulogd", "none"), "ulogd");
  EXPECT_EQ(asked("packet", "none"), "packet");
  EXPECT_EQ(asked("packet", "full"), "packet_full");
  EXPECT_THAT(asked("ulogd", "full"), HasSubstr("needs format = \"packet\""));
}

TEST_F(JsonlTest, OffersTheFormatsOfTheHostsTableAndAsksForNoOthers) {
  const nfbus_text schema = nfbus::test::plugin().schema;
  const auto options_schema = nlohmann::json::parse(std::string_view(schema.data, schema.size));
  const auto& offered = options_schema["properties"]["format"]["enum"];
  std::vector<std::string> choices;
  const FakeHost fake;
  for (const nfbus::host::FormatName& format : nfbus::host::kFormatNames) {
    EXPECT_NE(fake.raw()->format(fake.raw()->context, {format.name.data(), format.name.size()}), 0U) << format.name;
    if (format.is_choice) choices.emplace_back(format.name);
  }
  EXPECT_THAT(offered.get<std::vector<std::string>>(), testing::UnorderedElementsAreArray(choices));
  for (const std::string& choice : choices) {
    for (const char* payload : {"none", "full"}) {
      Values values = this->options();
      values["/format"] = choice;
      values["/payload"] = payload;
      const SinkDriver sink(nfbus::test::plugin(), values);
      const bool shows_payload = payload == std::string_view("full");
      if (!sink.created()) continue;  // it has said why
      const nfbus::host::FormatId asked = nfbus::host::find_format(sink.host.formats.at(0))->id;
      EXPECT_EQ(asked, nfbus::host::chosen_format(choice, shows_payload)) << choice << ' ' << payload;
    }
  }
}

TEST_F(JsonlTest, RejectsAnEventThatTheFormatCannotShow) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  const Written written = sink.write({"", R"({"n":1})", ""});
  EXPECT_EQ(written.status, NFBUS_OK);
  EXPECT_THAT(written.rejected, ElementsAre(Pair(0U, HasSubstr("cannot show")), Pair(2U, HasSubstr("cannot show"))));
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n");
}

TEST_F(JsonlTest, AppendsToAFileAndEndsALineThatACrashLeftBroken) {
  write_file(file(), "{\"n\":1}\n{\"n\":");
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":\n{\"n\":2}\n");
}

TEST_F(JsonlTest, WaitsForItsFolderAndSaysSoOnce) {
  SinkDriver sink(nfbus::test::plugin(), {{"/file", (folder_ / "sub/out.json").string()},
                                          {"/format", "ulogd"},
                                          {"/payload", "none"},
                                          {"/rotate_bytes", std::int64_t{0}},
                                          {"/rotate_age_s", std::int64_t{0}},
                                          {"/rotate_keep", std::int64_t{1}}});
  ASSERT_TRUE(sink.open());
  for (int i = 0; i < 3; ++i) {
    const Written written = sink.write({R"({"n":1})"});
    EXPECT_EQ(written.status, NFBUS_RETRY);
    EXPECT_EQ(written.done, 0U);
    EXPECT_THAT(written.error, HasSubstr("create " + (folder_ / "sub").string()));
    EXPECT_EQ(sink.tick(), NFBUS_OK);
  }
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("there is no such folder"))));
  fs::create_directory(folder_ / "sub");
  EXPECT_EQ(sink.write({R"({"n":1})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(folder_ / "sub/out.json"), "{\"n\":1}\n");
  EXPECT_THAT(sink.host.logged.back(), Pair(NFBUS_LOG_INFO, HasSubstr("again")));
}

TEST_F(JsonlTest, SaysThatItsFileIsAFolder) {
  fs::create_directory(file());
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({"{}"}).status, NFBUS_RETRY);
  EXPECT_THAT(sink.error(), HasSubstr("it is a folder"));
}

// ---- A file that others touch ----

TEST_F(JsonlTest, MakesANewFileAtOnceWhenItsFileIsRemoved) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  sink.write({R"({"n":1})"});
  fs::remove(file());
  EXPECT_EQ(sink.write({R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":2}\n");
}

TEST_F(JsonlTest, FollowsALogrotateWhenToldToAndByItself) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_GT(sink.shape().tick_ms, 0U);
  sink.write({R"({"n":1})"});
  fs::rename(file(), numbered(2));
  EXPECT_EQ(sink.write({R"({"n":2})"}).status, NFBUS_OK) << "until it is told, the old file is the file";
  EXPECT_EQ(sink.reopen(), NFBUS_OK);
  sink.write({R"({"n":3})"});
  fs::rename(file(), numbered(1));
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  sink.write({R"({"n":4})"});
  EXPECT_EQ(read_file(numbered(2)), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":3}\n");
  EXPECT_EQ(read_file(file()), "{\"n\":4}\n");
}

// ---- Rotation ----

TEST_F(JsonlTest, RotatesBySizeBetweenLinesAndKeepsSoManyOldFiles) {
  SinkDriver sink(nfbus::test::plugin(), options(16, 0, 2));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})", R"({"n":3})", R"({"n":4})", R"({"n":5})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(numbered(2)), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":3}\n{\"n\":4}\n");
  EXPECT_EQ(read_file(file()), "{\"n\":5}\n");
  EXPECT_EQ(sink.write({R"({"n":6})", R"({"n":7})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(numbered(2)), "{\"n\":3}\n{\"n\":4}\n");
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":5}\n{\"n\":6}\n");
  EXPECT_FALSE(fs::exists(numbered(3)));
}

TEST_F(JsonlTest, ALineLongerThanTheLimitGetsAFileOfItsOwn) {
  const std::string longer = R"({"n":"a long line indeed"})";
  SinkDriver sink(nfbus::test::plugin(), options(16, 0, 5));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({"{}", longer, "[]"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(numbered(2)), "{}\n");
  EXPECT_EQ(read_file(numbered(1)), longer + "\n");
  EXPECT_EQ(read_file(file()), "[]\n");
}

TEST_F(JsonlTest, RotatesByAgeAlsoWhenNothingArrivesButNoEmptyFile) {
  SinkDriver sink(nfbus::test::plugin(), options(0, 1, 2));
  ASSERT_TRUE(sink.open());
  sink.write({R"({"n":1})"});
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!fs::exists(numbered(1)) && std::chrono::steady_clock::now() < deadline) {
    ASSERT_EQ(sink.tick(), NFBUS_OK);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":1}\n");
  EXPECT_EQ(read_file(file()), "");
}

TEST_F(JsonlTest, ARotationThatFailsLosesNothingAndIsSaidOnce) {
  fs::create_directories(numbered(1) / "in the way");
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 1));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(sink.write({R"({"n":3})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n");
  EXPECT_EQ(std::count_if(sink.host.logged.begin(), sink.host.logged.end(),
                          [](const auto& line) { return line.second.starts_with("cannot rotate"); }),
            1);
}

TEST_F(JsonlTest, WhatCannotBeMadeAnewGoesOnInTheFileThatIsThere) {
  fs::create_directories(file().string() + ".new");  // as a disk without inodes: the next file cannot be made
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 2));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_FALSE(fs::exists(numbered(1)));
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("cannot rotate"))));
}

TEST_F(JsonlTest, AFullFileThatLogrotateMovedAwayIsReplacedWithoutAWord) {
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 2));
  ASSERT_TRUE(sink.open());
  sink.write({R"({"n":1})"});
  write_file(numbered(1), "of logrotate\n");
  fs::rename(file(), numbered(2));
  EXPECT_EQ(sink.write({R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":2}\n");
  EXPECT_EQ(read_file(numbered(1)), "of logrotate\n");
  EXPECT_EQ(read_file(numbered(2)), "{\"n\":1}\n");
  EXPECT_THAT(sink.host.logged, IsEmpty());
}

TEST_F(JsonlTest, AnEmptyFileThatACrashLeftIsNotInTheWayOfARotation) {
  write_file(file().string() + ".new", "");
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 2));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":1}\n");
  EXPECT_EQ(read_file(file()), "{\"n\":2}\n");
  EXPECT_FALSE(fs::exists(file().string() + ".new"));
}

// ---- One writer of a file ----

TEST_F(JsonlTest, ASecondSinkOfAFileWaitsThroughRotationsAndLosesNothing) {
  SinkDriver second(nfbus::test::plugin(), options(8, 0, 9));
  {
    SinkDriver first(nfbus::test::plugin(), options(8, 0, 9));
    ASSERT_TRUE(first.open());
    ASSERT_TRUE(second.open());
    for (int i = 1; i <= 3; ++i) {
      EXPECT_EQ(first.write({"{\"n\":" + std::to_string(i) + "}"}).status, NFBUS_OK);
      const Written waits = second.write({R"({"n":9})"});
      EXPECT_EQ(waits.status, NFBUS_RETRY);
      EXPECT_THAT(waits.error, HasSubstr("another sink of this host writes to it"));
    }
    fs::rename(file(), file().string() + ".moved");
    EXPECT_EQ(second.tick(), NFBUS_OK);
    EXPECT_FALSE(fs::exists(file())) << "a logrotate is no chance for the second one";
    EXPECT_EQ(first.reopen(), NFBUS_OK);
    EXPECT_EQ(second.write({R"({"n":9})"}).status, NFBUS_RETRY);
    EXPECT_EQ(first.write({R"({"n":4})"}).status, NFBUS_OK);
  }
  EXPECT_EQ(second.write({R"({"n":9})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file().string() + ".moved"), "{\"n\":3}\n");
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":4}\n");
  EXPECT_EQ(read_file(numbered(2)) + read_file(numbered(3)), "{\"n\":2}\n{\"n\":1}\n");
  EXPECT_EQ(read_file(file()), "{\"n\":9}\n");
}

TEST_F(JsonlTest, AFileIsKnownByAnyOfItsNames) {
  SinkDriver first(nfbus::test::plugin(), options());
  ASSERT_TRUE(first.open());
  fs::create_hard_link(file(), folder_ / "hard");
  fs::create_symlink(folder_, folder_ / "here");
  fs::create_symlink("out.json", folder_ / "soft");
  for (const fs::path& path : {folder_ / "hard", folder_ / "here" / "out.json", folder_ / "soft",
                               folder_ / "here" / "." / ".." / folder_.filename() / "out.json"}) {
    Values values = options();
    values["/file"] = path.string();
    SinkDriver second(nfbus::test::plugin(), values);
    ASSERT_TRUE(second.open());
    EXPECT_EQ(second.write({"{}"}).status, NFBUS_RETRY) << path;
  }
  EXPECT_EQ(first.write({R"({"n":1})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n");
}

TEST_F(JsonlTest, ARotationHarmsNoOtherSinksFile) {
  Values values = options();
  values["/file"] = numbered(1).string();
  SinkDriver other(nfbus::test::plugin(), values);
  ASSERT_TRUE(other.open());
  SinkDriver sink(nfbus::test::plugin(), options(8, 0, 1));
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(other.write({R"({"n":3})"}).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(read_file(numbered(1)), "{\"n\":3}\n");
  EXPECT_THAT(sink.host.logged, ElementsAre(Pair(NFBUS_LOG_WARNING, HasSubstr("each sink needs names of its own"))));
}

TEST_F(JsonlTest, AsksAgainWithinASecondAfterWhatIsMissing) {
  Values values = options();
  values["/file"] = (folder_ / "sub/out.json").string();
  SinkDriver sink(nfbus::test::plugin(), values);
  ASSERT_TRUE(sink.open());
  const Written written = sink.write({"{}"});
  EXPECT_GT(written.retry_after_ms, 0U);
  EXPECT_LE(written.retry_after_ms, 1000U);
}

// ---- A full disk ----

TEST_F(JsonlTest, AFullDiskLeavesWholeLinesAndTheRestComesAgain) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  const Batch batch({R"({"n":1})", R"({"n":2})", R"({"n":3})", R"({"n":4})"});
  limit_file_size(20);  // two lines and a half
  const Written first = sink.write(batch);
  EXPECT_EQ(first.status, NFBUS_RETRY);
  EXPECT_EQ(first.done, 2U);
  EXPECT_THAT(first.error, HasSubstr(file().string()));
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n");
  EXPECT_EQ(sink.write(batch, 2).done, 0U);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n");
  limit_file_size(RLIM_INFINITY);
  EXPECT_EQ(sink.write(batch, 2).status, NFBUS_OK);
  EXPECT_EQ(read_file(file()), "{\"n\":1}\n{\"n\":2}\n{\"n\":3}\n{\"n\":4}\n");
  ASSERT_EQ(sink.host.logged.size(), 2U);
  EXPECT_THAT(sink.host.logged[1].second, HasSubstr("again"));
}

TEST_F(JsonlTest, RejectsOnceAlsoWhenTheBatchComesAgain) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  const Batch batch({"", R"({"n":2})", R"({"n":3})", ""});
  limit_file_size(12);
  const Written first = sink.write(batch);
  EXPECT_EQ(first.done, 2U);
  EXPECT_THAT(first.rejected, ElementsAre(Pair(0U, testing::_)));
  limit_file_size(RLIM_INFINITY);
  EXPECT_THAT(sink.write(batch, 2).rejected, ElementsAre(Pair(1U, testing::_)));
}

// ---- Standard output ----

// Puts another descriptor in the place of standard output.
class StandardOutput {
 public:
  explicit StandardOutput(int fd) : before_(dup(STDOUT_FILENO)) {
    (void)fflush(stdout);
    dup2(fd, STDOUT_FILENO);
  }
  StandardOutput(const StandardOutput&) = delete;
  StandardOutput& operator=(const StandardOutput&) = delete;
  ~StandardOutput() {
    dup2(before_, STDOUT_FILENO);
    close(before_);
  }

 private:
  int before_;
};

TEST_F(JsonlTest, StandardOutputWithoutItsReaderIsTheEndOfTheSink) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  Values values = options();
  values["/file"] = "-";
  SinkDriver sink(nfbus::test::plugin(), values);
  ASSERT_TRUE(sink.open());
  Written first{};
  Written second{};
  std::string all;
  {
    const StandardOutput to_pipe(ends[1]);
    first = sink.write({R"({"n":1})"});
    char buffer[64];
    all.assign(buffer, static_cast<std::size_t>(std::max<ssize_t>(read(ends[0], buffer, sizeof buffer), 0)));
    close(ends[0]);
    second = sink.write({R"({"n":2})"});
  }
  close(ends[1]);
  EXPECT_EQ(first.status, NFBUS_OK);
  EXPECT_EQ(all, "{\"n\":1}\n");
  EXPECT_EQ(second.status, NFBUS_FATAL);
  EXPECT_THAT(second.error, HasSubstr("standard output: its reader has left"));
}

TEST_F(JsonlTest, ADeviceThatIsFullIsTriedAgain) {
  Values values = options();
  values["/file"] = "/dev/full";
  SinkDriver sink(nfbus::test::plugin(), values);
  ASSERT_TRUE(sink.open());
  const Written written = sink.write({"{}"});
  EXPECT_EQ(written.status, NFBUS_RETRY);
  EXPECT_THAT(written.error, HasSubstr("No space left on device; free some space"));
}

}  // namespace
