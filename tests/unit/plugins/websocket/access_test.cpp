#include "server/access.hpp"

#include "temporary_folder.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <set>
#include <string>

namespace websocket {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class TokenFile : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (folder_.path() / "tokens").string(); }
  nfbus::Result<Tokens> read(std::string_view text) {
    nfbus::test::write_file(path(), text);
    return Tokens::read(path());
  }
  std::string error(std::string_view text) { return to_string(read(text).error()); }

  nfbus::test::TemporaryFolder folder_;
};

TEST_F(TokenFile, HasATokenOnEachLine) {
  const auto tokens = read("# ours\n\nfirst\r\nanna:pass word # not a comment\n  #\n#\nlast\xc3\xbc");
  ASSERT_TRUE(tokens.ok());
  for (const char* const right : {"first", "anna:pass word # not a comment", "last\xc3\xbc"}) {
    EXPECT_TRUE(tokens.value().holds(right)) << right;
  }
  for (const char* const wrong : {"", "#", "# ours", "firs", "first ", "first\r", "First", "anna", "last"}) {
    EXPECT_FALSE(tokens.value().holds(wrong)) << wrong;
  }
  EXPECT_FALSE(tokens.value().holds(std::string("first\0", 6)));
  EXPECT_FALSE(tokens.value().holds(std::string(1U << 20U, 'x')));
}

TEST_F(TokenFile, IsReadAsEditorsWriteIt) {
  const auto tokens = read(
      "\xef\xbb\xbf"
      "first\n  second \t\r\n \t\nanna:pass  word \n");
  ASSERT_TRUE(tokens.ok());
  for (const char* const right : {"first", "second", "anna:pass  word"}) {
    EXPECT_TRUE(tokens.value().holds(right)) << right;
  }
  EXPECT_THAT(error("\xef\xbb\xbf# none\n"), HasSubstr("holds no token"));
}

TEST_F(TokenFile, OfOtherTokensIsAnother) {
  EXPECT_EQ(read("a\nb\n").value(), read("# c\na\n\nb").value());
  EXPECT_FALSE(read("a\n").value() == read("b\n").value());
}

TEST_F(TokenFile, ThatIsWrongIsRefused) {
  EXPECT_THAT(error(""), HasSubstr("holds no token"));
  EXPECT_THAT(error("# a\n\n\r\n"), HasSubstr("holds no token"));
  EXPECT_EQ(error("first\nsec\tond\n"), path() + ":2:4: a token has a control character");
  EXPECT_EQ(error(std::string("\0", 1)), path() + ":1:1: a token has a control character");
  EXPECT_EQ(error("a\n\n  b\x7f"), path() + ":3:4: a token has a control character");
  EXPECT_THAT(error(std::string((1U << 20U) + 1, 'x')), HasSubstr("more than 1048576 bytes"));
  const auto gone = Tokens::read(path() + ".gone");
  EXPECT_EQ(gone.error().code, nfbus::Code::not_found);
  EXPECT_THAT(gone.error().text, HasSubstr(path() + ".gone"));
  EXPECT_FALSE(Tokens::read(folder_.path().string()).ok());
}

TEST_F(TokenFile, HoldsSoManyAtMost) {
  std::string text;
  for (int i = 0; i < 1024; ++i) text += "token" + std::to_string(i) + '\n';
  const auto tokens = read(text);
  ASSERT_TRUE(tokens.ok());
  EXPECT_TRUE(tokens.value().holds("token0"));
  EXPECT_TRUE(tokens.value().holds("token1023"));
  EXPECT_THAT(error(text + "one more\n"), HasSubstr("more than 1,024 tokens"));
}

TEST(Tokens, AreNotNeededWithoutAFile) {
  EXPECT_FALSE(Tokens().is_needed());
  EXPECT_FALSE(Tokens().holds(""));
}

TEST(Session, LastsAMonthBeyondItsLastUse) {
  Sessions sessions;
  const auto now = Sessions::Clock::now();
  const std::string cookie = sessions.begin(now);
  EXPECT_EQ(cookie.size(), 64U);
  EXPECT_TRUE(sessions.holds(cookie, now));
  EXPECT_TRUE(sessions.holds(cookie, now + 29 * 24h));
  EXPECT_TRUE(sessions.holds(cookie, now + 58 * 24h));
  EXPECT_FALSE(sessions.holds(cookie, now + 89 * 24h));
  for (const std::string& wrong : {std::string(), std::string(64, '0'), cookie + "0", cookie.substr(1)}) {
    EXPECT_FALSE(sessions.holds(wrong, now)) << wrong;
  }
}

TEST(Session, EndsAlone) {
  Sessions sessions;
  const auto now = Sessions::Clock::now();
  const std::string one = sessions.begin(now);
  const std::string other = sessions.begin(now);
  EXPECT_NE(one, other);
  sessions.end(one);
  sessions.end("nobody's");
  EXPECT_FALSE(sessions.holds(one, now));
  EXPECT_TRUE(sessions.holds(other, now));
  sessions.end_all();
  EXPECT_FALSE(sessions.holds(other, now));
  EXPECT_TRUE(sessions.holds(sessions.begin(now), now));
}

TEST(Session, TheLeastRecentlyUsedOf1024GoesForTheNext) {
  Sessions sessions;
  const auto now = Sessions::Clock::now();
  const std::string used = sessions.begin(now);
  const std::string unused = sessions.begin(now);
  std::set<std::string> all;
  for (int i = 0; i < 1022; ++i) all.insert(sessions.begin(now));
  EXPECT_EQ(all.size(), 1022U);
  EXPECT_TRUE(sessions.holds(used, now));
  all.insert(sessions.begin(now));
  EXPECT_TRUE(sessions.holds(used, now));
  EXPECT_FALSE(sessions.holds(unused, now));
  for (const std::string& one : all) EXPECT_TRUE(sessions.holds(one, now));
}

TEST(Slowdown, DoublesUpToEightSeconds) {
  Slowdown slowdown;
  const auto now = Slowdown::Clock::now();
  for (const auto expected : {250ms, 500ms, 1000ms, 2000ms, 4000ms, 8000ms, 8000ms, 8000ms}) {
    EXPECT_EQ(slowdown.failed("192.0.2.1", now), expected);
  }
  for (int i = 0; i < 100'000; ++i) (void)slowdown.failed("192.0.2.1", now);
  EXPECT_EQ(slowdown.failed("192.0.2.1", now), 8000ms);
  EXPECT_EQ(slowdown.failed("192.0.2.2", now), 250ms);
}

TEST(Slowdown, ForgivesOneFailureIn30Seconds) {
  Slowdown slowdown;
  auto now = Slowdown::Clock::now();
  for (int i = 0; i < 4; ++i) (void)slowdown.failed("a", now);  // 2,000 ms
  now += 29s;
  EXPECT_EQ(slowdown.failed("a", now), 4000ms);
  now += 60s;
  EXPECT_EQ(slowdown.failed("a", now), 2000ms);
  now += 1h;
  EXPECT_EQ(slowdown.failed("a", now), 250ms);
}

TEST(Slowdown, IsOneForANetworkOfIpv6) {
  Slowdown slowdown;
  const auto now = Slowdown::Clock::now();
  EXPECT_EQ(slowdown.failed("2001:db8:1:2::1", now), 250ms);
  EXPECT_EQ(slowdown.failed("2001:db8:1:2:ffff::9", now), 500ms);
  EXPECT_EQ(slowdown.failed("2001:db8:1:3::1", now), 250ms);
  EXPECT_EQ(slowdown.failed("fe80::1%eth0", now), 250ms);
  EXPECT_EQ(slowdown.failed("fe80::2%eth1", now), 500ms);
  // Of a socket that takes both families: IPv4, not all one network of 64 bits.
  EXPECT_EQ(slowdown.failed("::ffff:192.0.2.1", now), 250ms);
  EXPECT_EQ(slowdown.failed("::ffff:192.0.2.2", now), 250ms);
  EXPECT_EQ(slowdown.failed("::ffff:192.0.2.1", now), 500ms);
  EXPECT_EQ(slowdown.failed("192.0.2.1", now), 1000ms) << "through another socket";
}

TEST(Slowdown, AFloodOfAddressesIsForgottenInItsOrder) {
  Slowdown slowdown;
  const auto now = Slowdown::Clock::now();
  (void)slowdown.failed("first", now);
  for (int i = 0; i < 4096; ++i) (void)slowdown.failed(std::to_string(i), now);
  EXPECT_EQ(slowdown.failed("4095", now), 500ms);
  EXPECT_EQ(slowdown.failed("first", now), 250ms);
}

TEST(Cookie, IsFoundAmongOthers) {
  Request request;
  const auto cookie = [&](std::string text) {
    request.headers = {{"cookie", std::move(text)}};
    return cookie_of(request, "s");
  };
  EXPECT_EQ(cookie("s=1"), "1");
  EXPECT_EQ(cookie("a=b; s=1; s=2"), "1");
  EXPECT_EQ(cookie("a=b;s=x=y"), "x=y");
  EXPECT_EQ(cookie("as=1; s1=2; s; =s"), "");
  EXPECT_EQ(cookie("S=1"), "");
  EXPECT_EQ(cookie(""), "");
  EXPECT_EQ(cookie(";;; ;s=1;"), "1");
  request.headers = {{"cookie", "s=1"}, {"cookie", "s=1"}};
  EXPECT_EQ(cookie_of(request, "s"), "");
}

TEST(Bearer, IsWhatStandsBehindTheScheme) {
  Request request;
  const auto bearer = [&](std::string text) {
    request.headers = {{"authorization", std::move(text)}};
    return bearer_of(request);
  };
  EXPECT_EQ(bearer("Bearer abc"), "abc");
  EXPECT_EQ(bearer("bEARER anna:pass word"), "anna:pass word");
  for (const char* const none : {"", "Bearer", "Bearer ", "Bearerabc", "Basic abc", "abc", " Bearer abc"}) {
    EXPECT_EQ(bearer(none), "") << none;
  }
  request.headers = {{"authorization", "Bearer abc"}, {"authorization", "Bearer abc"}};
  EXPECT_EQ(bearer_of(request), "");
}

}  // namespace
}  // namespace websocket
