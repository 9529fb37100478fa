#include "answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

using testing::HasSubstr;
using testing::Not;
using webhook::Verdict;
using Kind = Verdict::Kind;

http::Answer answered(int status, std::string body = {}) {
  return {.ending = http::Ending::answered, .status = status, .body = std::move(body)};
}

Verdict judge(const http::Answer& answer, bool says_where = false) {
  return webhook::judge(answer, "https://h", says_where, [](std::string text) { return text; });
}

TEST(Answer, ItsStatusSaysWhatBecomesOfTheEvents) {
  for (const int status : {200, 201, 202, 204, 299}) EXPECT_EQ(judge(answered(status)).kind, Kind::delivered) << status;
  for (const int status : {100, 301, 302, 304, 307, 308, 404, 405, 408, 410, 425, 429, 500, 501, 502, 503, 504, 599}) {
    EXPECT_EQ(judge(answered(status)).kind, Kind::hold) << status;
  }
  for (const int status : {401, 403, 407}) EXPECT_EQ(judge(answered(status)).kind, Kind::secret_refused) << status;
  for (const int status : {400, 406, 409, 415, 422, 451})
    EXPECT_EQ(judge(answered(status)).kind, Kind::refused) << status;
  EXPECT_EQ(judge(answered(413)).kind, Kind::too_large);
}

TEST(Answer, APathOfTheEventsOwnThatIsNotThereIsTheEvents) {
  for (const int status : {404, 405, 410}) EXPECT_EQ(judge(answered(status), true).kind, Kind::refused) << status;
  EXPECT_EQ(judge(answered(429), true).kind, Kind::hold);
}

TEST(Answer, WithoutOneAllComeAgain) {
  for (const http::Ending ending :
       {http::Ending::unreachable, http::Ending::untrusted, http::Ending::broken, http::Ending::timed_out}) {
    const Verdict verdict = judge({.ending = ending, .status = 200, .error = "why"});
    EXPECT_EQ(verdict.kind, Kind::hold);
    EXPECT_EQ(verdict.reason, "https://h: why");
  }
}

TEST(Answer, TheServersWordsAreShown) {
  EXPECT_EQ(judge(answered(400, R"({"error":"Bad","errorCode":400,"errorDescription":"no title"})")).reason,
            "https://h answers 400: no title");
  EXPECT_EQ(judge(answered(400, R"({"errcode":"M_BAD_JSON","error":"bad json"})")).reason,
            "https://h answers 400: bad json");
  EXPECT_EQ(judge(answered(400, "invalid_payload")).reason, "https://h answers 400: invalid_payload");
  EXPECT_EQ(judge(answered(400, R"({"error":{"code":1}})")).reason, R"(https://h answers 400: {"error":{"code":1}})");
  EXPECT_EQ(judge(answered(500)).reason, "https://h answers 500");
  const std::string long_one = judge(answered(400, std::string(5000, 'x') + "\n\x1b[31m")).reason;
  EXPECT_LT(long_one.size(), 500U);
  EXPECT_THAT(judge(answered(400, "a\n\x1b[31mb")).reason, HasSubstr("a  [31mb"));
  EXPECT_EQ(judge(answered(400, std::string(100'000, '['))).kind, Kind::refused);
}

TEST(Answer, ARedirectionIsNamedWithoutItsPath) {
  http::Answer answer = answered(308);
  answer.headers = {{"location", "https://other.example/services/T0/SECRET"}};
  EXPECT_THAT(judge(answer).reason, HasSubstr("a redirection to https://other.example, which is not followed"));
  EXPECT_THAT(judge(answer).reason, Not(HasSubstr("SECRET")));
  answer.headers = {{"location", "/login"}};
  EXPECT_THAT(judge(answer).reason, HasSubstr("to another path"));
}

TEST(Answer, RetryAfterIsAHint) {
  http::Answer answer = answered(429);
  answer.headers = {{"retry-after", "7"}};
  EXPECT_EQ(judge(answer).retry_after_ms, 7000U);
  answer.status = 503;
  EXPECT_EQ(judge(answer).retry_after_ms, 7000U);
}

}  // namespace
