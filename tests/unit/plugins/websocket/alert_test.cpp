// SPR's alerts.
#include "check_event.hpp"
#include "packets.hpp"
#include "rules_fixture.hpp"

namespace rules::test {
namespace {

using Alerts = RulesTest;

json alert(const json& changes = json::object(), const json& action_changes = json::object()) {
  json action = {{"SendNotification", true}, {"StoreAlert", false},        {"MessageTitle", "T"},
                 {"MessageBody", "B"},       {"NotificationType", "info"}, {"GrabEvent", false}};
  action.update(action_changes);
  json rule = {
      {"TopicPrefix", "nft:drop:"},       {"MatchAnyOne", false}, {"InvertRule", false}, {"Conditions", json::array()},
      {"Actions", json::array({action})}, {"Name", "N"},          {"Disabled", false},   {"RuleId", "id-1"}};
  rule.update(changes);
  return json::array({rule});
}

json conditions(const std::vector<std::string>& paths) {
  json out = json::array();
  for (const std::string& path : paths) out.push_back({{"JPath", path}});
  return out;
}

TEST_F(Alerts, TellWhatSprTells) {
  start(alert({{"Conditions", conditions({"$[?(@.TCP.DstPort==23)]"})}}, {{"StoreAlert", true},
                                                                          {"BucketSuffix", "telnet"},
                                                                          {"GrabEvent", true},
                                                                          {"GrabValues", true},
                                                                          {"NotificationType", "warning"}})
            .dump());
  packet({.port = 23});
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].frame_type, "alert:nft:drop:input:telnet");
  const json data = json::parse(told[0].frame_data);
  std::vector<std::string> keys;
  for (const auto& item : data.items()) keys.push_back(item.key());
  EXPECT_THAT(keys, ::testing::UnorderedElementsAre("Topic", "RuleId", "NotificationType", "Title", "Body", "Event",
                                                    "Values", "State"));
  EXPECT_EQ(data["Topic"], "nft:drop:input");
  EXPECT_EQ(data["RuleId"], "id-1");
  EXPECT_EQ(data["State"], "");
  EXPECT_EQ(data["Event"]["TCP"]["DstPort"], 23);
  EXPECT_EQ(data["Values"], json::array({json::array({data["Event"]})}));
  EXPECT_EQ(told[0].bus_topic, "alert:nft:drop:input:telnet");
  EXPECT_EQ(json::parse(told[0].bus_text)["Title"], "T");
  EXPECT_EQ(told[0].severity, "warning");
  packet({.port = 24});
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(Alerts, SayHowManyEventsWereTooMuchForASecond) {
  json rules = alert();
  rules[0]["Actions"].push_back(rules[0]["Actions"][0]);
  start(rules.dump());
  for (int i = 0; i < 503; ++i) packet();
  EXPECT_THAT(take(), SizeIs(1000));
  EXPECT_EQ(overview()[0]["held_back"], 3);
  rules[0]["Name"] = "M";
  ASSERT_EQ(put(Shape::alerts, 0, rules[0].dump()).status, 200);
  packet();
  EXPECT_THAT(take(), IsEmpty());  // the second goes on
  wait(10);
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].bus_topic, "alert:m");
  EXPECT_EQ(told[0].message, "4 events were held back in the last 10 s");
  EXPECT_EQ(told[0].count, 4U);
  EXPECT_FALSE(told[0].is_for_clients);
  EXPECT_EQ(book_->held_back(), 4U);
  for (int i = 0; i < 503; ++i) packet();
  (void)take();
  rules[0]["Disabled"] = true;
  ASSERT_EQ(put(Shape::alerts, 0, rules[0].dump()).status, 200);
  wait(0.1);
  EXPECT_THAT(messages(), ElementsAre("3 events were held back in the last 10 s"));
  EXPECT_EQ(overview()[0]["held_back"], 7);
}

TEST_F(Alerts, GrabWhatStandsBelowAListOnce) {
  for (const json& fields : {json{"A", "A.B.0.C"}, json{"A.B.0.C", "A"}, json{"A.B", "A.B.0.C"}}) {
    json rules = alert({{"TopicPrefix", "g:"}}, {{"GrabEvent", true}, {"GrabFields", fields}});
    start(rules.dump());
    const json event = {{"A", {{"B", json::array({{{"C", 1}}})}}}};
    message("g:x", event.dump());
    const auto told = take();
    ASSERT_THAT(told, SizeIs(1)) << fields;
    EXPECT_EQ(json::parse(told[0].frame_data)["Event"], event) << fields;
  }
}

TEST_F(Alerts, ThatFailCostThemselvesAlone) {
  json rules = alert(json::object(), {{"MessageBody", "{{IP.SrcIP#Device}}"}});
  rules.push_back(alert({{"Name", "good"}, {"RuleId", "id-2"}})[0]);
  write(rules.dump());
  book_ = std::make_unique<RuleBook>(host(), Settings{.file = file(), .name_of = [](std::string_view) -> std::string {
                                                        throw std::runtime_error("no names today");
                                                      }});
  book_->load();
  for (int i = 0; i < 3; ++i) packet();
  EXPECT_THAT(messages(), ElementsAre("B", "B", "B"));
  EXPECT_THAT(overview()[0]["error"], HasSubstr("no names today"));
  EXPECT_FALSE(overview()[1].contains("error"));
  EXPECT_THAT(logged(), ElementsAre(HasSubstr("notifications.json: alerts 0: it failed, and does nothing until it is "
                                              "changed: no names today")));
  // Whatever happens to the others.
  ASSERT_EQ(remove(Shape::alerts, 1).status, 200);
  packet();
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_THAT(logged(), SizeIs(1));
  ASSERT_EQ(put(Shape::alerts, 0, alert(json::object(), {{"MessageBody", "mended"}})[0].dump()).status, 200);
  packet();
  EXPECT_THAT(messages(), ElementsAre("mended"));
  EXPECT_FALSE(overview()[0].contains("error"));
}

TEST_F(Alerts, MayHaveTheirKeysInAnyCase) {
  start(R"([{"topicprefix":"nft:","name":"n","actions":[{"sendnotification":true}]},
            {"topicprefix":"nft:","name":"wrong","actions":[]}])");
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  EXPECT_EQ(overview()[1]["shape"], "alerts");
  EXPECT_EQ(overview()[1]["name"], "wrong");
}

TEST_F(Alerts, GoWhereTheirActionSays) {
  start(alert().dump());
  packet();
  auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_TRUE(told[0].is_for_clients);
  EXPECT_EQ(told[0].bus_topic, "alert:nft:drop:input:");
  EXPECT_EQ(told[0].frame_type, "alert:nft:drop:input:");

  start(alert(json::object(), {{"SendNotification", false}, {"StoreAlert", true}}).dump());
  packet();
  told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_FALSE(told[0].is_for_clients);
  EXPECT_EQ(told[0].bus_topic, "alert:nft:drop:input:");

  start(alert(json::object(), {{"SendNotification", false}}).dump());
  packet();
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(Alerts, JoinTheirConditionsAsTheySay) {
  const std::string yes = "$[?(@.TCP.DstPort==22)]";
  const std::string no = "$[?(@.TCP.DstPort==23)]";
  const std::string missing = "$[?(@.Nowhere==23)]";
  const auto tells = [this](const std::vector<std::string>& paths, bool any, bool inverted) {
    start(alert({{"Conditions", conditions(paths)}, {"MatchAnyOne", any}, {"InvertRule", inverted}}).dump());
    packet();
    return !take().empty();
  };
  EXPECT_TRUE(tells({yes, yes}, false, false));
  EXPECT_FALSE(tells({yes, no}, false, false));
  EXPECT_TRUE(tells({no, yes}, true, false));
  EXPECT_FALSE(tells({no, missing}, true, false));
  EXPECT_TRUE(tells({no, missing}, true, true));
  EXPECT_FALSE(tells({yes, yes}, false, true));
  EXPECT_TRUE(tells({missing}, false, true));
  EXPECT_TRUE(tells({}, false, false));
  EXPECT_TRUE(tells({}, false, true));
}

// What the headers say, and what the JSON says, is the same.
TEST_F(Alerts, ComeToTheSameByHeadersAndByJson) {
  const std::vector<std::string> leaves = {R"(@.IP.SrcIP=="10.0.0.2")",
                                           R"(@.IP.SrcIP=="2001:db8::2")",
                                           R"(@.IP.DstIP!="10.0.0.1")",
                                           "@.TCP.DstPort>22",
                                           "@.UDP.DstPort==22",
                                           R"(@.InDev=~"^lan")",
                                           R"(@.OutDev=="")",
                                           R"(@.Action=="blocked")",
                                           "@.IP.TTL==64",
                                           "@.IP.Version==6",
                                           "@.ICMP.Type==8"};
  const std::vector<Made> packets = {
      {}, {.source = "2001:db8::2", .destination = "2001:db8::1"}, {.is_udp = true}, {.port = 80, .in_name = "wan0"}};
  for (const std::string& a : leaves) {
    for (const std::string& b : leaves) {
      for (const std::string& path :
           {a + " && " + b, a + " || " + b, "(" + a + " && " + b + ") || " + a, "(" + b + " || " + a + ") && " + b}) {
        start(alert({{"Conditions", conditions({"$[?(" + path + ")]"})}}).dump());
        for (const Made& made : packets) {
          packet(made);
          const bool by_both = !take().empty();
          packet_as_message(made);  // which has no headers
          EXPECT_EQ(!take().empty(), by_both) << path << ' ' << made.source;
        }
      }
    }
  }
}

TEST_F(Alerts, ComeToTheSameForEveryKindOfPacket) {
  const std::vector<std::string> leaves = {R"(@.IP.SrcIP=="192.0.2.1")",
                                           R"(@.IP.SrcIP!="192.0.2.1")",
                                           R"(@.IP.DstIP=~".")",
                                           "@.TCP.SrcPort>0",
                                           "@.TCP.DstPort>0",
                                           "@.UDP.SrcPort>0",
                                           "@.UDP.DstPort!=53",
                                           R"(@.OutDev=="")",
                                           R"(@.InDev!="x")",
                                           R"(@.Action!="allowed")"};
  for (const std::string& leaf : leaves) {
    start(alert({{"Conditions", conditions({"$[?(" + leaf + ")]"})}}).dump());
    for (const nfbus::test::Packet& fixture : nfbus::test::load_packets(NFBUS_TEST_DATA)) {
      nfbus::host::Event event = nfbus::test::decode_record(fixture.record);
      event.topic = NFBUS_TEXT("nft:drop:input");
      event.origin = &event;
      book_->judge(nfbus::Event(&event), told_);
      const std::string text(nfbus::Event(&event).json(host().format("packet")));
      services_.call_ended();
      const bool by_headers = !take().empty();
      message("nft:drop:input", text);
      EXPECT_EQ(!take().empty(), by_headers) << leaf << ' ' << fixture.name;
    }
  }
}

TEST_F(Alerts, ReadMessagesAsTheyRead) {
  start(alert({{"TopicPrefix", "wifi:auth:"}, {"Conditions", conditions({R"($[?(@.Type=="wpa3")])"})}},
              {{"MessageBody", "{{MAC#Device}} ({{MAC}}) {{Reason}} {{Nothing.Here}}"}})
            .dump());
  names_["02:00:00:00:00:01"] = "Printer";
  message("wifi:auth:fail", R"({"Type":"wpa3","MAC":"02:00:00:00:00:01","Reason":"mismatch"})");
  message("wifi:auth:fail", R"({"Type":"wpa2"})");
  message("wifi:auth:fail", "no JSON");
  message("wifi:auth:fail", "[1]");
  message("wifi:station:disconnect", R"({"Type":"wpa3"})");
  EXPECT_THAT(messages(), ElementsAre("Printer (02:00:00:00:00:01) mismatch {{Nothing.Here}}"));
}

TEST_F(Alerts, FillTemplatesFromThePacket) {
  start(alert(json::object(),
              {{"MessageTitle", "from {{IP.SrcIP#Device}}"},
               {"MessageBody", "{{InDev#Interface}} {{IP.SrcIP}} to {{TCP.DstPort}}{{UDP.DstPort}} {{ {{IP}}"}})
            .dump());
  names_["10.0.0.2"] = "Ann's\x1b[2Jphone";
  packet();
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].title, "from Ann's\\x1b[2Jphone");
  EXPECT_EQ(told[0].message, "lan0 10.0.0.2 to 22{{UDP.DstPort}} {{ {{IP}}");
}

TEST_F(Alerts, CopyTheFieldsThatAreAskedFor) {
  start(alert(json::object(),
              {{"GrabEvent", true}, {"GrabFields", {"Prefix", "/^In/", "IP.SrcIP", "TCP.DstPort", "Gone"}}})
            .dump());
  packet();
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(
      json::parse(told[0].frame_data)["Event"],
      (json{
          {"Prefix", "drop:input "}, {"InDev", "lan0"}, {"IP", {{"SrcIP", "10.0.0.2"}}}, {"TCP", {{"DstPort", 22}}}}));
}

TEST_F(Alerts, TellOnceForEachAction) {
  json rules = alert();
  rules[0]["Actions"].push_back({{"SendNotification", true}, {"MessageTitle", "second"}});
  start(rules.dump());
  packet();
  const auto told = take();
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[1].title, "second");
  EXPECT_EQ(told[1].severity, "info");
}

TEST_F(Alerts, AreQuietWhenDisabled) {
  start(alert({{"Disabled", true}}).dump());
  packet();
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(overview()[0]["disabled"], true);
}

TEST_F(Alerts, NeverJudgeTheirOwnEcho) {
  start(alert({{"TopicPrefix", "alert:"}}).dump());
  message("alert:nft:drop:input:", "{}");
  start(alert({{"TopicPrefix", "nfbus:"}}).dump());
  message("nfbus:status", "{}");
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(Alerts, LeaveOutWhatWouldFillALineOfTheBus) {
  start(alert({{"TopicPrefix", "big:"}}, {{"GrabEvent", true}, {"StoreAlert", true}}).dump());
  message("big:", R"({"a":")" + std::string(100'000, 'x') + "\"}");
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(json::parse(told[0].frame_data)["Truncated"], true);
  EXPECT_LT(told[0].bus_text.size(), 60'000U);
}

TEST_F(Alerts, SayWhatIsWrong) {
  const auto error_of = [this](const json& rules) {
    start(rules.dump());
    return overview()[0].value("error", "");
  };
  EXPECT_EQ(error_of(alert({{"TopicPrefix", ""}})), "TopicPrefix: is missing or empty");
  EXPECT_EQ(error_of(alert({{"Name", nullptr}})), "Name: is missing or empty");
  EXPECT_EQ(error_of(alert({{"Actions", nullptr}})), "Actions: at least one is required");
  EXPECT_EQ(error_of(alert({{"Actions", {1}}})), "Actions[0]: must be an object");
  EXPECT_EQ(error_of(alert({{"Disabled", "no"}})), "Disabled: must be true or false");
  EXPECT_EQ(error_of(alert(json::object(), {{"GrabFields", {"/a|b/"}}})).substr(0, 26), "Actions[0].GrabFields[0]: ");
  EXPECT_THAT(error_of(alert({{"Conditions", conditions({"$[?(@.a==1)]", "$..a"})}})),
              HasSubstr("Conditions[1].JPath: \"..a\" (column 2)"));
  // As Go writes empty lists.
  EXPECT_EQ(error_of(alert({{"Conditions", nullptr}})), "");
  EXPECT_EQ(error_of(alert({{"Comment", "of the user's"}})), "");
  EXPECT_THAT(logged().back(), HasSubstr("notifications.json: alerts 0: Conditions[1].JPath: "));
}

TEST_F(Alerts, TakeSprsFilesAsTheyAre) {
  for (const char* name : {"alerts.json", "notifications.json"}) {
    const std::string text = nfbus::test::read_file(std::string(NFBUS_TEST_DATA) + "/spr/" + name);
    start(text);
    EXPECT_THAT(logged(), IsEmpty()) << name;
    EXPECT_EQ(overview().size(), json::parse(text).size()) << name;
    for (const json& rule : overview()) EXPECT_FALSE(rule.contains("error")) << rule;
    EXPECT_EQ(read(), text);
    const Shape shape = std::string(name) == "alerts.json" ? Shape::alerts : Shape::notifications;
    EXPECT_EQ(json::parse(get(shape).body), json::parse(text));
  }
}

}  // namespace
}  // namespace rules::test
