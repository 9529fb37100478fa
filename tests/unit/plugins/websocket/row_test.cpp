#include "row.hpp"

#include "made_event.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace websocket {
namespace {

using nfbus::host::test::arp;
using nfbus::host::test::icmp;
using nfbus::host::test::ipv4;
using nfbus::host::test::ipv6;
using nfbus::host::test::MadeEvent;
using nfbus::host::test::PacketBytes;
using nfbus::host::test::tcp;
using nfbus::host::test::udp;
using nlohmann::json;
using testing::ElementsAre;
using testing::SizeIs;

constexpr std::int64_t kTimeNs = 1'732'712'345'678'123'456;

class RowTest : public ::testing::Test {
 protected:
  json row(const MadeEvent& made) {
    std::string out;
    rows_.append_json(out, 12, nfbus::Event(&made.event));
    return json::parse(out);
  }
  std::string csv(const MadeEvent& made) {
    std::string out;
    rows_.append_csv(out, nfbus::Event(&made.event));
    return out;
  }
  // As RFC 4180 has them; the last line's end is checked.
  std::vector<std::string> cells(const MadeEvent& made) {
    const std::string line = csv(made);
    std::vector<std::string> out(1);
    bool is_quoted = false;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (is_quoted && c == '"' && line[i + 1] == '"') {
        out.back() += line[++i];
      } else if (c == '"') {
        is_quoted = !is_quoted;
      } else if (c == ',' && !is_quoted) {
        out.emplace_back();
      } else if (c == '\n' && !is_quoted) {
        EXPECT_EQ(i + 1, line.size());
      } else {
        out.back() += c;
      }
    }
    EXPECT_FALSE(is_quoted);
    return out;
  }
  std::string info(const MadeEvent& made) { return std::string(rows_.info_of(nfbus::Event(&made.event))); }
  std::unique_ptr<MadeEvent> message(std::string_view topic, std::string_view text) {
    texts_.emplace_back(text);
    auto out = std::make_unique<MadeEvent>(MadeEvent::message(topic));
    out->event.payload = {reinterpret_cast<const std::uint8_t*>(texts_.back().data()), texts_.back().size()};
    out->event.time_ns = kTimeNs;
    return out;
  }

  nfbus::test::FakeHost fake_;
  Devices devices_{nfbus::Host(fake_.raw()), {}};
  Rows rows_{nfbus::Host(fake_.raw()), devices_};
  std::deque<std::string> texts_;
};

TEST_F(RowTest, APacketHasWhatApplies) {
  MadeEvent packet(ipv4("10.0.0.2", "10.0.0.1", 6, tcp(1234, 53, 0x02)));
  packet.event.time_ns = kTimeNs;
  packet.event.packet_size = 40;
  packet.set(packet.event.in_name, "eth0");
  EXPECT_EQ(row(packet), json({{"id", 12},
                               {"t", 1732712345678.123},
                               {"k", "p"},
                               {"topic", "nft:drop:input"},
                               {"act", "blocked"},
                               {"in", "eth0"},
                               {"proto", "tcp"},
                               {"src", "10.0.0.2"},
                               {"sp", 1234},
                               {"dst", "10.0.0.1"},
                               {"dp", 53},
                               {"len", 40},
                               {"info", "SYN"}}));
  EXPECT_THAT(cells(packet), ElementsAre("2024-11-27T12:59:05.678123456Z", "nft:drop:input", "blocked", "eth0", "",
                                         "tcp", "10.0.0.2", "1234", "10.0.0.1", "53", "40", "SYN"));
}

TEST_F(RowTest, EveryLineOfCsvHasTheColumnsOfItsHeader) {
  const auto columns = static_cast<std::size_t>(std::ranges::count(Rows::kCsvHeader, ',')) + 1;
  EXPECT_TRUE(Rows::kCsvHeader.ends_with("\n"));
  MadeEvent broken{PacketBytes{0x45}};
  EXPECT_THAT(cells(broken), SizeIs(columns));
  EXPECT_THAT(cells(MadeEvent(ipv6("2001:db8::1", "2001:db8::2", 58, icmp(128)))), SizeIs(columns));
  EXPECT_THAT(cells(MadeEvent(arp("10.0.0.1", "10.0.0.2"), ETH_P_ARP)), SizeIs(columns));
  const auto said = cells(*message("a,b\"c\nd", "x,\"y\"\n\r\n"));
  ASSERT_THAT(said, SizeIs(columns));
  EXPECT_EQ(said[1], "a,b\"c\nd");
  EXPECT_EQ(said.back(), "x,\"y\"\n\r\n");
}

TEST_F(RowTest, NoCellIsAFormula) {
  for (const std::string text : {"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "=cmd|'/c calc'!A1"}) {
    const auto said = cells(*message(text, text));
    ASSERT_THAT(said, SizeIs(12));
    EXPECT_EQ(said[1], "'" + text);
    EXPECT_EQ(said[11], "'" + text);
  }
  EXPECT_EQ(cells(*message("a=b", "a-1"))[1], "a=b");
}

TEST_F(RowTest, AMessageIsCutBetweenCharacters) {
  EXPECT_EQ(row(*message("wifi:auth", std::string(200, 'x') + "y"))["info"], std::string(200, 'x'));
  for (std::size_t before = 196; before <= 200; ++before) {
    const std::string text = std::string(before, 'x') +
                             "\xf0\x9f\x98\x80"
                             "y";
    const json made = row(*message("wifi:auth", text));
    EXPECT_EQ(made["info"], std::string(before, 'x') + (before == 196 ? "\xf0\x9f\x98\x80" : "")) << before;
    EXPECT_EQ(cells(*message("wifi:auth", text))[11], made["info"]) << before;
  }
  EXPECT_EQ(row(*message("a", std::string(300, '\x80')))["info"].get<std::string>().size() % 3, 0U);
}

TEST_F(RowTest, AMessageIsShownAsOne) {
  EXPECT_EQ(row(*message("wifi:auth", "{\"a\":1}")),
            json({{"id", 12}, {"t", 1732712345678.123}, {"k", "m"}, {"topic", "wifi:auth"}, {"info", "{\"a\":1}"}}));
  EXPECT_FALSE(row(*message("a", "")).contains("info"));
}

TEST_F(RowTest, ALossSaysHowMuch) {
  const json made = row(*message(kLossTopic, R"({"capture":[{"group":2,"new":30},{"group":3,"new":12}]})"));
  EXPECT_EQ(made, json({{"id", 12}, {"t", 1732712345678.123}, {"k", "l"}, {"group", 2}, {"lost", 42}}));
  EXPECT_EQ(cells(*message(kLossTopic, R"({"capture":[]})"))[1], kLossTopic);
}

TEST(Loss, OfAnyTextIsANumber) {
  EXPECT_EQ(loss_of(R"({"capture":[{"new":0,"group":1},{"new":5,"group":7}]})").group, 7U);
  for (const char* const text :
       {"", "{", "[]", "{}", R"({"capture":{}})", R"({"capture":[1,null,[]]})",
        R"({"capture":[{"new":"x","group":"y"}]})", R"({"capture":[{"new":null}]})", R"({"capture":[{"new":[]}]})"}) {
    EXPECT_EQ(loss_of(text).lost, 0U) << text;
  }
}

TEST_F(RowTest, InfoSaysWhatColumnsDoNot) {
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 6, tcp(1, 2, 0x12)))), "SYN ACK");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 6, tcp(1, 2, 0xff)))), "FIN SYN RST PSH ACK URG ECE CWR");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 6, tcp(1, 2, 0)))), "");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2)))), "");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 1, icmp(8)))), "echo request");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 1, {3, 1, 0, 0, 0, 0, 0, 0}))), "unreachable code 1");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 1, icmp(200)))), "type 200");
  EXPECT_EQ(info(MadeEvent(ipv6("2001:db8::1", "2001:db8::2", 58, icmp(135)))), "neighbour solicitation");
  EXPECT_EQ(info(MadeEvent(arp("10.0.0.1", "10.0.0.2"), ETH_P_ARP)), "who has");
  EXPECT_EQ(info(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2), 0x2010))), "fragment");
  MadeEvent broken(ipv4("10.0.0.2", "10.0.0.1", 6, {0, 1}));
  EXPECT_EQ(info(broken), std::string(nfbus::Event(&broken.event).decode_error()));
  EXPECT_NE(info(broken), "");
}

TEST_F(RowTest, InfoSaysWhatDnsAsksFor) {
  const MadeEvent packet(ipv4("10.0.0.2", "10.0.0.1", 17, udp(4000, 53)));
  const MadeEvent other(ipv4("10.0.0.2", "10.0.0.1", 17, udp(4000, 54)));
  for (const MadeEvent* const one : {&packet, &other}) {
    fake_.dns_messages[&one->event] = std::make_unique<nfbus::test::FakeDns>(std::uint16_t{0x0100});
    fake_.dns_messages[&one->event]->add(NFBUS_DNS_QUESTION, 1, "example.org");
  }
  EXPECT_EQ(info(packet), "asks for example.org");
  EXPECT_EQ(info(other), "");
  fake_.dns_messages[&packet.event] = std::make_unique<nfbus::test::FakeDns>();
  EXPECT_EQ(info(packet), "");
  fake_.dns_messages[&packet.event]->add(NFBUS_DNS_QUESTION, 1, std::string(300, 'x'));
  EXPECT_EQ(info(packet), ("answer to " + std::string(300, 'x')).substr(0, 200));
}

TEST_F(RowTest, NamesAreOfTheFilterDnsnamesWhereTheUserGaveNone) {
  MadeEvent packet(ipv4("10.0.0.2", "192.0.2.9", 17, udp(1, 2)));
  packet.annotate("RecentDomainSrc", R"({"Name":"phone.lan.","Age":1})");
  packet.annotate("RecentDomainDst", R"([{"Name":"a\"b."}])");
  EXPECT_EQ(row(packet)["sn"], "phone.lan");
  EXPECT_FALSE(row(packet).contains("dn"));  // no name in it needs an escape
}

TEST_F(RowTest, HostileBytesStayJson) {
  MadeEvent packet(ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2)));
  packet.set(packet.event.topic, "nft:\xff\"\x1b[2J");
  packet.set(packet.event.in_name, "\"},\n\\");
  EXPECT_EQ(row(packet)["topic"], "nft:\xef\xbf\xbd\"\x1b[2J");
  EXPECT_EQ(row(packet)["in"], "\"},\n\\");
  EXPECT_THAT(cells(packet), SizeIs(12));
}

TEST(ProtocolName, IsANameOrANumber) {
  std::string room;
  const auto name = [&room](const MadeEvent& made) {
    return std::string(protocol_name(nfbus::Event(&made.event), room));
  };
  EXPECT_EQ(name(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2)))), "udp");
  EXPECT_EQ(name(MadeEvent(ipv4("10.0.0.2", "10.0.0.1", 99, {}))), "99");
  EXPECT_EQ(name(MadeEvent(ipv6("2001:db8::1", "2001:db8::2", 58, icmp(128)))), "icmpv6");
  EXPECT_EQ(name(MadeEvent(arp("10.0.0.1", "10.0.0.2"), ETH_P_ARP)), "arp");
  EXPECT_EQ(name(MadeEvent::message("x")), "");
}

}  // namespace
}  // namespace websocket
