#include "cli/tap/received_event.hpp"

#include "bus/server/line_maker.hpp"
#include "decode/decode.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace nfbus::host {
namespace {

using Kind = ReceivedEvent::Kind;

// nfgenmsg of group 7 and the prefix "lan:in ".
constexpr std::array<std::uint8_t, 16> kRecord = {2, 0, 0, 7, 12, 0, 10, 0, 'l', 'a', 'n', ':', 'i', 'n', ' ', 0};

class Received : public testing::Test {
 protected:
  // As the host sends it.
  std::string sent(const Event& event) {
    const LineRef line = maker_.packet(event, kRecordForm);
    return std::string(line.view().substr(0, line.size() - 1));
  }
  static Event packet() {
    Event event{};
    event.struct_size = sizeof(nfbus_event);
    static_cast<void>(read_record(kRecord, event));
    decode_packet(event);
    event.topic = text("nft:lan:in");
    event.time_ns = 1'700'000'000'123'456'789;
    event.action = NFBUS_ACTION_BLOCKED;
    event.lost_before = 3;
    event.in_name = text("wan0");
    event.fields = &kField;
    event.field_count = 1;
    return event;
  }

  static constexpr nfbus_field kField = {
      .name = NFBUS_TEXT("rule"), .value = NFBUS_TEXT("r\"1\""), .type = NFBUS_VALUE_TEXT, .reserved = 0};
  const FormatSet formats_{"test"};
  LineStore store_;
  LineMaker maker_{formats_, store_};
  ReceivedEvent received_{"nft:"};
};

TEST_F(Received, IsThePacketThatTheHostSent) {
  ASSERT_EQ(received_.read(sent(packet())), Kind::packet);
  const nfbus_event& event = received_.event();
  EXPECT_EQ(view(event.topic), "nft:lan:in");
  EXPECT_EQ(view(event.prefix), "lan:in ");
  EXPECT_EQ(event.group, 7);
  EXPECT_EQ(event.time_ns, 1'700'000'000'123'456'789);
  EXPECT_EQ(event.action, NFBUS_ACTION_BLOCKED);
  EXPECT_EQ(event.lost_before, 3U);
  EXPECT_EQ(view(event.in_name), "wan0");
  EXPECT_EQ(event.record.size, kRecord.size());
  ASSERT_EQ(event.field_count, 1U);
  EXPECT_EQ(view(event.fields[0].value), "r\"1\"");
}

TEST_F(Received, IsAPacketOnlyUnderTheRootOfPackets) {
  std::string line = sent(packet());
  line.replace(line.find("nft:"), 4, "web:");
  EXPECT_EQ(received_.read(line), Kind::message);
  EXPECT_EQ(ReceivedEvent(std::nullopt).read(sent(packet())), Kind::message);
}

TEST_F(Received, IsOddWhenAPacketsLineHoldsNone) {
  for (const std::string_view value : {"", "!", "AQ==", "x", "{}"}) {
    const std::string line = R"({"topic":"nft:lan:in","value":")" + std::string(value) + R"("})";
    EXPECT_EQ(received_.read(line), Kind::odd) << value;
  }
}

TEST_F(Received, SaysWhichReleaseSpeaksAnUnknownVersion) {
  EXPECT_EQ(received_.read(R"({"topic":"nft:lan:in","value":"Ag=="})"), Kind::unknown);
  EXPECT_EQ(received_.refusal(),
            "the host sends an event record of version 2, but this nfbus reads version 1: use one "
            "of the release that wrote it");
}

}  // namespace
}  // namespace nfbus::host
