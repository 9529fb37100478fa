#include "devices.hpp"

#include "made_event.hpp"
#include "temporary_folder.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace websocket {
namespace {

using nfbus::host::test::ipv4;
using nfbus::host::test::MadeEvent;
using nfbus::host::test::udp;

constexpr std::array<std::uint8_t, 6> kMac = {2, 0, 0, 0, 0, 7};
constexpr std::array<std::uint8_t, 4> kPhone = {10, 0, 0, 2};
constexpr std::array<std::uint8_t, 4> kRouter = {10, 0, 0, 1};

class DevicesTest : public ::testing::Test {
 protected:
  // What the file names says from now on.
  Devices& with(std::string_view names) {
    nfbus::test::write_file(path_, names);
    devices_.emplace(nfbus::Host(fake_.raw()), path_);
    devices_->names().refresh();
    return *devices_;
  }
  static nfbus::Event event_of(MadeEvent& packet) { return nfbus::Event(&packet.event); }
  static void send_from(MadeEvent& packet, std::size_t mac_size = kMac.size()) {
    packet.event.hw_address = {kMac.data(), mac_size};
  }

  nfbus::test::TemporaryFolder folder_;
  const std::string path_ = (folder_.path() / "names").string();
  nfbus::test::FakeHost fake_;
  std::optional<Devices> devices_;
  MadeEvent packet_{ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2))};
};

TEST_F(DevicesTest, AreNamedByAddressElseByMac) {
  Devices* devices = &with("10.0.0.1 router\n02:00:00:00:00:07 phone\n");
  EXPECT_EQ(devices->name_of_source(event_of(packet_)), "");
  EXPECT_EQ(devices->name_of(kRouter), "router");
  send_from(packet_);
  EXPECT_EQ(devices->name_of_source(event_of(packet_)), "phone");
  send_from(packet_, 5);
  EXPECT_EQ(devices->name_of_source(event_of(packet_)), "");
  packet_.ethernet({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 7, 8, 0});
  EXPECT_EQ(devices->name_of_source(event_of(packet_)), "phone");
  devices = &with("10.0.0.2 by address\n02:00:00:00:00:07 by MAC\n");
  EXPECT_EQ(devices->name_of_source(event_of(packet_)), "by address");
}

TEST_F(DevicesTest, KeepTheirNameWhereThePacketDoesNotSayTheirMac) {
  Devices& devices = with("02:00:00:00:00:07 phone\n");
  EXPECT_EQ(devices.name_of(kPhone), "");
  send_from(packet_);
  devices.see(event_of(packet_));
  EXPECT_EQ(devices.name_of(kPhone), "phone");
  EXPECT_EQ(devices.name_of(kRouter), "") << "it is not the one that sent";
  MadeEvent later(ipv4("10.0.0.2", "10.0.0.1", 17, udp(1, 2)));
  EXPECT_EQ(devices.name_of_source(event_of(later)), "phone");
  EXPECT_EQ(devices.name_of({}), "");
}

TEST_F(DevicesTest, AreSeenAsSourceAndAsDestination) {
  Devices& devices = with("");
  packet_.event.time_ns = 5;
  devices.see(event_of(packet_));
  packet_.event.time_ns = 9;
  devices.see(event_of(packet_));
  for (const auto& address : {kPhone, kRouter}) {
    EXPECT_EQ(devices.seen(address).first_ns, 5);
    EXPECT_EQ(devices.seen(address).last_ns, 9);
  }
  EXPECT_EQ(devices.seen(std::array<std::uint8_t, 4>{10, 0, 0, 3}).last_ns, 0);
}

}  // namespace
}  // namespace websocket
