// Which bytes that the kernel gave as hardware header are one: the fixtures link_*.
#include "decode/decode.hpp"

#include "decoded.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using test::Decoded;

TEST(DecodeLink, TakesNoHeaderThatIsNone) {
  for (const char* name : {"link_tun_in_postrouting", "link_tun_from_8_0", "link_tun_ipv6", "link_pppoe_over_bridge",
                           "link_vxlan_in_postrouting", "link_wireguard", "link_ppp"}) {
    const Decoded decoded(name);
    EXPECT_EQ(decoded.event.hw_header.size, 0U) << name;
    EXPECT_EQ(decoded.event.hw_address.size, 0U) << name;
    EXPECT_EQ(decoded.event.layers & NFBUS_LAYER_ETHERNET, 0U) << name;
    EXPECT_NE(decoded.event.layers & NFBUS_LAYER_UDP, 0U) << name;
    EXPECT_EQ(decoded.event.decode_error.size, 0U) << name;
  }
}

TEST(DecodeLink, TakesAsMuchOfAHeaderAsBelongsToIt) {
  EXPECT_EQ(Decoded("link_vlan_device").event.hw_header.size, 14U);
  const Decoded tagged("link_vlan_device_keeps_tag");
  EXPECT_EQ(tagged.event.hw_header.size, 18U);
  EXPECT_EQ(tagged.event.vlan_tci, 100);
  // A header that is right, whatever the device or the hook.
  for (const char* name : {"ipv4_tcp_syn", "bridge_vlan", "bridge_two_vlan_tags", "bridge_vlan_in_payload",
                           "netdev_vlan_in_frame", "bridge_output", "loopback"}) {
    EXPECT_EQ(Decoded(name).event.hw_header.size, 14U) << name;
  }
}

TEST(DecodeLink, LeavesAFrameWithoutAProtocolAsItIs) {
  for (const char* name : {"link_llc", "link_type_zero"}) {
    const Decoded decoded(name);
    EXPECT_EQ(decoded.event.hw_header.size, 14U) << name;
    EXPECT_EQ(decoded.event.layers, NFBUS_LAYER_ETHERNET) << name;
    EXPECT_EQ(decoded.event.decode_error.size, 0U) << name;
  }
  EXPECT_EQ(Decoded("link_type_zero").event.ether_type, 0);
}

TEST(DecodeLink, ANormalHeaderInPostroutingStays) {
  test::Packet packet = test::load_packet(NFBUS_TEST_DATA, "ipv4_tcp_syn");
  Event event = test::decode_record(packet.record);
  ASSERT_EQ(event.hw_header.size, 14U);
  // The hook stands behind the EtherType in the first attribute.
  packet.record[10] = 4;
  event = test::decode_record(packet.record);
  EXPECT_EQ(event.hook, 4);
  EXPECT_EQ(event.hw_header.size, 14U);
}

}  // namespace
}  // namespace nfbus::host
