// FIFOs and their readers.
#include "jsonl_fixture.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

namespace fs = std::filesystem;
using namespace nfbus::test;
using testing::HasSubstr;
using testing::IsEmpty;

// All that can be read without waiting.
std::string drain(int fd) {
  std::string out;
  char buffer[65536];
  for (ssize_t got = 0; (got = read(fd, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(got));
  return out;
}

class FifoTest : public JsonlTest {
 protected:
  FifoTest() { EXPECT_EQ(mkfifo(file().c_str(), 0600), 0); }
};

TEST_F(FifoTest, WaitsForAReaderWithoutBlocking) {
  SinkDriver sink(nfbus::test::plugin(), options());
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})"}).status, NFBUS_RETRY);
  EXPECT_THAT(sink.error(), HasSubstr("nobody reads this FIFO"));
  const int reader = open_reader();
  EXPECT_EQ(sink.write({R"({"n":1})"}).status, NFBUS_OK);
  EXPECT_EQ(drain(reader), "{\"n\":1}\n");
  close(reader);
}

TEST_F(FifoTest, AReaderThatLeavesIsNoSigpipeAndTheNextBeginsWithAWholeLine) {
  SinkDriver sink(nfbus::test::plugin(), options());
  int reader = open_reader();
  ASSERT_TRUE(sink.open());
  EXPECT_EQ(sink.write({R"({"n":1})", R"({"n":2})"}).status, NFBUS_OK);
  char half[4];
  ASSERT_EQ(read(reader, half, sizeof half), 4);
  close(reader);
  const Written written = sink.write({R"({"n":3})"});
  EXPECT_EQ(written.status, NFBUS_RETRY);
  EXPECT_EQ(written.done, 0U);
  reader = open_reader();
  EXPECT_EQ(sink.write({R"({"n":3})"}).status, NFBUS_OK);
  EXPECT_EQ(drain(reader), "{\"n\":3}\n");
  close(reader);
}

TEST_F(FifoTest, ThrowsAwayWhatADepartedReaderLeftAlsoWhenNothingArrives) {
  SinkDriver sink(nfbus::test::plugin(), options());
  int reader = open_reader();
  ASSERT_TRUE(sink.open());
  sink.write({R"({"n":1})"});
  close(reader);
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  reader = open_reader();
  EXPECT_EQ(sink.write({R"({"n":2})"}).status, NFBUS_OK);
  EXPECT_EQ(drain(reader), "{\"n\":2}\n");
  close(reader);
}

// Writes the batch to a reader who reads only when the sink is stuck, and gives all that was read.
std::string write_to_slow_reader(SinkDriver& sink, const Batch& batch, int reader) {
  std::string read_so_far;
  for (std::size_t done = 0;;) {
    const Written written = sink.write(batch, done);
    if (written.status == NFBUS_OK) break;
    EXPECT_EQ(written.status, NFBUS_RETRY);
    EXPECT_THAT(written.error, HasSubstr("too slow"));
    done += written.done;
    const std::string more = drain(reader);
    EXPECT_FALSE(more.empty());
    if (more.empty()) break;
    read_so_far += more;
  }
  return read_so_far + drain(reader);
}

TEST_F(FifoTest, ASlowReaderGetsEveryLineWholeAndOnce) {
  SinkDriver sink(nfbus::test::plugin(), options());
  const int reader = open_reader();
  ASSERT_TRUE(sink.open());
  std::vector<std::string> lines;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    lines.push_back("{\"n\":" + std::to_string(i) + ",\"x\":\"" + std::string(static_cast<std::size_t>(i), 'x') +
                    "\"}");
    expected += lines.back() + '\n';
  }
  EXPECT_EQ(write_to_slow_reader(sink, Batch(lines), reader), expected);
  EXPECT_THAT(sink.host.logged, IsEmpty()) << "a slow reader is no news";
  close(reader);
}

TEST_F(FifoTest, ASlowReaderGetsLinesLongerThanPipeBufWhole) {
  SinkDriver sink(nfbus::test::plugin(), options());
  const int reader = open_reader();
  ASSERT_TRUE(sink.open());
  std::vector<std::string> lines;
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    lines.push_back("{\"n\":" + std::to_string(i) + ",\"x\":\"" + std::string(9000, 'x') + "\"}");
    expected += lines.back() + '\n';
  }
  EXPECT_EQ(write_to_slow_reader(sink, Batch(lines), reader), expected);
  close(reader);
}

TEST_F(FifoTest, ALineThatWasCutIsEndedAlsoWhenItsEventDoesNotComeAgain) {
  SinkDriver sink(nfbus::test::plugin(), options());
  const int reader = open_reader();
  ASSERT_TRUE(sink.open());
  const std::string longer(100'000, 'x');  // more than a FIFO holds
  ASSERT_EQ(sink.write({longer}).status, NFBUS_RETRY);
  std::string all = drain(reader);
  EXPECT_LT(all.size(), longer.size());
  EXPECT_EQ(sink.write({R"({"n":1})"}).status, NFBUS_OK);
  all += drain(reader);
  EXPECT_EQ(all, longer + "\n{\"n\":1}\n");
  close(reader);
}

TEST_F(FifoTest, DoesNotMakeAFileOfAFifoThatIsGone) {
  SinkDriver sink(nfbus::test::plugin(), options());
  const int reader = open_reader();
  ASSERT_TRUE(sink.open());
  fs::remove(file());
  EXPECT_EQ(sink.tick(), NFBUS_OK);
  EXPECT_EQ(sink.write({"{}"}).status, NFBUS_RETRY);
  EXPECT_THAT(sink.error(), HasSubstr("make it again"));
  EXPECT_FALSE(fs::exists(file()));
  close(reader);
}

}  // namespace
