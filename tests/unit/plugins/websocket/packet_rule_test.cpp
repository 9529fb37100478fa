// The mission document's form of rules.
#include "rules_fixture.hpp"

namespace rules::test {
namespace {

using PacketRules = RulesTest;

std::string rule(const std::string& conditions, bool tells = true) {
  return R"([{"Conditions":)" + conditions + R"(,"Notification":)" + (tells ? "true" : "false") + "}]";
}

TEST_F(PacketRules, TellOfAPacketForWhichAllConditionsHold) {
  start(rule(R"({"Prefix":"nft:wan:out","Protocol":"tcp","SrcIP":"","SrcPort":0,"DstIP":"8.8.8.8","DstPort":443,
                 "InDev":"","OutDev":""})"));
  packet({.destination = "8.8.8.8", .port = 443, .prefix = "wan:out "});
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].shape, Shape::notifications);
  EXPECT_EQ(told[0].frame_type, "nft:wan:out");
  EXPECT_EQ(json::parse(told[0].frame_data)["IP"]["DstIP"], "8.8.8.8");
  EXPECT_TRUE(told[0].is_for_clients);
  EXPECT_EQ(told[0].bus_topic, "alert:nft:wan:out");
  const json bus = json::parse(told[0].bus_text);
  EXPECT_EQ(bus["Body"], "10.0.0.2 to 8.8.8.8 port 443 (tcp)");
  EXPECT_EQ(bus["Event"]["TCP"]["DstPort"], 443);
  packet({.destination = "8.8.8.8", .port = 80, .prefix = "wan:out "});
  packet({.destination = "8.8.4.4", .port = 443, .prefix = "wan:out "});
  packet({.destination = "8.8.8.8", .port = 443, .prefix = "wan:in "});
  packet({.destination = "8.8.8.8", .port = 443, .prefix = "wan:out ", .is_udp = true});
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(overview()[0]["matched"], 1);
  EXPECT_EQ(overview()[0]["told"], 1);
}

TEST_F(PacketRules, CompareTopicsWithoutCaseAndBlanksAndAddressesByNetwork) {
  start(rule(R"({"Prefix":"nft:Drop:Input ","SrcIP":"10.0.0.0/24"})"));
  packet({.source = "10.0.0.77"});
  packet({.source = "10.0.1.77"});
  EXPECT_THAT(take(), SizeIs(1));
}

// The port of a rule without a protocol counted for nothing at SPR.
TEST_F(PacketRules, HoldTheirPortWhateverTheProtocol) {
  start(rule(R"({"DstPort":53})"));
  packet({.port = 53});
  packet({.port = 53, .is_udp = true});
  packet({.port = 54});
  EXPECT_THAT(take(), SizeIs(2));
}

TEST_F(PacketRules, WithoutConditionsAreOfPacketsAlone) {
  start(rule("{}"));
  packet();
  message("wifi:auth:success", "{}");
  EXPECT_THAT(take(), SizeIs(1));
}

// SPR asked no other rule once one meant the event.
TEST_F(PacketRules, GiveAClientOneFrameOfAnEvent) {
  start(R"([{"Conditions":{"DstPort":22},"Notification":true},{"Conditions":{},"Notification":true}])");
  const auto for_clients = [this](const Made& made) {
    packet(made);
    std::vector<bool> out;
    for (const Notification& told : take()) out.push_back(told.is_for_clients);
    return out;
  };
  EXPECT_THAT(for_clients({.port = 22}), ElementsAre(true, false));
  EXPECT_THAT(for_clients({.port = 23}), ElementsAre(true));
  EXPECT_EQ(overview()[1]["told"], 2);
}

TEST_F(PacketRules, AskForEverythingWithNeitherNotificationNorPrefix) {
  start(rule(R"({"Prefix":"nft:lan:in"})", false));
  EXPECT_FALSE(book_->wants_everything());
  start(rule(R"({"Prefix":""})", false));
  EXPECT_TRUE(book_->wants_everything());
  packet();
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(PacketRules, KeepTellingWithinALimitPerSecond) {
  start(rule("{}"));
  for (int i = 0; i < 1005; ++i) packet();
  EXPECT_THAT(take(), SizeIs(1000));
  EXPECT_EQ(overview()[0]["held_back"], 5);
  wait(1);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  wait(9);
  const auto told = take();
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told[0].message, "5 events were held back in the last 10 s");
  EXPECT_EQ(told[0].bus_topic, "alert:packets");
  EXPECT_FALSE(told[0].is_for_clients);
  const json bus = json::parse(told[0].bus_text);
  EXPECT_EQ(bus["Count"], 5);
  EXPECT_EQ(bus["Window"], 10);
  wait(10);
  EXPECT_THAT(take(), IsEmpty());
}

TEST_F(PacketRules, MayHaveTheirKeysInAnyCase) {
  start(R"([{"conditions":{"dstport":53},"notification":true}])");
  packet({.port = 53});
  packet({.port = 54});
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(PacketRules, SayWhichConditionIsWrong) {
  const auto error_of = [this](const std::string& conditions) {
    start(rule(conditions));
    return overview()[0].value("error", "");
  };
  EXPECT_THAT(error_of(R"({"SrcIP":"10.0.0.256"})"), ::testing::StartsWith("Conditions.SrcIP: "));
  EXPECT_THAT(error_of(R"({"Protocol":"tpc"})"), ::testing::StartsWith("Conditions.Protocol: "));
  EXPECT_EQ(error_of(R"({"DstPort":70000})"), "Conditions.DstPort: must be a port, 0 to 65535; 0 is any");
  EXPECT_EQ(error_of(R"({"DstPort":"443"})"), "Conditions.DstPort: must be a port, 0 to 65535; 0 is any");
  EXPECT_EQ(error_of(R"({"InDev":5})"), "Conditions.InDev: must be a text");
  EXPECT_EQ(error_of(R"({"Port":53})"), R"(Conditions: "Port" is an unknown key; there are Prefix, Protocol, SrcIP, )"
                                        "SrcPort, DstIP, DstPort, InDev and OutDev");
  EXPECT_THAT(error_of(R"({"DtsPort":53})"), HasSubstr(R"("DtsPort" is an unknown key; did you mean "DstPort"?)"));
  EXPECT_EQ(error_of(R"({"dstip":"8.8.8.8"})"), "");
  packet();
  EXPECT_THAT(take(), IsEmpty());  // dstip counts, as in Go
}

}  // namespace
}  // namespace rules::test
