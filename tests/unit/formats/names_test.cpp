#include "formats/names.hpp"

#include "format_support.hpp"

#include <gtest/gtest.h>
#include <linux/netfilter.h>
#include <sys/socket.h>

#include <set>
#include <string>

namespace nfbus::host {
namespace {

using test::PacketEvent;
using test::RecordBuilder;

TEST(FormatNames, AreEachOfOneFormatThatRendersPackets) {
  const FormatSet formats("spr");
  std::set<FormatId> numbers;
  for (const FormatName& format : kFormatNames) {
    ASSERT_LT(format.id, kMaxFormats) << format.name;
    ASSERT_NE(format.id, 0U) << format.name;
    EXPECT_TRUE(numbers.insert(format.id).second) << format.name << " has another's number";
    EXPECT_EQ(FormatSet::find(format.name), format.id);
    const PacketEvent packet(RecordBuilder(AF_INET, 0x0800, NF_INET_LOCAL_IN).bytes());
    TextBuffer text;
    formats[format.id].render(packet.event, text);
    EXPECT_TRUE(text.view().starts_with("{")) << format.name;
  }
  EXPECT_EQ(FormatSet::find("xml"), 0U);
  EXPECT_EQ(FormatSet::find(""), 0U);
}

TEST(FormatNames, LeadUsersToTheFormatThatShowsPayloadOnlyByThatChoice) {
  EXPECT_EQ(chosen_format("packet", false), kPacketFormat);
  EXPECT_EQ(chosen_format("packet", true), kPacketFullFormat);
  EXPECT_EQ(chosen_format("ulogd", false), kUlogdFormat);
  EXPECT_EQ(chosen_format("ulogd", true), kUlogdFormat) << "it shows no payload";
  EXPECT_EQ(chosen_format("packet_full", false), 0U);
  EXPECT_EQ(chosen_format("xml", false), 0U);
}

}  // namespace
}  // namespace nfbus::host
