// Our form of rules: what they tell, and how they keep quiet.
#include "rules_fixture.hpp"

#include "rules/text.hpp"

namespace rules::test {
namespace {

using OwnRules = RulesTest;

TEST_F(OwnRules, TellOfAMatchAtOnce) {
  start(rule({{"severity", "warning"}, {"title", "{proto} from {in}"}}).dump());
  packet();
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].shape, Shape::rules);
  EXPECT_EQ(told[0].rule, "Try");
  EXPECT_EQ(told[0].severity, "warning");
  EXPECT_EQ(told[0].title, "tcp from lan0");
  EXPECT_EQ(told[0].message, "10.0.0.2 tried 22");
  EXPECT_EQ(told[0].topic, "nft:drop:input");
  EXPECT_EQ(told[0].count, 1U);
  EXPECT_EQ(told[0].window_s, 0U);
  EXPECT_EQ(told[0].time_ns, now_ns_);
  EXPECT_EQ(told[0].frame_type, "alert:try");
  EXPECT_EQ(told[0].bus_topic, "alert:try");
  EXPECT_EQ(told[0].frame_data, told[0].bus_text);
  const json data = json::parse(told[0].bus_text);
  EXPECT_EQ(data["NotificationType"], "warning");
  EXPECT_EQ(data["Title"], "tcp from lan0");
  EXPECT_EQ(data["Body"], "10.0.0.2 tried 22");
  EXPECT_EQ(data["Event"]["IP"]["SrcIP"], "10.0.0.2");
  EXPECT_EQ(data["Count"], 1);
}

TEST_F(OwnRules, MatchAnyOfTheirTables) {
  start(rule({{"match", {{{"dport", 22}}, {{"dport", "8000-8999"}}}}, {"cooldown_s", 0}}).dump());
  packet({.port = 22});
  packet({.port = 23});
  packet({.port = 8443});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 tried 22", "10.0.0.2 tried 8443"));
}

TEST_F(OwnRules, RollRepeatsUpAtTheEndOfTheCooldown) {
  start(rule({{"cooldown_s", 60}}).dump());
  for (unsigned port = 1; port <= 413; ++port) packet({.port = port});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 tried 1"));
  wait(59.9);
  EXPECT_THAT(take(), IsEmpty());
  packet({.port = 7777});
  wait(0.1);
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].message, "10.0.0.2 tried 7777 (x 413 in 60 s)");
  EXPECT_EQ(told[0].count, 413U);
  EXPECT_EQ(told[0].window_s, 60U);
  const json data = json::parse(told[0].bus_text);
  EXPECT_EQ(data["Count"], 413);
  EXPECT_EQ(data["Window"], 60);
  EXPECT_EQ(data["Event"]["TCP"]["DstPort"], 7777);
  EXPECT_EQ(overview()[0]["matched"], 414);
  EXPECT_EQ(overview()[0]["rolled_up"], 413);
  EXPECT_EQ(overview()[0]["told"], 2);
}

TEST_F(OwnRules, GoOnQuietlyWhileItRepeatsAndTellAtOnceAfterwards) {
  start(rule({{"cooldown_s", 10}, {"message", "{count} in {window_s}"}}).dump());
  packet();
  packet();
  EXPECT_THAT(messages(), ElementsAre("1 in 0"));
  wait(10);
  EXPECT_THAT(messages(), ElementsAre("1 in 10 (x 1 in 10 s)"));
  packet();
  packet();
  EXPECT_THAT(messages(), IsEmpty());
  wait(10);
  EXPECT_THAT(messages(), ElementsAre("2 in 10 (x 2 in 10 s)"));
  wait(10);
  EXPECT_THAT(messages(), IsEmpty());
  packet();
  EXPECT_THAT(messages(), ElementsAre("1 in 0"));
}

TEST_F(OwnRules, RollUpEachGroupOnItsOwn) {
  start(rule({{"group_by", {"src"}}}).dump());
  packet({.source = "10.0.0.2"});
  packet({.source = "10.0.0.3"});
  packet({.source = "10.0.0.3"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 tried 22", "10.0.0.3 tried 22"));
  wait(10);
  EXPECT_THAT(messages(), ElementsAre("10.0.0.3 tried 22 (x 1 in 10 s)"));
}

TEST_F(OwnRules, HoldBackWhatIsTooMuchForAnHourAndSayHowMuch) {
  start(rule({{"cooldown_s", 0}, {"max_per_hour", 3}}).dump());
  for (int i = 0; i < 10; ++i) packet();
  EXPECT_THAT(take(), SizeIs(3));
  wait(3599);
  EXPECT_THAT(take(), IsEmpty());
  wait(1);
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].message, "7 events were held back in the last hour");
  EXPECT_EQ(told[0].count, 7U);
  EXPECT_EQ(told[0].window_s, 3600U);
  EXPECT_EQ(overview()[0]["held_back"], 7);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(OwnRules, SayWithinTenSecondsWhatWasTooMuchForASecondWhateverTheirHour) {
  start(rule({{"cooldown_s", 0}, {"max_per_hour", 100'000}}).dump());
  for (int i = 0; i < 150; ++i) packet();
  EXPECT_THAT(take(), SizeIs(100));
  wait(10);
  EXPECT_THAT(messages(), ElementsAre("50 events were held back in the last 10 s"));
  // What is too much for the hour is told at its end, and once.
  start(rule({{"cooldown_s", 0}, {"max_per_hour", 100}}).dump());
  for (int i = 0; i < 350; ++i) packet();
  EXPECT_THAT(take(), SizeIs(100));
  wait(3599);
  EXPECT_THAT(take(), IsEmpty());
  wait(1);
  EXPECT_THAT(messages(), ElementsAre("250 events were held back in the last hour"));
}

TEST_F(OwnRules, StandAFloodOfGroups) {
  start(rule({{"group_by", {"src", "dport"}}}).dump());
  for (unsigned i = 0; i < 10'000; ++i) packet({.source = "10.1.0.1", .port = i});
  EXPECT_THAT(take(), SizeIs(100));  // a second's
  EXPECT_EQ(overview()[0]["held_back"], 9900);
  wait(10);
  EXPECT_THAT(messages(), ElementsAre("9900 events were held back in the last 10 s"));
}

TEST_F(OwnRules, CountWhileTheyAreSnoozed) {
  start(rule({{"snooze_until", time_text(now_ns_ + 100 * kSecondNs)}}).dump());
  packet();
  packet();
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(overview()[0]["snoozed"], 2);
  EXPECT_EQ(overview()[0]["snooze_until"], time_text(now_ns_ + 100 * kSecondNs));
  wait(100);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(OwnRules, AreNotSilencedByAClockThatJumpsBack) {
  start(rule({{"cooldown_s", 60}, {"max_per_hour", 2}}).dump());
  packet();
  packet();
  wait(-86'400);
  wait(60);
  EXPECT_THAT(take(), SizeIs(2));
  packet();
  wait(60);
  packet();
  EXPECT_EQ(overview()[0]["held_back"], 1);
  wait(3600 - 120);
  EXPECT_THAT(messages(), ElementsAre("2 events were held back in the last hour"));
}

TEST_F(OwnRules, TellOfADeviceThatWasNeverHere) {
  const json rules = rule({{"name", "A new device"},
                           {"match", json::object()},
                           {"first_seen", "src"},
                           {"message", "{src_name} was never here"},
                           {"cooldown_s", 0}});
  names_["10.0.0.3"] = "Fridge";
  start(rules.dump());
  packet({.source = "10.0.0.2"});
  packet({.source = "10.0.0.3"});
  packet({.source = "10.0.0.2"});
  message("wifi:auth:success", "{}");  // has no source
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2 was never here", "Fridge was never here"));
  EXPECT_EQ(overview()[0]["matched"], 2);
  book_->finish(told_);
  start();
  packet({.source = "10.0.0.3"});
  packet({.source = "10.0.0.4"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.4 was never here"));
}

TEST_F(OwnRules, TellOfEachNewDeviceAtOnceWhateverTheCooldown) {
  start(rule({{"first_seen", "src"}, {"message", "{src}"}, {"cooldown_s", 60}}).dump());
  for (int round = 0; round < 2; ++round) {
    for (int i = 2; i < 8; ++i) packet({.source = "10.0.0." + std::to_string(i)});
  }
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"));
  wait(60);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(OwnRules, NameEachNewDeviceInTheEndWhereAllShareAWindow) {
  start(rule({{"first_seen", "src"}, {"group_by", json::array()}, {"message", "{src}"}, {"cooldown_s", 60}}).dump());
  const auto all = [&] {
    for (int i = 2; i < 5; ++i) packet({.source = "10.0.0." + std::to_string(i)});
  };
  all();
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2"));
  wait(60);
  EXPECT_THAT(messages(), ElementsAre("10.0.0.4 (x 2 in 60 s)"));
  all();
  wait(60);
  EXPECT_THAT(messages(), ElementsAre("10.0.0.3 (x 1 in 60 s)"));
  all();
  wait(60);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(OwnRules, DoNotTakeWhatWasHeldBackForSeen) {
  start(rule({{"first_seen", "src"}, {"message", "{src}"}, {"max_per_hour", 1}}).dump());
  packet({.source = "10.0.0.2"});
  packet({.source = "10.0.0.3"});
  packet({.source = "10.0.0.3"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2"));
  EXPECT_EQ(overview()[0]["held_back"], 2);
  EXPECT_EQ(book_->held_back(), 2U);
  wait(3600);
  EXPECT_THAT(messages(), ElementsAre("2 events were held back in the last hour"));
  packet({.source = "10.0.0.2"});
  packet({.source = "10.0.0.3"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.3"));
}

TEST_F(OwnRules, DoNotTakeWhatCameDuringASnoozeForSeen) {
  start(rule({{"first_seen", "src"}, {"message", "{src}"}, {"snooze_until", time_text(now_ns_ + 60 * kSecondNs)}})
            .dump());
  packet({.source = "10.0.0.2"});
  wait(60);
  packet({.source = "10.0.0.2"});
  packet({.source = "10.0.0.2"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.2"));
}

TEST_F(OwnRules, CountEventsAndEachOfThemOnce) {
  start(rule({{"cooldown_s", 60}, {"max_per_hour", 2}}).dump());
  for (int i = 0; i < 5; ++i) packet();
  wait(60);
  for (int i = 0; i < 7; ++i) packet();
  wait(60);
  EXPECT_THAT(take(), SizeIs(2));
  const json counts = overview()[0];
  EXPECT_EQ(counts["matched"], 12);
  EXPECT_EQ(counts["told"], 2);
  EXPECT_EQ(counts["rolled_up"], 4);
  EXPECT_EQ(counts["held_back"], 7);
  EXPECT_EQ(book_->held_back(), 7U);
}

TEST_F(OwnRules, TellOfANewPortOfAHost) {
  start(rule({{"first_seen", {"dst", "dport"}}, {"message", "{dst}: {dport}"}, {"cooldown_s", 0}}).dump());
  packet({.destination = "10.0.0.1", .port = 22});
  packet({.destination = "10.0.0.1", .port = 22});
  packet({.destination = "10.0.0.1", .port = 80});
  packet({.destination = "10.0.0.9", .port = 22});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.1: 22", "10.0.0.1: 80", "10.0.0.9: 22"));
}

TEST_F(OwnRules, LearnBeforeTheyTellOfWhatIsNew) {
  const std::string rules = rule({{"first_seen", "src"}, {"learn_s", 3600}, {"cooldown_s", 0}}).dump();
  start(rules);
  packet({.source = "10.0.0.2"});
  EXPECT_EQ(overview()[0]["learned"], 1);
  book_->finish(told_);
  start();  // a restart does not begin it anew
  wait(3600);
  packet({.source = "10.0.0.2"});
  packet({.source = "10.0.0.3"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.3 tried 22"));
}

// The clock of a router that boots without one is set while it runs.
TEST_F(OwnRules, LearnAsLongAsTheySayWhenTheClockIsSet) {
  now_ns_ = 1000 * kSecondNs;
  start(rule({{"first_seen", "src"}, {"learn_s", 60}, {"cooldown_s", 0}}).dump());
  packet({.source = "10.0.0.2"});
  wait(1'790'000'000);
  packet({.source = "10.0.0.3"});
  wait(59);
  packet({.source = "10.0.0.4"});
  EXPECT_THAT(take(), IsEmpty());
  wait(1);
  packet({.source = "10.0.0.5"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.5 tried 22"));
  wait(-1000);
  packet({.source = "10.0.0.6"});
  EXPECT_THAT(messages(), ElementsAre("10.0.0.6 tried 22"));
}

// A router that boots without a clock.
TEST_F(OwnRules, LearnAsLongAsTheySayThoughTheClockIsBehindAtAStart) {
  start(rule({{"first_seen", "src"}, {"learn_s", 3600}, {"cooldown_s", 0}}).dump());
  packet({.source = "10.0.0.2"});
  book_->finish(told_);
  const std::int64_t real_ns = now_ns_;
  for (const bool has_learned : {false, true}) {
    now_ns_ = 1000 * kSecondNs;
    start();
    packet({.source = has_learned ? "10.0.0.3" : "10.0.0.4"});
    EXPECT_THAT(messages(), SizeIs(has_learned ? 1 : 0));
    now_ns_ = real_ns + (has_learned ? 3601 : 60) * kSecondNs;  // it is set
    book_->tick(now_ns_, told_);
    packet({.source = has_learned ? "10.0.0.5" : "10.0.0.6"});
    EXPECT_THAT(messages(), SizeIs(has_learned ? 1 : 0));
    if (has_learned) break;
    wait(3600);
    packet({.source = "10.0.0.7"});
    EXPECT_THAT(messages(), ElementsAre("10.0.0.7 tried 22"));
    book_->finish(told_);
  }
}

TEST_F(OwnRules, MatchMessagesByTheirTopic) {
  start(rule({{"match", {{"topic", "wifi:*"}}}, {"message", "{topic}:{src}{dport}."}, {"cooldown_s", 0}}).dump());
  message("wifi:auth:fail", R"({"MAC":"02:00:00:00:00:01"})");
  message("wifi:auth:fail", "no JSON\x1b");
  message("dhcp:request", "{}");
  message("wifi:auth:fail", std::string(8'000, '\x1b'));
  const auto told = take();
  ASSERT_THAT(told, SizeIs(3));
  EXPECT_EQ(told[0].message, "wifi:auth:fail:.");
  EXPECT_EQ(json::parse(told[0].bus_text)["Event"]["MAC"], "02:00:00:00:00:01");
  EXPECT_EQ(json::parse(told[1].bus_text)["Event"], "no JSON\x1b");
  EXPECT_FALSE(json::parse(told[2].bus_text).contains("Event"));  // 48,000 bytes as JSON
}

TEST_F(OwnRules, ShowHostileTextsAsWhatTheyAre) {
  start(rule({{"message", "{prefix}|{in}|{country}|{RecentDomainDst}|{domain}|{mark}|{{x}}"}}).dump());
  packet({.prefix = "a\x1b[31m\xff ",
          .in_name = "l\nan",
          .fields = {{"country",
                      "D\xe2\x80\xae"
                      "E"},
                     {"RecentDomainDst", "evil.example\x07"}}});
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].message, "a\\x1b[31m\xef\xbf\xbd|l\\x0aan|DE|evil.example\\x07|evil.example\\x07||{x}");
  EXPECT_FALSE(json::parse(told[0].bus_text, nullptr, false).is_discarded());
}

TEST_F(OwnRules, HaveAMessageOfTheirOwnWhereTheUserHasNone) {
  start(R"([{"name":"Bare","match":{}}])");
  packet({.source = "2001:db8::2", .destination = "2001:db8::1", .port = 53, .is_udp = true});
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].title, "Bare");
  EXPECT_EQ(told[0].message, "2001:db8::2 to 2001:db8::1 port 53 (udp)");
}

TEST_F(OwnRules, NeverJudgeTheirOwnEcho) {
  start(rule({{"match", json::object()}}).dump());
  message("alert:try", "{}");
  message("nfbus:status", "{}");
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(OwnRules, SayWhatIsWrong) {
  const auto error_of = [this](const json& changes) {
    start(rule(changes).dump());
    return overview()[0].value("error", "");
  };
  EXPECT_EQ(error_of({{"cooldown", 5}}), R"("cooldown" is an unknown key; did you mean "cooldown_s"?)");
  EXPECT_EQ(error_of({{"name", ""}}), "name: is missing or empty");
  EXPECT_EQ(error_of({{"name", "a\nb"}}), "name: has control characters in it");
  EXPECT_EQ(error_of({{"severity", "warn"}}), R"(severity: "warn" is none of info, success, warning, error, danger)");
  EXPECT_EQ(error_of({{"cooldown_s", -1}}), "cooldown_s: must be an integer, 0 to 86400");
  EXPECT_EQ(error_of({{"cooldown_s", 1.5}}), "cooldown_s: must be an integer, 0 to 86400");
  EXPECT_EQ(error_of({{"max_per_hour", "3"}}), "max_per_hour: must be an integer, 0 to 100000");
  EXPECT_EQ(error_of({{"snooze_until", "tomorrow"}}),
            R"(snooze_until: "tomorrow" is no time of RFC 3339, as "2026-12-24T18:00:00Z")");
  EXPECT_EQ(error_of({{"learn_s", 5}}), "learn_s: is of use with first_seen alone");
  EXPECT_EQ(error_of({{"match", 5}}), "match: must be a table, or a list of tables");
  EXPECT_EQ(error_of({{"match", json::array()}}),
            "match: is an empty list, which holds for no event; {} holds for each packet");
  EXPECT_THAT(error_of({{"match", {{"dst", "10.0.0.256"}}}}), ::testing::StartsWith("match.dst: "));
  EXPECT_THAT(error_of({{"match", {{{"dst", "10.0.0.1"}}, {{"dport", {1, 70000}}}}}}),
              ::testing::StartsWith("match[1].dport[1]: "));
  EXPECT_THAT(error_of({{"match", {{"sorce", "10.0.0.1"}}}}), ::testing::StartsWith("match.sorce: unknown key"));
  EXPECT_EQ(error_of({{"first_seen", "host"}}), R"(first_seen: "host" is either of two addresses; write src or dst)");
  EXPECT_EQ(error_of({{"group_by", {"sorc"}}}),
            R"(group_by: "sorc" is no field, nor does a filter add it; did you mean "src"?)");
  EXPECT_EQ(error_of({{"group_by", {"country"}}}), "");
  EXPECT_EQ(error_of({{"message", "{scr} tried"}}),
            R"(message: "scr" is no field, nor does a filter add it; did you mean "src"?)");
  EXPECT_EQ(error_of({{"title", "{contry}"}}),
            R"(title: "contry" is no field, nor does a filter add it; did you mean "country"?)");
  EXPECT_THAT(error_of({{"message", "{cuont}"}}), HasSubstr(R"(did you mean "count"?)"));
  EXPECT_THAT(error_of({{"message", "{physin}"}}), HasSubstr("is no field"));
  EXPECT_EQ(error_of({{"message", "{country} {rule} {count}"}}), "");
  EXPECT_EQ(error_of({{"first_seen", json::array()}}),
            "first_seen: names no field, of which nothing is ever new; name one, or leave it out");
  EXPECT_EQ(
      error_of({{"match", {{"topic", "alert:*"}}}}),
      R"(match.topic: "alert:*" never holds: what rules publish (alert:...) and nfbus:status are judged by no rule)");
  EXPECT_THAT(error_of({{"match", {{{"dport", 22}}, {{"topic", {"nfbus:status", "alert:try"}}}}}}),
              ::testing::StartsWith("match[1].topic: "));
  EXPECT_EQ(error_of({{"match", {{"topic", {"nfbus:status", "wifi:*"}}}}}), "");
  EXPECT_EQ(error_of({{"match", {{"topic", "nfbus:*"}}}}), "");
  EXPECT_EQ(error_of({{"snooze_until", "9999-12-31T00:00:00Z"}}), "");
  EXPECT_EQ(error_of({{"message", "{src tried"}}), R"(message: "{" has no "}" behind it; write "{{" for a brace)");
  EXPECT_THAT(error_of({{"message", "{a b}"}}), ::testing::StartsWith(R"(message: "{a b}" is no field)"));
  EXPECT_EQ(error_of({{"title", "a\nb"}}), "title: control characters and line ends have no place in it");
  EXPECT_EQ(error_of({{"message", "a\nb"}}), "");
  EXPECT_EQ(error_of({{"snooze_until", nullptr}, {"title", nullptr}}), "");
}

TEST_F(OwnRules, TakeAnyFieldWhereAFilterDoesNotSayWhatItAdds) {
  shared_.fields.any = true;
  const nfbus::host::InstanceServices services("sink.web", "web", shared_);
  abi_ = *services.abi();
  start(rule({{"message", "{city}"}}).dump());
  packet({.fields = {{"city", "Berlin"}}});
  EXPECT_THAT(messages(), ElementsAre("Berlin"));
  book_.reset();
}

TEST_F(OwnRules, PublishUnderTopicsOfTheirOwn) {
  json rules = json::array();
  for (const char* const name : {"Try!", "try", "\xc3\xa4", "\xc3\xb6"}) rules.push_back(rule({{"name", name}})[0]);
  start(rules.dump());
  packet();
  std::vector<std::string> topics;
  for (const Notification& told : take()) topics.push_back(told.bus_topic);
  EXPECT_THAT(topics, ElementsAre("alert:try", "alert:try-2", "alert:rule", "alert:rule-2"));
}

TEST_F(OwnRules, AreSnoozedForEverByATimeThatIsBeyondOurClock) {
  start(rule({{"snooze_until", "9999-12-31T00:00:00Z"}}).dump());
  packet();
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(overview()[0]["snooze_until"], "9999-12-31T00:00:00Z");
}

TEST_F(OwnRules, EachHaveANameOfTheirOwn) {
  json rules = rule();
  rules.push_back(rules[0]);
  start(rules.dump());
  EXPECT_FALSE(overview()[0].contains("error"));
  EXPECT_EQ(overview()[1]["error"], R"(name: another rule is called "Try", too; each has a name of its own)");
  packet();
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(OwnRules, AreTriedAsIfTheyHadNeverBeenQuiet) {
  start(rule().dump());
  const auto trial = book_->try_rule(rule({{"first_seen", "src"}, {"disabled", true}})[0].dump());
  const auto matches = [&](const Made& made) {
    auto event = made_of(made);
    event.event.origin = &event.event;
    const bool out = trial->matches(nfbus::Event(&event.event));
    services_.call_ended();
    return out;
  };
  EXPECT_TRUE(matches({.source = "10.0.0.2"}));
  EXPECT_FALSE(matches({.source = "10.0.0.2"}));
  EXPECT_TRUE(matches({.source = "10.0.0.3"}));
  EXPECT_THROW((void)book_->try_rule(R"({"name":"x"})"), std::invalid_argument);
  EXPECT_THROW((void)book_->try_rule("{"), std::invalid_argument);
}

}  // namespace
}  // namespace rules::test
