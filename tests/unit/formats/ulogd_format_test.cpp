#include "formats/ulogd.hpp"

#include "format_support.hpp"

#include <gtest/gtest.h>

#include <net/if_arp.h>

#include <sys/socket.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>

namespace nfbus::host {
namespace {

using test::Object;
using test::PacketEvent;
using test::RecordBuilder;
using test::rendered;

// ---- Against records that the kernel logged and what ulogd2 wrote of them -------------------------------------------

// A file of tests/data/ulogd: the record in hex, and ulogd2's object.
struct Case {
  std::string name;
  test::ByteVector record;
  Object expected;
};

std::vector<Case> load_cases() {
  std::vector<Case> cases;
  for (const auto& file : std::filesystem::directory_iterator(NFBUS_TEST_DATA "/ulogd")) {
    if (file.path().extension() != ".case") continue;
    std::ifstream in(file.path());
    std::string record;
    std::string object;
    std::getline(in, record);
    std::getline(in, object);
    cases.push_back({file.path().stem().string(), test::from_hex(record), Object::parse(object)});
  }
  std::ranges::sort(cases, {}, &Case::name);
  return cases;
}

// Sets what only the host knows: names of interfaces and the action of the group. The time too: the kernel takes it
// anew for each group that logs a packet, and ulogd2 read another group than the record's.
void complete(Event& event, const Object& expected) {
  event.in_name = text(expected["oob.in"].get_ref<const std::string&>());
  event.out_name = text(expected["oob.out"].get_ref<const std::string&>());
  event.action = expected["action"] == "blocked" ? NFBUS_ACTION_BLOCKED : NFBUS_ACTION_ALLOWED;
  event.time_ns =
      expected["oob.time.sec"].get<std::int64_t>() * 1000000000 + expected["oob.time.usec"].get<std::int64_t>() * 1000;
}

// ulogd2's object, changed where the format differs on purpose.
Object wanted(const Case& sample, const Event& event) {
  Object object = sample.expected;
  object["timestamp"] = object["timestamp"].get<std::string>() + "+0000";
  if (object.contains("ip.fragoff") && (object["ip.fragoff"].get<unsigned>() & 0x1fffU) != 0) {
    for (const char* prefix : {"src_port", "dest_port", "tcp.", "udp.", "icmp."}) {
      for (auto key = object.begin(); key != object.end();) {
        key = key.key().starts_with(prefix) ? object.erase(key) : std::next(key);
      }
    }
  }
  // ulogd2 prints the address of its buffer where it means the address in it.
  if (object.contains("arp.saddr.str")) {
    object["arp.saddr.str"] = "192.0.2.1";
    object["arp.daddr.str"] = "192.0.2.2";
  }
  if (sample.name == "prefix_not_utf8") {
    Object with_prefix;
    for (const auto& [key, value] : object.items()) {
      with_prefix[key] = value;
      if (key == "raw.pktcount") with_prefix["oob.prefix"] = "latin caf\xef\xbf\xbd ";
    }
    object = with_prefix;
  }
  EXPECT_EQ(event.payload.size, object["raw.pktlen"]);
  return object;
}

TEST(UlogdFormat, HasUlogd2sKeysAndValuesInItsOrderForWhateverTheKernelLogged) {
  const test::TimeZone zone("UTC0");
  const std::vector<Case> cases = load_cases();
  ASSERT_GE(cases.size(), 90U);
  for (const Case& sample : cases) {
    SCOPED_TRACE(sample.name);
    PacketEvent packet(sample.record);
    complete(packet.event, sample.expected);
    const Object ours = Object::parse(rendered(packet.event));
    const Object theirs = wanted(sample, packet.event);
    ASSERT_GE(ours.size(), theirs.size()) << ours.dump();
    // Keys beyond theirs stand behind them.
    auto our = ours.begin();
    for (auto their = theirs.begin(); their != theirs.end(); ++their, ++our) {
      ASSERT_EQ(our.key(), their.key()) << ours.dump() << '\n' << theirs.dump();
      EXPECT_EQ(our.value(), their.value()) << their.key();
    }
  }
}

TEST(UlogdFormat, NamesAddressesAndPortsAlsoWhereUlogd2DoesNotLook) {
  const auto object_of = [](std::string_view name) {
    for (const Case& sample : load_cases()) {
      if (sample.name != name) continue;
      PacketEvent packet(sample.record);
      return Object::parse(rendered(packet.event));
    }
    return Object();
  };
  const Object ingress = object_of("ingress6");
  EXPECT_EQ(ingress["src_ip"], "2001:db8::1");
  EXPECT_EQ(ingress["dest_port"], 7005);
  EXPECT_EQ(object_of("arp_request")["arp.daddr.str"], "192.0.2.2");
  EXPECT_EQ(object_of("sctp6")["dest_port"], 5001);
  EXPECT_EQ(object_of("cut20")["src_ip"], "192.0.2.20");
}

TEST(UlogdFormat, SaysWhatIsBrokenInAPacket) {
  for (const Case& sample : load_cases()) {
    if (sample.name != "cut24" && sample.name != "udp4") continue;
    PacketEvent packet(sample.record);
    const Object object = Object::parse(rendered(packet.event));
    EXPECT_EQ(object.contains("DecodeError"), sample.name == "cut24") << object.dump();
  }
}

TEST(UlogdFormat, IsValidJsonWhateverTheRecordHolds) {
  std::mt19937 random(3);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same records in each run
  const std::vector<Case> cases = load_cases();
  for (int round = 0; round < 20000; ++round) {
    test::ByteVector record = cases[random() % cases.size()].record;
    for (unsigned change = random() % 8; change != 0; --change) {
      record[random() % record.size()] = static_cast<std::uint8_t>(random());
    }
    record.resize(record.size() - (random() % 3 == 0 ? random() % record.size() : 0));
    PacketEvent packet(record);
    const std::string line = rendered(packet.event);
    ASSERT_TRUE(Object::accept(line)) << line;
    ASSERT_EQ(line.find('\n'), std::string::npos);
  }
}

TEST(UlogdFormat, HasRoomForTheLongestTexts) {
  const std::string prefix(60000, '\x01');
  RecordBuilder record(AF_INET, 0x0800, 1);
  record.short_number(NFULA_HWTYPE, ARPHRD_LOOPBACK).short_number(NFULA_HWLEN, 60000);
  record.attribute(NFULA_HWHEADER, test::ByteVector(60000, 0xab));
  PacketEvent packet(record.bytes());
  packet.event.prefix = text(prefix);
  const Object object = Object::parse(rendered(packet.event));
  EXPECT_EQ(object["oob.prefix"], prefix);
  EXPECT_EQ(object["mac.str"].get<std::string>().size(), 60000U * 3 - 1);
}

TEST(UlogdFormat, TellsTheSecondsOfLaterCenturies) {
  const RecordBuilder record(AF_INET, 0x0800, 1);
  PacketEvent packet(record.bytes());
  for (const std::int64_t second : {4'294'967'295, 4'294'967'296, 7'258'000'007, 9'223'372'036}) {
    packet.event.time_ns = second * 1'000'000'000;
    EXPECT_EQ(Object::parse(rendered(packet.event))["oob.time.sec"], second);
  }
}

// ---- The example of packet_logs' documentation ----------------------------------------------------------------------

TEST(UlogdFormat, RendersTheDocumentedRouterAdvertisement) {
  const Object documented = Object::parse(R"({
    "timestamp": "2022-07-25T15:01:58.947620+0200", "dvc": "spr", "raw.pktlen": 64, "raw.pktcount": 1,
    "oob.prefix": "drop:input ", "oob.time.sec": 1658754118, "oob.time.usec": 947620, "oob.mark": 0,
    "oob.ifindex_in": 3, "oob.hook": 1, "raw.mac_len": 14, "oob.family": 10, "oob.protocol": 34525,
    "action": "blocked", "raw.type": 1, "raw.mac.addrlen": 6, "ip.protocol": 58, "ip6.payloadlen": 24,
    "ip6.priority": 0, "ip6.flowlabel": 0, "ip6.hoplimit": 255, "ip6.nexthdr": 58, "icmpv6.type": 134,
    "icmpv6.code": 0, "icmpv6.csum": 57001, "oob.in": "wlan0", "oob.out": "",
    "src_ip": "feff::ffff:ffff:ffff:ffff", "dest_ip": "ff02::1", "mac.saddr.str": "33:33:33:33:33:33",
    "mac.daddr.str": "33:33:33:33:33:33", "mac.str": "33:33:33:33:33:33:33:33:33:33:33:33:86:dd"})");
  const test::TimeZone zone("CEST-2");
  RecordBuilder record(AF_INET6, 0x86dd, 1);
  record.text(NFULA_PREFIX, "drop:input ")
      .number(NFULA_IFINDEX_INDEV, 3)
      .attribute(NFULA_HWADDR, test::from_hex("000600003333333333330000"))
      .short_number(NFULA_HWTYPE, 1)
      .short_number(NFULA_HWLEN, 14)
      .attribute(NFULA_HWHEADER, test::from_hex("33333333333333333333333386dd"))
      .time(1658754118, 947620)
      .attribute(NFULA_PAYLOAD, test::from_hex("60000000"
                                               "00183aff"
                                               "feff000000000000ffffffffffffffff"
                                               "ff020000000000000000000000000001"
                                               "8600a9de4000070800000000000000000101333333333333"));
  PacketEvent packet(record.bytes());
  packet.event.in_name = NFBUS_TEXT("wlan0");
  EXPECT_EQ(rendered(packet.event), documented.dump());
}

// ---- Time
// ------------------------------------------------------------------------------------------------------------

std::string timestamp_at(const char* zone_name, std::int64_t time_ns) {
  const test::TimeZone zone(zone_name);
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).bytes());
  packet.event.time_ns = time_ns;
  return Object::parse(rendered(packet.event))["timestamp"];
}

TEST(UlogdFormat, GivesTheTimeInTheLocalZoneWithItsOffset) {
  EXPECT_EQ(timestamp_at("UTC0", 1658754117947620999), "2022-07-25T13:01:57.947620+0000");
  EXPECT_EQ(timestamp_at("XXX-5:30", 1658754119000001000), "2022-07-25T18:31:59.000001+0530");
  EXPECT_EQ(timestamp_at("XXX3:30", 1658754120000000000), "2022-07-25T09:32:00.000000-0330");
  EXPECT_EQ(timestamp_at("UTC0", 0), "1970-01-01T00:00:00.000000+0000");
  EXPECT_EQ(timestamp_at("UTC0", -1), "1969-12-31T23:59:59.999999+0000");
  EXPECT_EQ(timestamp_at("UTC0", INT64_MAX), "2262-04-11T23:47:16.854775+0000");
  EXPECT_EQ(timestamp_at("UTC0", INT64_MIN), "1677-09-21T00:12:43.145224+0000");
}

// ---- What the host adds
// ------------------------------------------------------------------------------------------------

TEST(UlogdFormat, EscapesTheDeviceAndInterfaceNames) {
  const FormatSet formats("a\"b");
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).bytes());
  packet.event.in_name = NFBUS_TEXT("w\"0\xff");
  TextBuffer buffer;
  formats[formats.find("ulogd")].render(packet.event, buffer);
  const Object object = Object::parse(buffer.view());
  EXPECT_EQ(object["dvc"], "a\"b");
  EXPECT_EQ(object["oob.in"], "w\"0\xef\xbf\xbd");
}

TEST(UlogdFormat, ShowsAnnotationsLast) {
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).bytes());
  const std::array<nfbus_field, 2> fields{{{NFBUS_TEXT("domain"), NFBUS_TEXT("example.org"), NFBUS_VALUE_TEXT, 0},
                                           {NFBUS_TEXT("quo\"te"), NFBUS_TEXT("\xff"), NFBUS_VALUE_TEXT, 0}}};
  packet.event.fields = fields.data();
  packet.event.field_count = fields.size();
  const std::string line = rendered(packet.event);
  const std::string_view tail = R"(,"Fields":{"domain":"example.org","quo\"te":")"
                                "\xef\xbf\xbd\"}}";
  EXPECT_TRUE(line.ends_with(tail)) << line;
  EXPECT_TRUE(Object::accept(line));
}

TEST(UlogdFormat, AppendsToWhatTheBufferHolds) {
  const FormatSet formats("spr");
  PacketEvent packet(RecordBuilder(AF_INET, 0x0800, 1).bytes());
  TextBuffer buffer;
  buffer.append("before ");
  formats[formats.find("ulogd")].render(packet.event, buffer);
  EXPECT_EQ(buffer.view(), "before " + rendered(packet.event));
}

// ---- Messages
// ----------------------------------------------------------------------------------------------------------

std::string rendered_message(std::string_view message) {
  return rendered(test::message_event("app:status", message, 1658754118000000000));
}

TEST(MessageText, HoldsTheMessagesJsonWithoutWhiteSpace) {
  const test::TimeZone zone("UTC0");
  const std::string head = R"({"Topic":"app:status","Timestamp":"2022-07-25T13:01:58Z","Message":)";
  EXPECT_EQ(rendered_message(" { \"a b\" : [ 1.50, 12345678901234567890123 ,\n\"\\\" x\" ] } "),
            head + R"({"a b":[1.50,12345678901234567890123,"\" x"]}})");
  EXPECT_EQ(rendered_message("true"), head + "true}");
  EXPECT_EQ(rendered_message("{ \"\xe2\x80\xae\" : \"\xc3\xa9 \xc2\x9b\" }"),
            head + "{\"\\u202e\":\"\xc3\xa9 \\u009b\"}}");
  EXPECT_EQ(rendered_message("\"text\""), head + "\"text\"}");
}

TEST(MessageText, HoldsAStringWhereTheMessageIsNotJson) {
  for (const std::string_view message : {"not json", "", "{\"a\":1", "{\"a\":1} x", "\xef\xbb\xbf{}", "\"\xff\""}) {
    const Object object = Object::parse(rendered_message(message));
    ASSERT_TRUE(object["Message"].is_string()) << message;
  }
  EXPECT_EQ(Object::parse(rendered_message("say \"hi\"\n"))["Message"], "say \"hi\"\n");
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(Object::parse(rendered_message("1\0x"sv))["Message"], "1\0x"sv);
}

TEST(MessageText, GivesTheTimeAsRfc3339) {
  const auto timestamp = [](const char* zone_name, std::int64_t time_ns) {
    const test::TimeZone zone(zone_name);
    return Object::parse(rendered(test::message_event("t", "1", time_ns)))["Timestamp"].get<std::string>();
  };
  // A second's texts are kept: no two of one second in different zones.
  EXPECT_EQ(timestamp("XXX-2", 1658754218120000000), "2022-07-25T15:03:38.12+02:00");
  EXPECT_EQ(timestamp("XXX3:30", 1658754219000000001), "2022-07-25T09:33:39.000000001-03:30");
  EXPECT_EQ(timestamp("UTC0", 1658754220000020300), "2022-07-25T13:03:40.0000203Z");
  EXPECT_EQ(timestamp("UTC0", 1658754221000000000), "2022-07-25T13:03:41Z");
}

}  // namespace
}  // namespace nfbus::host
