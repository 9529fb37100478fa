#include "formats/packet_dns.hpp"

#include "carried_messages.hpp"
#include "spr_samples.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfbus::host::test {
namespace {

using Json = nlohmann::ordered_json;

std::string dns_text(const Event& event, bool full = false) {
  TextBuffer out;
  EXPECT_EQ(append_dns(event, full, out), "");
  return std::string(out.view());
}

// The layer's object; null: there is none.
Json dns_json(const Event& event, bool full = false) { return layer_object(dns_text(event, full), "DNS"); }

std::string dns_error(const Event& event) {
  TextBuffer out;
  out.append("before");
  const std::string_view error = append_dns(event, true, out);
  EXPECT_EQ(out.view(), "before");
  return std::string(error);
}

TEST(PacketDns, IsSprsJsonKeyForKeyForEverySample) {
  int layers = 0;
  for (const SprSample& sample : spr_samples()) {
    if (!sample.layers.contains("DNS")) continue;
    ++layers;
    const auto packet = CarriedEvent::from_ipv4(sample.packet);
    EXPECT_EQ(dns_json(packet->event, true).dump(), sample.layers["DNS"].dump()) << sample.name;
  }
  EXPECT_EQ(layers, 17);
}

TEST(PacketDns, LeavesOutContentsAndPayloadButForTheFullForm) {
  const auto packet = CarriedEvent::from_ipv4(spr_sample("compressed").packet);
  Json expected = spr_sample("compressed").layers["DNS"];
  expected.erase("Contents");
  expected.erase("Payload");
  EXPECT_EQ(dns_json(packet->event, false).dump(), expected.dump());
}

TEST(PacketDns, SaysWhatIsWrongWhereSprGivesUp) {
  const auto error_of = [](const std::string& name) {
    const auto packet = CarriedEvent::from_ipv4(spr_sample(name).packet);
    return dns_error(packet->event);
  };
  EXPECT_EQ(error_of("dns-garbage2"), "DNS: more records announced than the message can hold");
  EXPECT_EQ(error_of("MX"), "DNS: label of an unknown kind");
  EXPECT_EQ(error_of("A-bad-len"), "DNS: record longer than the message");
  EXPECT_EQ(error_of("ptr-loop"), "DNS: name with a loop of pointers");
}

TEST(PacketDns, IsAbsentWithoutAnErrorWhereSprHasNone) {
  int others = 0;
  for (const SprSample& sample : spr_samples()) {
    if (sample.layers.contains("DNS") || sample.layers.contains("err")) continue;
    if (sample.layers.contains("UDP") && sample.layers["UDP"]["DstPort"] == 5353) continue;  // ours alone
    ++others;
    const auto packet = CarriedEvent::from_ipv4(sample.packet);
    EXPECT_EQ(dns_text(packet->event), "") << sample.name;
  }
  EXPECT_GT(others, 40);
}

TEST(PacketDns, ShowsMulticastDns) {
  const auto packet = CarriedEvent::from_ipv4(spr_sample("mdns").packet);
  const Json dns = dns_json(packet->event);
  EXPECT_EQ(dns["Questions"].dump(), R"([{"Name":"X2h0dHAuX3RjcC5sb2NhbA==","Type":12,"Class":1}])");
  const auto garbage = CarriedEvent::from_ipv4(spr_sample("udp5353").packet);
  EXPECT_EQ(dns_error(garbage->event), "DNS: header cut short");
}

TEST(PacketDns, ShowsTheSameOverIpv6AndTcp) {
  const Octets message = DnsMessage().question(dns_name("a.b")).answer(dns_pointer(12), 1, {192, 0, 2, 1}).octets();
  Octets segment;
  append16(segment, message.size());
  append(segment, message);
  const std::string over_udp = dns_text(CarriedEvent(message).event, true);
  EXPECT_NE(over_udp, "");
  EXPECT_EQ(dns_text(CarriedEvent(message, {.ipv6 = true}).event, true), over_udp);
  EXPECT_EQ(dns_text(CarriedEvent(segment, {.tcp = true}).event, true), over_udp);
  EXPECT_EQ(dns_text(CarriedEvent(segment, {.ipv6 = true, .tcp = true}).event, true), over_udp);
}

// The one answer of a message.
Json answer(std::uint16_t type, const Octets& data) {
  return dns_json(CarriedEvent(DnsMessage().answer(dns_name("x"), type, data).octets()).event)["Answers"][0];
}

TEST(PacketDns, WritesAddressesAsGoDoes) {
  const auto address = [](const Octets& data) { return answer(28, data)["IP"].get<std::string>(); };
  EXPECT_EQ(address({0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "2001:db8::1");
  EXPECT_EQ(address({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1}), "192.0.2.1");
  EXPECT_EQ(address({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192, 0, 2, 1}), "::c000:201");
  EXPECT_EQ(address({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}), "::1");
  EXPECT_EQ(address(Octets(16)), "::");
  EXPECT_EQ(address({192, 0, 2, 1}), "192.0.2.1");
  EXPECT_EQ(answer(1, {})["IP"], "");
}

TEST(PacketDns, ShowsUriRecordsAndTextsWithoutBytes) {
  EXPECT_EQ(answer(256, {0, 10, 0, 1, 'x'})["URI"].dump(), R"({"Priority":10,"Weight":1,"Target":"eA=="})");
  EXPECT_EQ(answer(256, {0, 10, 0, 1})["URI"].dump(), R"({"Priority":10,"Weight":1,"Target":""})");
  EXPECT_EQ(answer(16, {})["TXTs"].dump(), "[]");
  EXPECT_EQ(answer(16, {})["TXT"].dump(), R"("")");
  EXPECT_EQ(answer(13, {3, 'c', 'p', 'u', 0})["TXTs"].dump(), R"(["Y3B1",""])");
  EXPECT_EQ(answer(5, {0})["CNAME"].dump(), "null");
}

TEST(PacketDns, AddsTheUpperBitsOfTheResponseCodeFromOptRecords) {
  const Octets message = DnsMessage(0x8183).record(3, {0}, 41, 1232, 0x01000000, {}).octets();
  EXPECT_EQ(dns_json(CarriedEvent(message).event)["ResponseCode"], 0x13);
}

TEST(PacketDns, StaysWithinItsStatedSizeForTheWorstMessages) {
  const auto size_of = [](const Octets& message) {
    const std::string text = dns_text(CarriedEvent(message).event, true);
    EXPECT_FALSE(layer_object(text, "DNS").is_null());
    return text.size();
  };
  DnsMessage texts;
  texts.answer({0}, 16, Octets(60000));
  EXPECT_LT(size_of(texts.octets()), 640UL * 2 + 16 * texts.octets().size());
  DnsMessage options;
  options.answer({0}, 41, Octets(60000));
  EXPECT_LT(size_of(options.octets()), 640UL * 2 + 16 * options.octets().size());
  DnsMessage records;
  for (int i = 0; i < 4096; ++i) records.answer({0}, 1, {192, 0, 2, 1});
  EXPECT_LT(size_of(records.octets()), 640UL * 4097 + 16 * records.octets().size());
}

}  // namespace
}  // namespace nfbus::host::test
