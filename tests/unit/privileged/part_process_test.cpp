#include "privileged/part_process.hpp"

#include "isolated.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr auto kLong = 5000ms;

// Says what it was opened with, and does what the request says.
class Echo final : public PartHandler {
 public:
  Result<void> open(std::string_view options_json) override {
    if (options_json == "wrong") return Error{.code = Code::invalid, .text = "these options are wrong"};
    options_ = options_json;
    return {};
  }
  Result<std::string> request(std::string_view request) override {
    if (request == "options") return options_;
    if (request == "fail") return Error{.code = Code::io, .text = "it failed"};
    if (request == "end") ::_exit(3);
    if (request == "slow") std::this_thread::sleep_for(200ms);
    if (request == "capabilities") return status_of(::getpid(), "CapPrm") + ' ' + status_of(::getpid(), "CapBnd");
    return std::string(request);
  }

 private:
  std::string options_;
};

PartProcess start() {
  auto started =
      PartProcess::start({.what = "the part", .name = "part", .uid = ::geteuid(), .gid = ::getegid(), .library = -1},
                         []() -> std::unique_ptr<PartHandler> { return std::make_unique<Echo>(); });
  if (!started) throw std::runtime_error(started.error().text);
  return std::move(started).value();
}

TEST(PartProcess, AnswersWithItsOptionsAndNoCapabilityButOne) {
  PartProcess part = start();
  ASSERT_TRUE(part.open("{}").ok());
  EXPECT_EQ(*part.request("options", kLong), "{}");
  EXPECT_EQ(*part.request("capabilities", kLong), "0000000000001000 0000000000000000");
}

TEST(PartProcess, RefusesRequestsBeforeItIsOpenAndASecondOpening) {
  PartProcess part = start();
  EXPECT_EQ(part.request("hello", kLong).error().text, "it is not open");
  EXPECT_EQ(part.open("wrong").error().text, "these options are wrong");
  ASSERT_TRUE(part.open("first").ok());
  EXPECT_FALSE(part.open("second").ok());
  EXPECT_EQ(*part.request("options", kLong), "first");
}

TEST(PartProcess, CarriesAMebibyteBothWaysAndRefusesMore) {
  PartProcess part = start();
  ASSERT_TRUE(part.open("{}").ok());
  const std::string most(kMaxPartFrameBytes, 'x');
  EXPECT_EQ(*part.request(most, kLong), most);
  const auto more = part.request(most + 'x', kLong);
  EXPECT_EQ(more.error().code, Code::refused);
  EXPECT_EQ(*part.request("", kLong), "");
}

TEST(PartProcess, ErrorIsTheAskersAndAnswersComeInTheirOrder) {
  PartProcess part = start();
  ASSERT_TRUE(part.open("{}").ok());
  const auto failed = part.request("fail", kLong);
  EXPECT_EQ(failed.error().code, Code::invalid);
  EXPECT_EQ(failed.error().text, "it failed");
  EXPECT_EQ(*part.request("a", kLong), "a");
}

TEST(PartProcess, LateAnswerIsDroppedBeforeTheNextRequestIsSent) {
  PartProcess part = start();
  ASSERT_TRUE(part.open("{}").ok());
  const auto late = part.request("slow", 10ms);
  EXPECT_EQ(late.error().code, Code::busy);
  EXPECT_EQ(late.error().text, "the part did not answer in 10 ms");
  EXPECT_EQ(*part.request("after", kLong), "after");
}

TEST(PartProcess, EndIsAnErrorAndToldOnce) {
  PartProcess part = start();
  ASSERT_TRUE(part.open("{}").ok());
  EXPECT_EQ(part.new_end(), "");
  EXPECT_EQ(part.request("end", kLong).error().code, Code::io);
  EXPECT_EQ(part.request("hello", kLong).error().text, "the part has ended");
  std::string end;
  for (const auto until = std::chrono::steady_clock::now() + 5s;
       end.empty() && std::chrono::steady_clock::now() < until;) {
    end = part.new_end();
  }
  EXPECT_EQ(end, "exit status 3");
  EXPECT_EQ(part.new_end(), "");
}

TEST(PartProcess, ThreadsThatAskAtOnceGetEachItsOwnAnswer) {
  PartProcess part = start();
  ASSERT_TRUE(part.open("{}").ok());
  std::vector<std::thread> threads;
  std::vector<int> wrong(4);
  for (std::size_t i = 0; i < wrong.size(); ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < 200; ++round) {
        const std::string text = std::to_string(i) + ' ' + std::to_string(round);
        const auto answer = part.request(text, kLong);
        if (!answer || *answer != text) ++wrong[i];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(wrong, ::testing::Each(0));
}

}  // namespace
}  // namespace nfbus::host
