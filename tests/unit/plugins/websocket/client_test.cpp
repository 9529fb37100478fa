#include "server/client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace websocket {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Takes frames, one at a time, as a socket does.
class FakeChannel final : public Channel {
 public:
  void write(Text text) override {
    EXPECT_FALSE(is_busy) << "a frame before the one before was written";
    EXPECT_EQ(code, 0) << "a frame behind the close";
    is_busy = true;
    sent.push_back(*text);
  }
  void close(std::uint16_t with, std::string_view why) override {
    EXPECT_FALSE(is_busy);
    EXPECT_EQ(code, 0) << "closed twice";
    code = with;
    reason = why;
  }

  std::vector<std::string> sent;
  bool is_busy = false;
  std::uint16_t code = 0;
  std::string reason;
};

// Its time goes on when the test says so. A wrong token is answered when the test calls answer_wrong(), and "late" when
// it calls answer_right().
class FakeOwner final : public ClientOwner {
 public:
  void authenticate(const std::shared_ptr<Client>& client, std::string_view token) override {
    tokens.emplace_back(token);
    if (token == "right") return client->authenticated(true);
    (token == "late" ? late : wrong) = client;
  }
  void sees(Client& /*client*/, const ViewSettings& settings, Text answer) override {
    seen.push_back(settings);
    if (answer) answers.push_back(json::parse(*answer));
  }
  void missed_since(Client& /*client*/, const ViewSettings& /*settings*/, std::uint64_t number) override {
    since.push_back(number);
  }
  nfbus::Result<SharedMatch> compile(const json& match) override {
    compiled.push_back(match);
    if (match == "wrong") return nfbus::Error{nfbus::Code::invalid, "column 1: wrong"};
    return std::make_shared<const nfbus::Match>();
  }
  void was_slow(std::uint64_t count) override { dropped.push_back(count); }
  void left(Client& /*client*/) override { ++left_count; }
  [[nodiscard]] bool may_wait(std::size_t bytes) const override { return bytes <= most_bytes; }
  void waiting_changed(std::int64_t bytes) override { waiting_bytes += bytes; }
  void after(std::chrono::milliseconds delay, std::function<void()> what) override {
    timers.emplace(now + delay, std::move(what));
  }

  void pass(std::chrono::milliseconds time) {
    now += time;
    while (!timers.empty() && timers.begin()->first <= now) {
      const auto what = timers.extract(timers.begin());
      what.mapped()();
    }
  }
  void answer_wrong() { std::exchange(wrong, nullptr)->authenticated(false); }
  void answer_right() { std::exchange(late, nullptr)->authenticated(true); }

  std::vector<std::string> tokens;
  std::vector<ViewSettings> seen;
  std::vector<json> answers;  // that came with them
  std::vector<std::uint64_t> since;
  std::vector<json> compiled;
  std::vector<std::uint64_t> dropped;
  int left_count = 0;
  std::size_t most_bytes = 1000;
  std::int64_t waiting_bytes = 0;
  std::chrono::milliseconds now{0};
  std::multimap<std::chrono::milliseconds, std::function<void()>> timers;
  std::shared_ptr<Client> wrong;
  std::shared_ptr<Client> late;
};

class ClientTest : public ::testing::Test {
 protected:
  void begin(Client::Entry entry, Feed feed = Feed::events) {
    client_ = std::make_shared<Client>(owner_, 7, feed, entry);
    client_->begun(channel_);
  }
  ~ClientTest() override {
    if (!client_) return;
    client_->ended();
    EXPECT_EQ(owner_.waiting_bytes, 0) << "what waited for a client that is gone";
    EXPECT_EQ(owner_.left_count, 1);
    // What comes late meets nobody.
    client_->send(make_text("late"));
    client_->authenticated(true);
    owner_.pass(1min);
    EXPECT_EQ(owner_.left_count, 1);
    EXPECT_EQ(owner_.waiting_bytes, 0);
  }
  void send(std::string text) { client_->send(make_text(std::move(text))); }
  // The socket has taken what was on its way.
  void drain() {
    while (channel_.is_busy) {
      channel_.is_busy = false;
      client_->written();
    }
  }
  // An answer that it was sent directly, in a frame of SPR's.
  static json data_of(const std::string& frame) { return json::parse(json::parse(frame)["Data"].get<std::string>()); }

  FakeOwner owner_;
  FakeChannel channel_;
  std::shared_ptr<Client> client_;
};

TEST_F(ClientTest, AFirstFrameIsAnsweredBeforeEvents) {
  begin(Client::Entry::open);
  EXPECT_THAT(owner_.seen, SizeIs(1));
  send("one");
  send("two");
  owner_.pass(999ms);
  EXPECT_THAT(channel_.sent, IsEmpty());
  client_->received("right");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("success", "one", "two"));
}

TEST_F(ClientTest, WhoSaysNothingGetsEventsAllTheSame) {
  begin(Client::Entry::open);
  send("one");
  send("two");
  owner_.pass(1s);
  drain();
  send("three");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("one", "two", "three"));
  client_->received("right");  // late, but as welcome
  drain();
  EXPECT_EQ(channel_.sent.back(), "success");
  EXPECT_THAT(owner_.seen, SizeIs(1));
}

TEST_F(ClientTest, WishesAsAFirstFrameEndTheWait) {
  begin(Client::Entry::open);
  send("one");
  client_->received("{}");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("one"));
}

TEST_F(ClientTest, APageWaitsForNothing) {
  begin(Client::Entry::open, Feed::page);
  send("one");
  EXPECT_THAT(channel_.sent, ElementsAre("one"));
}

TEST_F(ClientTest, OneFrameIsOnItsWayAtATime) {
  begin(Client::Entry::let_in);
  send("one");
  send("two");
  send("three");
  EXPECT_THAT(channel_.sent, ElementsAre("one"));
  EXPECT_EQ(owner_.waiting_bytes, 8);
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("one", "two", "three"));
  EXPECT_EQ(owner_.waiting_bytes, 0);
}

TEST_F(ClientTest, NothingIsSeenBeforeTheToken) {
  begin(Client::Entry::by_frame);
  EXPECT_THAT(owner_.seen, IsEmpty());
  EXPECT_TRUE(client_->waits_for_token());
  client_->received("right");
  EXPECT_FALSE(client_->waits_for_token());
  EXPECT_THAT(owner_.seen, SizeIs(1));
  send("one");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("success", "one"));
  owner_.pass(1min);
  EXPECT_EQ(channel_.code, 0);
}

TEST_F(ClientTest, NoTokenInTenSecondsEndsIt) {
  begin(Client::Entry::by_frame);
  owner_.pass(9999ms);
  EXPECT_EQ(channel_.code, 0);
  owner_.pass(1ms);
  EXPECT_EQ(channel_.code, 1008);
  EXPECT_EQ(channel_.reason, "no token in 10 s");
  EXPECT_THAT(channel_.sent, IsEmpty());
}

// After a wrong token of its address a right one waits, too: what came behind it meanwhile is not lost.
TEST_F(ClientTest, WhatComesBehindATokenIsTakenWhenItIsLetIn) {
  begin(Client::Entry::by_frame);
  client_->received("late");
  client_->received(R"({"match":{"dport":53},"answer":true,"serial":1})");
  client_->received(R"({"format":"ulogd"})");
  EXPECT_THAT(owner_.seen, IsEmpty());
  EXPECT_THAT(owner_.compiled, IsEmpty());
  owner_.answer_right();
  EXPECT_THAT(channel_.sent, ElementsAre("success"));
  ASSERT_THAT(owner_.seen, SizeIs(3));
  EXPECT_NE(owner_.seen[2].match, nullptr);
  EXPECT_EQ(owner_.seen[2].format, TextFormat::ulogd);
  EXPECT_THAT(owner_.answers, SizeIs(1));
  client_->received(R"({"format":"packet"})");
  EXPECT_THAT(owner_.seen, SizeIs(4));
}

TEST_F(ClientTest, WhatIsWrongBehindATokenIsSoWhenItIsLetIn) {
  begin(Client::Entry::by_frame);
  client_->received("late");
  client_->received("no object");
  EXPECT_EQ(channel_.code, 0);
  owner_.answer_right();
  drain();
  EXPECT_EQ(channel_.reason, "a client sends a JSON object");
}

TEST_F(ClientTest, WhoSendsMuchBeforeItIsLetInHasToGo) {
  for (const auto& [size, count] : {std::pair(0, 17), std::pair(32'768, 3)}) {
    FakeChannel channel;
    const auto client = std::make_shared<Client>(owner_, 8, Feed::events, Client::Entry::by_frame);
    client->begun(channel);
    client->received("late");
    for (int i = 0; i < count - 1; ++i) client->received(std::string(static_cast<std::size_t>(size), ' '));
    EXPECT_EQ(channel.code, 0) << size;
    client->received(std::string(static_cast<std::size_t>(size), ' '));
    EXPECT_EQ(channel.code, 1008) << size;
    owner_.answer_right();
    EXPECT_THAT(channel.sent, IsEmpty()) << size;
    client->ended();
  }
  EXPECT_EQ(std::exchange(owner_.left_count, 0), 2);
  EXPECT_THAT(owner_.seen, IsEmpty());
}

TEST_F(ClientTest, AWrongTokenIsTheOnlyTry) {
  begin(Client::Entry::by_frame);
  client_->received(R"({"match":""})");  // even what would be wishes
  client_->received("right");
  client_->received("{}");
  EXPECT_THAT(owner_.tokens, ElementsAre("{\"match\":\"\"}"));
  EXPECT_THAT(owner_.seen, IsEmpty());
  EXPECT_EQ(channel_.code, 0);
  owner_.answer_wrong();
  EXPECT_THAT(channel_.sent, ElementsAre("Authentication failure"));
  client_->received("right");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("Authentication failure"));
  EXPECT_EQ(channel_.code, 1008);
}

// Its answer may wait for 8 s, so that one that came late enough is still told what is wrong.
TEST_F(ClientTest, AWrongTokenIsCalledSoWheneverItCame) {
  begin(Client::Entry::by_frame);
  owner_.pass(5s);
  client_->received("nobody's");
  owner_.pass(6s);
  EXPECT_EQ(channel_.code, 0);
  owner_.answer_wrong();
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("Authentication failure"));
  EXPECT_EQ(channel_.code, 1008);
}

TEST_F(ClientTest, AWrongTokenOfOneThatIsInEndsItBehindWhatIsOnItsWay) {
  begin(Client::Entry::let_in);
  send("one");
  send("two");
  client_->received("nobody's");
  owner_.answer_wrong();
  EXPECT_EQ(channel_.code, 0);
  EXPECT_EQ(owner_.left_count, 1);
  send("three");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("one", "Authentication failure"));
  EXPECT_EQ(channel_.code, 1008);
}

TEST_F(ClientTest, WhoIsNotLetInAnyMoreGetsNothingOfWhatWaits) {
  begin(Client::Entry::let_in);
  for (const char* const text : {"one", "two", "three"}) send(text);
  client_->shut_out("logged out");
  EXPECT_EQ(owner_.waiting_bytes, 0);
  EXPECT_EQ(owner_.left_count, 1);
  send("four");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("one"));  // it was on its way
  EXPECT_EQ(channel_.code, 1008);
  EXPECT_EQ(channel_.reason, "logged out");
}

TEST_F(ClientTest, ASecondTextThatIsNoObjectEndsIt) {
  begin(Client::Entry::let_in);
  client_->received("{}");
  client_->received("right");
  EXPECT_THAT(owner_.tokens, IsEmpty());
  EXPECT_EQ(channel_.code, 1008);
  EXPECT_EQ(channel_.reason, "a client sends a JSON object");
}

TEST_F(ClientTest, TooSlowIsToldWhatItMissedAndEnds) {
  owner_.most_bytes = 30;
  begin(Client::Entry::let_in);
  send("on its way");
  for (int i = 0; i < 3; ++i) send("0123456789");
  EXPECT_THAT(owner_.dropped, IsEmpty());
  send("x");
  EXPECT_THAT(owner_.dropped, ElementsAre(4));
  EXPECT_EQ(owner_.left_count, 1);
  EXPECT_EQ(channel_.code, 0);
  send("y");
  drain();
  ASSERT_THAT(channel_.sent, SizeIs(2));
  EXPECT_EQ(channel_.sent[0], "on its way");
  EXPECT_EQ(json::parse(channel_.sent[1])["Type"], "nfbus:dropped");
  EXPECT_EQ(data_of(channel_.sent[1]), json({{"missed", 4}}));
  EXPECT_EQ(channel_.code, 1013);
  EXPECT_THAT(owner_.dropped, ElementsAre(4));
}

// A text may be larger than what may wait: who is quick gets it all the same.
TEST_F(ClientTest, WhatNeedNotWaitIsSentWhateverItsSize) {
  owner_.most_bytes = 5;
  begin(Client::Entry::let_in);
  for (int i = 0; i < 3; ++i) {
    send(std::string(100, 'x'));
    drain();
  }
  EXPECT_THAT(channel_.sent, SizeIs(3));
  EXPECT_THAT(owner_.dropped, IsEmpty());
  send(std::string(100, 'x'));
  send(std::string(6, 'x'));
  EXPECT_THAT(owner_.dropped, ElementsAre(1));
}

TEST_F(ClientTest, ASlowPageIsToldInItsOwnForm) {
  owner_.most_bytes = 3;
  begin(Client::Entry::open, Feed::page);
  send("on its way");
  send("123");
  send("4");
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("on its way", R"({"missed":2})"));
  EXPECT_EQ(channel_.code, 1013);
}

TEST_F(ClientTest, WhoLeavesEarlyIsClosedOnce) {
  begin(Client::Entry::open);
  client_->received("{}");
  client_->received("no object");
  EXPECT_EQ(channel_.code, 1008);
  owner_.pass(2s);
}

TEST_F(ClientTest, MuchBeforeTheFirstFrameEndsTheWaitAndNotTheClient) {
  owner_.most_bytes = 20;
  begin(Client::Entry::open);
  send("1234");
  EXPECT_THAT(channel_.sent, IsEmpty());
  send("5678");
  EXPECT_THAT(channel_.sent, ElementsAre("1234"));
  drain();
  EXPECT_THAT(channel_.sent, ElementsAre("1234", "5678"));
  send(std::string(30, 'x'));  // larger than all that may wait, and it need not
  drain();
  EXPECT_THAT(channel_.sent, SizeIs(3));
  EXPECT_EQ(channel_.code, 0);
}

TEST_F(ClientTest, WishesChangeWhatItSees) {
  begin(Client::Entry::let_in);
  client_->received(R"({"match":{"dport":53},"format":"ulogd"})");
  ASSERT_THAT(owner_.seen, SizeIs(2));
  EXPECT_EQ(owner_.seen[1].format, TextFormat::ulogd);
  EXPECT_NE(owner_.seen[1].match, nullptr);
  EXPECT_THAT(owner_.compiled, ElementsAre(json({{"dport", 53}})));
  EXPECT_THAT(owner_.answers, IsEmpty());
  client_->received(R"({"format":"packet","answer":true,"serial":[1,"x"]})");
  ASSERT_THAT(owner_.seen, SizeIs(3));
  EXPECT_EQ(owner_.seen[2].format, TextFormat::packet);
  EXPECT_EQ(owner_.seen[2].match, owner_.seen[1].match);  // the rest stays
  ASSERT_THAT(owner_.answers, SizeIs(1));
  EXPECT_EQ(owner_.answers[0]["Type"], "nfbus:answer");
  EXPECT_EQ(json::parse(owner_.answers[0]["Data"].get<std::string>()), json({{"ok", true}, {"serial", {1, "x"}}}));
  for (const char* const unasked : {"{}", R"({"answer":false})", R"({"answer":1})", R"({"answer":"true"})"}) {
    client_->received(unasked);
  }
  EXPECT_THAT(owner_.answers, SizeIs(1));
  EXPECT_THAT(channel_.sent, IsEmpty());
}

TEST_F(ClientTest, AWrongWishChangesNothing) {
  begin(Client::Entry::let_in);
  for (const auto& [text, error] :
       {std::pair(R"({"match":"wrong","format":"ulogd","serial":1})", "column 1: wrong"),
        std::pair(R"({"format":"ulogd","mode":"x","serial":2})", "mode: unknown key"),
        std::pair(R"({"format":1,"serial":3})", "format: it is"), std::pair("{", "no JSON object"),
        std::pair("{}{}", "no JSON object"), std::pair("{\"a\":\"\xff\"}", "no JSON object")}) {
    client_->received(text);
    drain();
    const json said = json::parse(channel_.sent.back());
    EXPECT_EQ(said["Type"], "nfbus:error") << text;
    EXPECT_THAT(data_of(channel_.sent.back())["error"].get<std::string>(), HasSubstr(error)) << text;
  }
  EXPECT_EQ(data_of(channel_.sent[1])["serial"], 2);
  EXPECT_THAT(owner_.seen, SizeIs(1));
  client_->received("{\"match\":" + std::string(60'000, '['));
  drain();
  EXPECT_THAT(data_of(channel_.sent.back())["error"].get<std::string>(), HasSubstr("nested too deep"));
  client_->received("{}");
  EXPECT_EQ(owner_.seen.back().format, TextFormat::packet);
  EXPECT_EQ(channel_.code, 0);
}

TEST_F(ClientTest, APageIsAnsweredForEachMatch) {
  begin(Client::Entry::open, Feed::page);
  client_->received(R"({"match":"proto=udp","serial":7,"mode":"counters"})");
  ASSERT_THAT(owner_.answers, SizeIs(1));
  EXPECT_EQ(owner_.answers[0], json({{"filter", {{"ok", true}, {"serial", 7}}}}));
  EXPECT_FALSE(owner_.seen.back().wants_rows);
  client_->received(R"({"mode":"live"})");
  EXPECT_THAT(owner_.answers, SizeIs(1));
  EXPECT_TRUE(owner_.seen.back().wants_rows);
  client_->received(R"({"match":"wrong","serial":8})");
  EXPECT_EQ(json::parse(channel_.sent.back()), json({{"filter", {{"error", "column 1: wrong"}, {"serial", 8}}}}));
}

TEST_F(ClientTest, WhatItMissedIsAskedForByANumber) {
  begin(Client::Entry::open, Feed::page);
  for (const char* const text : {R"({"since":12})", R"({"since":0})", R"({"since":-1})", R"({"since":1.5})",
                                 R"({"since":"12"})", R"({"since":18446744073709551615})"}) {
    client_->received(text);
  }
  EXPECT_THAT(owner_.since, ElementsAre(12, 0, 18446744073709551615U));
}

TEST_F(ClientTest, GoneBeforeItBeganLeavesOnce) {
  client_ = std::make_shared<Client>(owner_, 7, Feed::events, Client::Entry::by_frame);
}

TEST_F(ClientTest, GoneWhileAFrameIsOnItsWayLeavesNothing) {
  begin(Client::Entry::let_in);
  for (int i = 0; i < 10; ++i) send("0123456789");
  EXPECT_EQ(owner_.waiting_bytes, 90);
}

TEST_F(ClientTest, GoneWhileItsTokenIsJudgedIsToldNothing) {
  begin(Client::Entry::by_frame);
  client_->received("nobody's");
  client_->ended();
  owner_.answer_wrong();
  EXPECT_THAT(channel_.sent, IsEmpty());
  EXPECT_EQ(owner_.left_count, 1);
}

}  // namespace
}  // namespace websocket
