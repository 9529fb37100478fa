#include "answer.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using influx::Api;
using influx::Verdict;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

const std::vector<std::string_view> kLines = {"tcp,a=1 x=1i 50\n", "udp,a=1 x=1i 20\n", "tcp,a=2 x=\"q\" 30\n",
                                              "tcp,a=3 y=1i 10\n"};

http::Answer answer(int status, std::string body) {
  return {.ending = http::Ending::answered, .status = status, .body = std::move(body)};
}

Verdict judge(int status, std::string body, Api api = Api::v1) {
  return influx::judge(answer(status, std::move(body)), {api, "http://h", "d", "o"}, kLines);
}

std::vector<std::size_t> refused(const Verdict& verdict) {
  std::vector<std::size_t> out;
  for (const auto& [index, reason] : verdict.refused) out.push_back(index);
  return out;
}

TEST(Answer, OnlyEmptySuccessIsSuccess) {
  EXPECT_EQ(judge(204, "").kind, Verdict::Kind::stored);
  EXPECT_EQ(judge(200, "").kind, Verdict::Kind::stored);
  for (const int status : {200, 201, 202, 206, 301, 307, 404, 405, 410, 418, 451}) {
    EXPECT_EQ(judge(status, "<html>").kind, Verdict::Kind::hold) << status;
  }
  for (const int status : {201, 202, 206}) EXPECT_EQ(judge(status, "").kind, Verdict::Kind::hold) << status;
  for (const int status : {500, 502, 504, 599})
    EXPECT_EQ(judge(status, "x").kind, Verdict::Kind::unreachable) << status;
}

TEST(Answer, LinesThatDoNotParseAreFoundByTheirText) {
  // As influxd 1.6 says it: the others are stored.
  const Verdict partial = judge(
      400,
      R"({"error":"partial write: unable to parse 'udp,a=1 x=1i 20': bad timestamp\nunable to parse 'tcp,a=3 y=1i 10': invalid number dropped=0"})");
  EXPECT_EQ(partial.kind, Verdict::Kind::partly);
  EXPECT_THAT(partial.refused, ElementsAre(Pair(1, HasSubstr("bad timestamp")), Pair(3, HasSubstr("invalid number"))));
  EXPECT_EQ(partial.rest, Verdict::Rest::stored);
  // Version 2 stores none.
  const Verdict whole =
      judge(400, R"({"code":"invalid","message":"unable to parse 'udp,a=1 x=1i 20': bad timestamp"})", Api::v2);
  EXPECT_THAT(refused(whole), ElementsAre(1));
  EXPECT_EQ(whole.rest, Verdict::Rest::again);
  // A line that is none of ours.
  EXPECT_EQ(judge(400, R"({"error":"unable to parse 'else': x"})").kind, Verdict::Kind::unexplained);
}

TEST(Answer, TheOldestAreBeyondRetention) {
  const Verdict verdict = judge(400, R"({"error":"partial write: points beyond retention policy dropped=2"})");
  EXPECT_THAT(refused(verdict), ElementsAre(1, 3));
  EXPECT_EQ(verdict.rest, Verdict::Rest::stored);
  EXPECT_EQ(refused(judge(500, R"({"error":"partial write: points beyond retention policy dropped=4"})")).size(), 4U);
}

TEST(Answer, AConflictNamesItsFieldWhenTheNumberFits) {
  const std::string conflict =
      R"(partial write: field type conflict: input field \"x\" on measurement \"tcp\" is type integer, already exists as type string dropped=)";
  EXPECT_THAT(refused(judge(400, "{\"error\":\"" + conflict + "2\"}")), ElementsAre(0, 2));
  EXPECT_EQ(judge(400, "{\"error\":\"" + conflict + "1\"}").kind, Verdict::Kind::unexplained);
}

TEST(Answer, DroppedMoreThanThereAreExplainsNothing) {
  for (const std::string number : {"0", "5", "99999999999999999999999", "", "-1", "x"}) {
    EXPECT_EQ(judge(400, R"({"error":"partial write: points beyond retention policy dropped=)" + number + "\"}").kind,
              Verdict::Kind::unexplained)
        << number;
  }
}

TEST(Answer, Version3ListsLines) {
  const Verdict verdict = judge(
      400,
      R"({"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":2,"error_message":"e"},{"line_number":0},{"line_number":5},{"line_number":-1},{"line_number":"2"},7]})",
      Api::v3);
  EXPECT_THAT(verdict.refused, ElementsAre(Pair(1, "e")));
  EXPECT_EQ(verdict.rest, Verdict::Rest::stored);
  const Verdict whole = judge(
      400, R"({"error":"parsing failed for write_lp endpoint","data":{"line_number":1,"error_message":"e"}})", Api::v3);
  EXPECT_THAT(refused(whole), ElementsAre(0));
  EXPECT_EQ(whole.rest, Verdict::Rest::again);
  EXPECT_EQ(judge(400, R"({"error":"partial write of line protocol occurred"})", Api::v3).kind,
            Verdict::Kind::unexplained);
}

TEST(Answer, WhatCannotBeReadIsUnexplained) {
  for (const std::string body :
       {"", "\xff\xfe", "null", "[]", "{\"error\":5}", "{\"error\":null,\"data\":[[]]}", "{"}) {
    EXPECT_EQ(judge(400, body).kind, Verdict::Kind::unexplained) << body;
    EXPECT_EQ(judge(422, body).kind, Verdict::Kind::unexplained) << body;
  }
  EXPECT_EQ(judge(400, R"({"error":"gzip: invalid header"})").kind, Verdict::Kind::broken_gzip);
}

TEST(Answer, WhatIsMissingComesWithItsCommand) {
  EXPECT_THAT(judge(404, R"({"error":"database not found: \"d\""})").reason, HasSubstr("CREATE DATABASE \"d\""));
  EXPECT_THAT(judge(404, R"({"code":"not found","message":"bucket \"d\" not found"})", Api::v2).reason,
              HasSubstr("influx bucket create --name d --org o"));
  EXPECT_THAT(judge(404, R"({"code":"not found","message":"organization name \"o\" not found"})", Api::v2).reason,
              HasSubstr("influx org create --name o"));
}

TEST(Answer, TextsOfTheServerAreShortAndOfOneLine) {
  const std::string text = influx::said(answer(400, "{\"error\":\"a\\nb" + std::string(5000, 'x') + "\"}"));
  EXPECT_TRUE(text.starts_with("a bxxx"));
  EXPECT_LT(text.size(), 420U);
  EXPECT_EQ(influx::said(answer(400, "")), "status 400");
}

TEST(RetryAfter, IsSecondsOrADateWithinTenMinutes) {
  const auto after = [](std::string text, std::string date = "Fri, 27 Nov 2026 10:00:00 GMT") {
    http::Answer out{.ending = http::Ending::answered, .status = 429};
    out.headers = {{"date", std::move(date)}, {"retry-after", std::move(text)}};
    return http::retry_after_ms(out);
  };
  EXPECT_EQ(after("7"), 7000U);
  EXPECT_EQ(after("0"), 0U);
  EXPECT_EQ(after("600"), 600'000U);
  for (const char* long_time : {"601", "31536000", "99999999999999999999999"}) EXPECT_EQ(after(long_time), 600'000U);
  for (const char* senseless : {"", "-1", "1.5", "soon", "7s", "0x10", "Fri", "12:00"})
    EXPECT_EQ(after(senseless), 0U) << senseless;
  EXPECT_EQ(after("Fri, 27 Nov 2026 10:00:30 GMT"), 30'000U);
  EXPECT_EQ(after("Friday, 27-Nov-26 10:00:30 GMT"), 30'000U);
  EXPECT_EQ(after("Fri, 27 Nov 2026 09:59:00 GMT"), 0U);
  EXPECT_EQ(after("Sat, 27 Nov 2027 10:00:00 GMT"), 600'000U);
}

TEST(Url, PartsAreEncodedForIt) {
  EXPECT_EQ(http::percent_encoded("a b/&=+\xc3\xa4~"), "a%20b%2F%26%3D%2B%C3%A4~");
  EXPECT_EQ(http::base64(""), "");
  EXPECT_EQ(http::base64("f"), "Zg==");
  EXPECT_EQ(http::base64("fo"), "Zm8=");
  EXPECT_EQ(http::base64("user:p\xc3\xa4ss"), "dXNlcjpww6Rzcw==");
}

}  // namespace
