// Addresses and networks, and who may never be banned.
#include "ban_network.hpp"
#include "allow_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>

#include <string>
#include <utility>
#include <vector>

namespace nftrules {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Network network(const std::string& text) {
  const auto out = network_of(text);
  EXPECT_TRUE(out.ok()) << text;
  return out.ok() ? *out : Network{};
}

TEST(Network, IsReadAndWritten) {
  for (const char* text : {"192.0.2.1", "192.0.2.0/24", "0.0.0.0/0", "2001:db8::1", "2001:db8::/32", "::/0"}) {
    EXPECT_EQ(to_string(network(text)), text);
  }
  EXPECT_EQ(to_string(network("192.0.2.1/32")), "192.0.2.1");
  EXPECT_EQ(to_string(network("2001:DB8:0::1/128")), "2001:db8::1");
}

TEST(Network, OfAnIpv4AddressInIpv6IsTheFormer) {
  EXPECT_EQ(network("::ffff:192.0.2.1"), network("192.0.2.1"));
  EXPECT_EQ(network("::ffff:c000:200/120"), network("192.0.2.0/24"));
  EXPECT_EQ(network("::fffe:0:0/95").family, NFPROTO_IPV6);
}

TEST(Network, IsNothingElse) {
  for (const char* text : {"", "x", "192.0.2", "192.0.2.256", "192.0.2.1/33", "192.0.2.1/", "192.0.2.1/-1",
                           "192.0.2.1/2x", "192.0.2.1 ", "2001:db8::/129", "fe80::1%eth0", "192.0.2.1/32/32"}) {
    EXPECT_FALSE(network_of(text).ok()) << text;
  }
  const auto wrong = network_of("192.0.2.1/24");
  ASSERT_FALSE(wrong.ok());
  EXPECT_THAT(wrong.error().text, HasSubstr("192.0.2.0/24 is meant"));
}

TEST(Network, IsWidenedToAPrefix) {
  EXPECT_EQ(widened(network("192.0.2.129"), 25), network("192.0.2.128/25"));
  EXPECT_EQ(widened(network("2001:db8:1:2:3::4"), 63), network("2001:db8:1:2::/63"));
  EXPECT_EQ(widened(network("192.0.2.0/24"), 32), network("192.0.2.0/24")) << "it is no narrower";
  EXPECT_EQ(widened(network("192.0.2.1"), 0), network("0.0.0.0/0"));
}

TEST(Network, OverlapsWhatIsInItAndAroundIt) {
  EXPECT_TRUE(overlap(network("192.0.2.1"), network("192.0.2.0/24")));
  EXPECT_TRUE(overlap(network("192.0.2.0/24"), network("192.0.2.1")));
  EXPECT_FALSE(overlap(network("192.0.2.0/25"), network("192.0.2.128/25")));
  EXPECT_FALSE(overlap(network("0.0.0.0/0"), network("::1"))) << "the families are two";
}

std::vector<std::pair<std::string, std::string>> as_texts(const AllowList& list, std::uint8_t family) {
  std::vector<std::pair<std::string, std::string>> out;
  const std::uint8_t all = family == NFPROTO_IPV4 ? kMostBitsV4 : kMostBitsV6;
  for (const auto& [first, last] : list.ranges(family)) {
    out.emplace_back(to_string(network_of_key(family, first, all)), to_string(network_of_key(family, last, all)));
  }
  return out;
}

TEST(AllowList, HasRangesThatAreApartWhateverOverlaps) {
  const AllowList list({network("10.0.0.0/8"), network("10.1.2.3"), network("10.255.255.255"), network("192.0.2.7"),
                        network("192.0.2.0/24"), network("2001:db8::/32"), network("2001:db8::1")});
  EXPECT_THAT(as_texts(list, NFPROTO_IPV4),
              ElementsAre(std::pair("0.0.0.0", "0.255.255.255"), std::pair("10.0.0.0", "10.255.255.255"),
                          std::pair("127.0.0.0", "127.255.255.255"), std::pair("169.254.0.0", "169.254.255.255"),
                          std::pair("192.0.2.0", "192.0.2.255"), std::pair("224.0.0.0", "239.255.255.255"),
                          std::pair("255.255.255.255", "255.255.255.255")));
  EXPECT_THAT(as_texts(list, NFPROTO_IPV6),
              ElementsAre(std::pair("::", "::"), std::pair("::1", "::1"),
                          std::pair("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
                          std::pair("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
                          std::pair("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")));
}

TEST(AllowList, SaysWhyAndForNetworksAroundTheAllowed) {
  const AllowList list({network("192.0.2.7")});
  EXPECT_THAT(list.why_allowed(network("192.0.2.8")), IsEmpty());
  EXPECT_EQ(list.why_allowed(network("192.0.2.7")), "allow has 192.0.2.7");
  EXPECT_EQ(list.why_allowed(network("192.0.2.0/24")), "allow has 192.0.2.7");
  EXPECT_EQ(list.why_allowed(network("127.1.2.3")), "it is loopback");
  EXPECT_EQ(list.why_allowed(network("::/64")), "it is the unspecified address");
}

TEST(AllowList, ReadsThisMachinesAddressesAtMostOnceASecond) {
  AllowList list({});
  const auto now = AllowList::Clock::now();
  const auto first = list.refresh(now);
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(*first);
  const auto again = list.refresh(now + std::chrono::milliseconds(999));
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(*again);
}

TEST(Gateways, AreThoseOfDefaultRoutes) {
  const auto found = gateways_in_route(
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
      "eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
      "eth0\t000200C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
      "eth1\t0000000A\t630200C0\t0003\t0\t0\t0\t000000FF\t0\t0\t0\n"
      "eth0\tbroken\n");
  EXPECT_THAT(found, ElementsAre(network("192.0.2.1")));
  const auto found6 = gateways_in_ipv6_route(
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 20010db8000000000000000000000001 "
      "00000400 "
      "00000001 00000000 00000003     eth0\n"
      "20010db8000000000000000000000000 40 00000000000000000000000000000000 00 20010db8000000000000000000000002 "
      "00000400 "
      "00000001 00000000 00000003     eth0\n"
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 "
      "ffffffff "
      "00000001 00000000 00200200       lo\n"
      "00 00 00\n");
  EXPECT_THAT(found6, ElementsAre(network("2001:db8::1")));
}

}  // namespace
}  // namespace nftrules
