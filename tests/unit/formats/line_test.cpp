#include "formats/line.hpp"

#include "carried_messages.hpp"
#include "decode/decode.hpp"
#include "event/event.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;

constexpr char kEscape[] = "\x1b";

class PacketLine : public testing::Test {
 protected:
  PacketLine() {
    setenv("TZ", "UTC", 1);
    tzset();
    event_.struct_size = sizeof(nfbus_event);
    event_.kind = NFBUS_EVENT_PACKET;
    event_.action = NFBUS_ACTION_BLOCKED;
    event_.time_ns = 3'723'045'000'000;
    event_.topic = text("nft:drop:forward");
    event_.in_name = text("wan0");
    event_.out_name = text("lan0");
    event_.transport_offset = NFBUS_NO_OFFSET;
    event_.data_offset = NFBUS_NO_OFFSET;
  }

  std::string line_of(std::vector<std::uint8_t> packet, std::uint16_t ether_type, bool colour = false) {
    packet_ = std::move(packet);
    event_.ether_type = ether_type;
    event_.payload = {packet_.data(), packet_.size()};
    decode_packet(event_);
    return line(colour);
  }

  std::string line(bool colour = false) {
    TextBuffer out;
    LineFormat(colour).append(event_, out);
    return std::string(out.view());
  }

  Event event_{};
  std::vector<std::uint8_t> packet_;
};

// A SYN from 192.168.7.2:40001 to 203.0.113.2:80.
std::vector<std::uint8_t> syn() {
  return {0x45, 0,    0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 192,  168, 7, 2, 203, 0, 113, 2,
          0x9c, 0x41, 0, 80, 0, 0, 0, 0, 0,  0, 0, 0, 0x50, 2,   4, 0, 0,   0, 0,   0};
}

// A router advertisement from 2001:db8::1 to ff02::1.
std::vector<std::uint8_t> router_advertisement() {
  std::vector<std::uint8_t> packet = {0x60, 0, 0, 0, 0,    16, 58, 255, 0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,
                                      0,    0, 0, 1, 0xff, 2,  0,  0,   0,    0, 0,    0,    0, 0, 0, 0, 0, 0, 0, 1};
  packet.insert(packet.end(), {134, 0, 0, 0, 64, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  return packet;
}

TEST_F(PacketLine, TellsTimeActionTopicDevicesEndsAndFlagsInOrder) {
  EXPECT_EQ(
      line_of(syn(), 0x0800),
      "01:02:03.045  blocked  nft:drop:forward  wan0 -> lan0  TCP           192.168.7.2:40001 -> 203.0.113.2:80      "
      "     SYN 40 B\n");
}

TEST_F(PacketLine, NamesIcmpTypesAndShowsIpv6AddressesWithoutPorts) {
  event_.out_name = {};
  const std::string shown = line_of(router_advertisement(), 0x86dd);
  EXPECT_THAT(shown, HasSubstr("wan0 -> -     ICMPv6"));
  EXPECT_THAT(shown, HasSubstr("2001:db8::1 -> ff02::1 "));
  EXPECT_THAT(shown, EndsWith("router advertisement 56 B\n"));
}

TEST_F(PacketLine, PutsIpv6AddressesWithPortsInBrackets) {
  std::vector<std::uint8_t> packet = router_advertisement();
  packet[5] = 8;
  packet[6] = 17;
  packet.resize(40);
  packet.insert(packet.end(), {0x9c, 0x41, 0, 53, 0, 8, 0, 0});
  EXPECT_THAT(line_of(packet, 0x86dd), HasSubstr("[2001:db8::1]:40001 -> [ff02::1]:53"));
}

TEST_F(PacketLine, SaysWhatIsBrokenInAPacketThatCannotBeDecoded) {
  std::vector<std::uint8_t> packet = syn();
  packet.resize(10);
  const std::string shown = line_of(packet, 0x0800);
  ASSERT_NE(event_.decode_error.size, 0U);
  EXPECT_THAT(shown, HasSubstr(std::string(view(event_.decode_error))));
}

TEST_F(PacketLine, ColoursTheActionOnlyWhenAsked) {
  EXPECT_THAT(line_of(syn(), 0x0800, false), Not(HasSubstr(kEscape)));
  EXPECT_THAT(line_of(syn(), 0x0800, true), HasSubstr("\x1b[31mblocked"));
  event_.action = NFBUS_ACTION_ALLOWED;
  EXPECT_THAT(line(true), HasSubstr("\x1b[32mallowed"));
}

TEST_F(PacketLine, NeverLetsAPrefixOrAFieldSteerTheTerminal) {
  event_.topic = text("nft:\x1b[2Jgone\r");
  const nfbus_field field = {text("name"), text("a\nb\x1b]0;c\x07"), NFBUS_VALUE_TEXT, 0};
  event_.fields = &field;
  event_.field_count = 1;
  const std::string shown = line_of(syn(), 0x0800);
  EXPECT_THAT(shown, HasSubstr(R"(nft:\x1b[2Jgone\x0d)"));
  EXPECT_THAT(shown, EndsWith(R"( name=a\x0ab\x1b]0;c\x07)"
                              "\n"));
  EXPECT_THAT(shown, Not(HasSubstr(kEscape)));
}

TEST_F(PacketLine, TellsWhatADnsMessageIsAbout) {
  const test::DnsMessage query = test::DnsMessage(0x0100).question(test::dns_name("www.example.org"), 28);
  const test::CarriedEvent carried(query.octets(), {.source_port = 40000, .destination_port = 53});
  TextBuffer out;
  LineFormat(false).append(carried.event, out);
  EXPECT_THAT(std::string(out.view()), EndsWith(" DNS AAAA? www.example.org 61 B\n"));
}

TEST_F(PacketLine, SaysWhatIsWrongWithABrokenDnsMessage) {
  const test::CarriedEvent carried(test::DnsMessage().question(test::dns_name("a.b")).announce(1, 1).octets());
  TextBuffer out;
  LineFormat(true).append(carried.event, out);
  EXPECT_THAT(std::string(out.view()), HasSubstr(" DNS A a.b 49 B"));
  EXPECT_THAT(std::string(out.view()), testing::ContainsRegex("\x1b\\[33m[^\x1b]*DNS"));
}

TEST_F(PacketLine, SaysHowManyPacketsTheKernelLostBeforeThisOne) {
  event_.lost_before = 12;
  EXPECT_THAT(line_of(syn(), 0x0800), EndsWith("12 lost before it\n"));
}

TEST_F(PacketLine, ShowsAMessageAsItsTopicAndText) {
  event_.kind = NFBUS_EVENT_MESSAGE;
  event_.topic = text("dns:answer");
  packet_ = {'{', '}'};
  event_.payload = {packet_.data(), packet_.size()};
  EXPECT_EQ(line(), "01:02:03.045  dns:answer  {}\n");
}

}  // namespace
}  // namespace nfbus::host
