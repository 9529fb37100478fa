#include "formats/packet_dhcp.hpp"

#include "carried_messages.hpp"
#include "spr_samples.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfbus::host::test {
namespace {

using Json = nlohmann::ordered_json;

std::string dhcp_text(const Event& event, bool full = false) {
  TextBuffer out;
  EXPECT_EQ(append_dhcp(event, full, out), "");
  return std::string(out.view());
}

std::string dhcp_error(const Event& event) {
  TextBuffer out;
  out.append("before");
  const std::string_view error = append_dhcp(event, true, out);
  EXPECT_EQ(out.view(), "before");
  return std::string(error);
}

Octets dhcp_message_with(const Octets& options) {
  Octets message(240);
  message[0] = 1;
  append32(message, 0);
  message.resize(236);
  append32(message, 0x63825363);
  append(message, options);
  return message;
}

constexpr Carrier kClient{.source_port = 68, .destination_port = 67};

TEST(PacketDhcp, IsSprsJsonKeyForKeyForEverySample) {
  int layers = 0;
  for (const SprSample& sample : spr_samples()) {
    const bool expected = sample.layers.contains("DHCP");
    layers += expected ? 1 : 0;
    if (sample.layers.contains("err")) continue;
    const auto packet = CarriedEvent::from_ipv4(sample.packet);
    const Json object = layer_object(dhcp_text(packet->event, true), "DHCP");
    EXPECT_EQ(object.dump(), expected ? sample.layers["DHCP"].dump() : "null") << sample.name;
  }
  EXPECT_EQ(layers, 3);
}

TEST(PacketDhcp, LeavesOutContentsAndPayloadButForTheFullForm) {
  const auto packet = CarriedEvent::from_ipv4(spr_sample("dhcp-offer").packet);
  Json expected = spr_sample("dhcp-offer").layers["DHCP"];
  expected.erase("Contents");
  expected.erase("Payload");
  EXPECT_EQ(layer_object(dhcp_text(packet->event), "DHCP").dump(), expected.dump());
}

TEST(PacketDhcp, SaysWhatIsWrongWithABrokenMessage) {
  for (const char* name : {"udp67", "udp68"}) {
    EXPECT_EQ(dhcp_error(CarriedEvent::from_ipv4(spr_sample(name).packet)->event), "DHCP: header cut short") << name;
  }
  Octets message = dhcp_message_with({53, 1, 1, 12, 200, 'x'});
  EXPECT_EQ(dhcp_error(CarriedEvent(message, kClient).event), "DHCP: option cut short");
  EXPECT_EQ(dhcp_error(CarriedEvent(dhcp_message_with({53}), kClient).event), "DHCP: option cut short");
  message[236] = 0;
  EXPECT_EQ(dhcp_error(CarriedEvent(message, kClient).event), "DHCP: no magic cookie");
  message = dhcp_message_with({});
  message[2] = 17;
  EXPECT_EQ(dhcp_error(CarriedEvent(message, kClient).event), "DHCP: hardware address longer than 16 bytes");
  EXPECT_EQ(dhcp_error(CarriedEvent(dhcp_message_with(Octets(2049)), kClient).event), "DHCP: more than 2048 options");
}

TEST(PacketDhcp, IsWholeOrAnErrorWhereverTheMessageEnds) {
  const Octets message = dhcp_message_with({53, 1, 1, 0, 12, 2, 'h', 'i', 255, 1, 2, 3});
  for (std::size_t size = 1; size <= message.size(); ++size) {
    TextBuffer out;
    const CarriedEvent packet(Octets(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size)), kClient);
    const bool whole = append_dhcp(packet.event, true, out).empty();
    EXPECT_EQ(whole, out.size() != 0) << size;
    const bool between_options = size == 240 || size == 243 || size == 244 || size >= 248;
    EXPECT_EQ(whole, between_options) << size;
    if (!whole) continue;
    EXPECT_FALSE(layer_object(std::string(out.view()), "DHCP").is_null()) << size;
  }
}

TEST(PacketDhcp, ShowsPaddingBetweenOptionsAndNothingBehindTheEnd) {
  const CarriedEvent packet(dhcp_message_with({0, 12, 0, 255, 53, 1, 1}), kClient);
  EXPECT_EQ(layer_object(dhcp_text(packet.event), "DHCP")["Options"].dump(),
            R"([{"Type":0,"Length":0,"Data":null},{"Type":12,"Length":0,"Data":""}])");
  EXPECT_EQ(layer_object(dhcp_text(CarriedEvent(dhcp_message_with({255}), kClient).event), "DHCP")["Options"].dump(),
            "null");
}

TEST(PacketDhcp, IsOfUdpOverIpv4AloneAndOfWholePackets) {
  const Octets message = dhcp_message_with({255});
  EXPECT_NE(dhcp_text(CarriedEvent(message, kClient).event), "");
  EXPECT_NE(dhcp_text(CarriedEvent(message, {.source_port = 67, .destination_port = 68}).event), "");
  EXPECT_NE(dhcp_text(CarriedEvent(message, {.source_port = 67, .destination_port = 4011}).event), "");
  Carrier by = kClient;
  by.ipv6 = true;
  EXPECT_EQ(dhcp_text(CarriedEvent(message, by).event), "");
  by = kClient;
  by.more_fragments = true;
  EXPECT_EQ(dhcp_text(CarriedEvent(message, by).event), "");
  by = kClient;
  by.tcp = true;
  EXPECT_EQ(dhcp_text(CarriedEvent(message, by).event), "");
  EXPECT_EQ(dhcp_text(CarriedEvent(message, {.source_port = 67, .destination_port = 53}).event), "");
}

// [type, length] of the options that are shown.
std::string shown_options(const Octets& message, const Carrier& by = kClient) {
  TextBuffer out;
  const CarriedEvent packet(message, by);
  static_cast<void>(append_dhcp(packet.event, false, out));
  std::string shown;
  const Json object = layer_object(std::string(out.view()), "DHCP");
  for (const Json& option : object.at("Options")) {
    shown += std::to_string(option["Type"].get<int>()) + ":" + std::to_string(option["Length"].get<int>()) + " ";
  }
  return shown;
}

Octets with_fields(Octets message, const Octets& file, const Octets& server_name) {
  std::copy(file.begin(), file.end(), message.begin() + 108);
  std::copy(server_name.begin(), server_name.end(), message.begin() + 44);
  return message;
}

TEST(PacketDhcp, OptionsGoOnInFileAndServerNameWhereOneSaysSo) {
  const Octets file{12, 2, 'h', 'i', 255, 9};
  const Octets name{15, 1, 'd', 255, 9};
  EXPECT_EQ(shown_options(with_fields(dhcp_message_with({53, 1, 1, 255}), file, name)), "53:1 ");
  EXPECT_EQ(shown_options(with_fields(dhcp_message_with({52, 1, 1, 53, 1, 1, 255}), file, name)), "52:1 53:1 12:2 ");
  EXPECT_EQ(shown_options(with_fields(dhcp_message_with({53, 1, 1, 52, 1, 2, 255}), file, name)), "53:1 52:1 15:1 ");
  EXPECT_EQ(shown_options(with_fields(dhcp_message_with({52, 1, 3, 255}), file, name)), "52:1 12:2 15:1 ");
  // Without an end of the options themselves, too.
  EXPECT_EQ(shown_options(with_fields(dhcp_message_with({52, 1, 3}), file, name)), "52:1 12:2 15:1 ");
}

TEST(PacketDhcp, AnOverloadInAFieldIsNotFollowed) {
  const Octets message =
      with_fields(dhcp_message_with({52, 1, 1, 255}), {52, 1, 3, 12, 1, 'x', 255}, {15, 1, 'd', 255});
  EXPECT_EQ(shown_options(message), "52:1 52:1 12:1 ");
}

TEST(PacketDhcp, FieldsThatAreFullOfOptionsEndWithTheField) {
  Octets file{12, 126};
  file.resize(128, 'x');
  Octets name{15, 62};
  name.resize(64, 'y');
  EXPECT_EQ(shown_options(with_fields(dhcp_message_with({52, 1, 3, 255}), file, name)), "52:1 12:126 15:62 ");
  file[1] = 127;
  EXPECT_EQ(dhcp_error(CarriedEvent(with_fields(dhcp_message_with({52, 1, 3, 255}), file, name), kClient).event),
            "DHCP: option cut short");
}

TEST(PacketDhcp, AnOverloadOfAnotherValueIsAnError) {
  for (const Octets& options :
       {Octets{52, 1, 0, 255}, Octets{52, 1, 4, 255}, Octets{52, 2, 1, 1, 255}, Octets{52, 0, 255}}) {
    EXPECT_EQ(dhcp_error(CarriedEvent(dhcp_message_with(options), kClient).event),
              "DHCP: option overload is none of 1, 2 and 3");
  }
}

TEST(PacketDhcp, OfAMessageThatSnaplenCutTheWholeOptionsAreShown) {
  const Octets message =
      with_fields(dhcp_message_with({52, 1, 1, 53, 1, 1, 12, 2, 'h', 'i', 255}), {15, 1, 'd', 255}, {});
  const auto carrier = [&](std::size_t size) {
    return Carrier{.source_port = 68, .destination_port = 67, .snaplen_bytes = 28 + size};
  };
  for (std::size_t size = 1; size < message.size(); ++size) {
    TextBuffer out;
    const CarriedEvent packet(message, carrier(size));
    EXPECT_EQ(append_dhcp(packet.event, true, out), "DHCP: message cut by snaplen") << size;
    EXPECT_EQ(out.size() != 0, size >= 240) << size;
  }
  EXPECT_EQ(shown_options(message, carrier(240)), "");
  EXPECT_EQ(shown_options(message, carrier(245)), "52:1 15:1 ");
  EXPECT_EQ(shown_options(message, carrier(246)), "52:1 53:1 15:1 ");
  EXPECT_EQ(shown_options(message, carrier(message.size())), "52:1 53:1 12:2 15:1 ");
}

}  // namespace
}  // namespace nfbus::host::test
