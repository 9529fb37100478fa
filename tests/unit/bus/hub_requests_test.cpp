// What clients ask of the hub, what it answers, and what the log says of it.
#include "hub_fixture.hpp"
#include "support/log.hpp"
#include "support/repeats.hpp"
#include "support/side_thread.hpp"

#include <unistd.h>
#include <nlohmann/json.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host::test {
namespace {

class AnswersTest : public HubTest {
 protected:
  // What a client gets for a line, if it gets one line: the value of nfbus:answer.
  nlohmann::json answer_to(Client& client, const std::string& line) {
    hub.receive(client, line);
    const std::vector<std::string> lines = take_lines(client);
    if (lines.size() != 1) return nullptr;
    const auto event = nlohmann::json::parse(lines.front());
    return event.at("topic") == "nfbus:answer" ? nlohmann::json::parse(event.at("value").get<std::string>()) : event;
  }
  std::string error_of(const std::string& line) {
    const nlohmann::json answer = answer_to(join(), line);
    if (!answer.is_object() || answer.value("ok", true)) return "ACCEPTED " + answer.dump();
    return answer.at("error").get<std::string>();
  }
};

TEST_F(AnswersTest, SaysThatALineWasTaken) {
  const nlohmann::json ok = {{"ok", true}};
  EXPECT_EQ(answer_to(join(), R"({"topic":"web:a","value":"x","answer":true})"), ok);
  EXPECT_EQ(answer_to(join(), R"({"topic":"subscribe:web:","answer":true})"), ok);
}

TEST_F(AnswersTest, SaysWhyALineWasNotTaken) {
  EXPECT_THAT(error_of(R"({"topic":"nft:x","answer":true})"), AllOf(HasSubstr("\"nft:\""), HasSubstr("topic_root")));
  EXPECT_THAT(error_of(R"({"topic":"nfbus:status","answer":true})"), HasSubstr("\"nfbus:\""));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","match":{"dport":"x"},"answer":true})"), HasSubstr("dport"));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","format":"xml","answer":true})"), HasSubstr("\"xml\""));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","format":1,"answer":true})"), HasSubstr("no such format: 1"));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","marker":1,"answer":true})"), HasSubstr("marker"));
  EXPECT_THAT(error_of(R"({"topic":"a","value":1,"answer":true})"), HasSubstr("value is no string"));
  EXPECT_THAT(error_of(R"({"topic":1,"value":"x","answer":true})"), HasSubstr("topic is no string"));
  EXPECT_THAT(error_of(R"({"topic":"a","Topic":"b","answer":true})"), HasSubstr("more than one \"topic\""));
}

TEST_F(AnswersTest, SaysThatARequestIsTooLong) {
  EXPECT_THAT(
      error_of(R"({"topic":"subscribe:","match":{"prefix":")" + std::string(5000, 'x') + R"("},"answer":true})"),
      HasSubstr("match that is too long"));
  EXPECT_THAT(error_of(R"({"topic":"subscribe:","format":")" + std::string(5000, 'x') + R"(","answer":true})"),
              HasSubstr("no format"));
}

TEST_F(AnswersTest, SaysWhenThereAreTooManySubscriptions) {
  Client& client = join();
  for (int i = 0; i < 256; ++i) subscribe(client, std::to_string(i));
  const nlohmann::json answer = answer_to(client, R"({"topic":"subscribe:more","answer":true})");
  EXPECT_EQ(answer.value("error", ""), "too many subscriptions");
}

TEST_F(AnswersTest, GivesNoneToThoseWhoDoNotAsk) {
  Client& client = join();
  Client& everything = subscriber("");
  for (const char* text : {R"({"topic":"web:a"})", R"({"topic":"nft:a"})", R"({"topic":"subscribe:","match":1})", "{",
                           R"({"topic":"a","value":1})", R"({"topic":"a","answer":false})"}) {
    hub.receive(client, text);
  }
  EXPECT_THAT(take_lines(client), IsEmpty());
  take_lines(everything);
  EXPECT_EQ(answer_to(client, R"({"topic":"web:a","answer":true})").value("ok", false), true);
  EXPECT_THAT(take_lines(everything), ElementsAre("{\"topic\":\"web:a\",\"answer\":true}\n"));
}

TEST_F(HubTest, AReloadIsForRootAndTheHostsUserAndIsAnsweredWhenItIsDone) {
  const std::string request = R"({"topic":"nfbus:reload","value":"","answer":true})";
  std::vector<std::uint64_t> asked;
  Client& early = join();
  hub.receive(early, request);
  EXPECT_THAT(take_lines(early), ElementsAre(HasSubstr("this host does not reload")));
  hub.serve_reloads([&](std::uint64_t client) {
    asked.push_back(client);
    return true;
  });
  Peer stranger;
  stranger.uid = ::geteuid() + 1234;
  clients.push_back(std::make_unique<Client>(Descriptor(), 77, stranger, kPlenty, hub.store()));
  hub.join(*clients.back());
  hub.receive(*clients.back(), request);
  EXPECT_THAT(take_lines(*clients.back()), ElementsAre(HasSubstr("only root and the user that nfbus runs as")));
  EXPECT_THAT(asked, IsEmpty());

  Client& asker = join();
  hub.receive(asker, request);
  EXPECT_THAT(asked, ElementsAre(asker.id));
  EXPECT_THAT(take_lines(asker), IsEmpty()) << "the outcome is not known yet";
  EXPECT_TRUE(asker.waits_for_answer);
  hub.answer_reload(asker.id,
                    {.done = Error{.code = Code::invalid, .text = "no"}, .findings = {"a.toml:1:2: \"x\"", "b"}});
  EXPECT_THAT(
      take_lines(asker),
      ElementsAre(HasSubstr(R"({\"ok\":false,\"error\":\"no\",\"findings\":[\"a.toml:1:2: \\\"x\\\"\",\"b\"]})")));
  EXPECT_FALSE(asker.waits_for_answer);
  hub.answer_reload(asker.id, {.done = {}, .findings = {}});
  EXPECT_THAT(take_lines(asker), IsEmpty()) << "nobody asked";
}

TEST_F(HubTest, FindingsOfAReloadThatDoNotFitIntoALineAreLeftOutAndSaid) {
  hub.serve_reloads([](std::uint64_t) { return true; });
  Client& asker = join();
  hub.receive(asker, R"({"topic":"nfbus:reload"})");
  hub.answer_reload(asker.id, {.done = Error{.code = Code::invalid, .text = "no"},
                               .findings = std::vector<std::string>(1000, std::string(100, '"'))});
  const auto lines = take_lines(asker);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_LT(lines.front().size(), kMostMadeBytes);
  EXPECT_THAT(lines.front(), HasSubstr("and more: nfbus check shows all"));
}

// Serves a hub whose matches are read on a thread of their own, which is busy.
class AsideTest : public HubTest {
 protected:
  AsideTest() {
    hub.read_aside(side);
    side.run([this] {
      go_on.get_future().wait();
      return [] {};
    });
  }
  ~AsideTest() override { finish(); }
  void finish() {
    if (!std::exchange(finished, true)) go_on.set_value();
  }

  std::promise<void> go_on;
  bool finished = false;
  std::atomic<int> done{0};
  SideThread side{[this] { ++done; }};
};

TEST_F(AsideTest, ServesSubscriptionsAtOnceThatHaveNoMatch) {
  Client& client = subscriber("web:", R"(,"format":"packet","marker":true,"answer":true)");
  EXPECT_FALSE(client.waits_for_answer);
  EXPECT_EQ(client.received.subscribed, 1U);
  EXPECT_THAT(take_lines(client), ElementsAre(HasSubstr("true")));
}

TEST_F(AsideTest, RefusesAtOnceThatIsTooLongToBeKept) {
  for (const std::string& more : {R"(,"match":{"prefix":")" + std::string(200'000, 'x') + "\"}",
                                  R"(,"match":{},"format":")" + std::string(200'000, 'x') + '"',
                                  R"(,"match":{},"marker":")" + std::string(200'000, 'x') + '"'}) {
    Client& client = subscriber("web:", more);
    EXPECT_FALSE(client.waits_for_answer);
    EXPECT_EQ(client.received.refused, 1U);
  }
  Client& client = subscriber(std::string(200'000, 'x'), R"(,"match":{})");
  EXPECT_EQ(client.received.refused, 1U);
}

TEST_F(AsideTest, KeepsNoMoreOfThoseThatWaitThanOfSubscriptions) {
  const std::string match = R"(,"match":{"prefix":")" + std::string(20'000, 'x') + "\"}";
  std::uint64_t waiting = 0;
  for (int i = 0; i < 1000; ++i) waiting += subscriber("web:", match).waits_for_answer ? 1U : 0U;
  EXPECT_GT(waiting, 100U);
  EXPECT_LT(waiting * 20'000U, 17UL << 20U);
  EXPECT_EQ(hub.counters().received.refused, 1000U - waiting);
  EXPECT_TRUE(subscriber("web:", R"(,"match":{"prefix":"x"})").waits_for_answer) << "a small one is always let in";

  finish();
  while (done.load() < static_cast<int>(waiting) + 2) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  for (const SideThread::Then& then : side.take_done()) then();
  EXPECT_TRUE(subscriber("web:", match).waits_for_answer) << "what had waited does no more";
  EXPECT_EQ(clients.at(0)->received.refused, 1U) << "too long, now that it was read";
}

// Takes the log as the host does.
class SaidLines final : public log::Receiver {
 public:
  SaidLines() { log::set_receiver(this); }
  ~SaidLines() { log::set_receiver(nullptr); }
  void take(log::Level, std::string_view line) noexcept override { said.emplace_back(line); }
  void take_repeated(log::Level level, std::string_view source, std::string_view kind,
                     std::string_view line) noexcept override {
    if (repeats_.admit(level, source, kind, line, {})) said.emplace_back(line);
  }
  [[nodiscard]] std::uint64_t dropped() const noexcept override { return 0; }

  std::vector<std::string> said;

 private:
  log::Repeats repeats_;
};

TEST_F(HubTest, LetsNoClientKeepTheLogFromTheTroublesOfOthers) {
  Client& noisy = join();
  SaidLines log;
  for (int i = 0; i < 100; ++i) {
    const std::string words(static_cast<std::size_t>(i), 'x');
    subscribe(noisy, "a" + words + ":");
    subscribe(noisy, "b",
              R"(,"format":[true,)" + std::to_string(i) + ",[null" +
                  (i % 2 != 0 ? "]" : ",\"" + words.substr(0, 30) + "\"]") + ']');
    subscribe(noisy, "c", R"(,"match":{"k)" + words + R"(":1})");
    hub.receive(noisy, R"({"topic":"nft:)" + words + R"(\" said )" + words + R"( \""})");
    hub.receive(noisy, R"({"topic":"nfbus:)" + words + R"(\" said )" + words + R"("})");
  }
  EXPECT_LT(log.said.size(), 12U) << "one line for one trouble";
  log.said.clear();
  hub.receive(join(), R"({"topic":"a","topic":"b"})");
  hub.receive(join(), "GET / HTTP/1.1");
  EXPECT_THAT(log.said, ElementsAre(HasSubstr("more than one"), HasSubstr("HTTP")));
}

}  // namespace
}  // namespace nfbus::host::test
