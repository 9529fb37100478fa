#include "decode/names.hpp"

#include "decode/ip.hpp"

#include <nfbus/abi.h>

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <utility>

namespace nfbus::host {
namespace {

TEST(ProtocolNames, HaveATitleForEachLayerThatIsAnIpProtocol) {
  EXPECT_EQ(protocol_title(NFBUS_LAYER_IPV6 | NFBUS_LAYER_ICMPV6), "ICMPv6");
  EXPECT_EQ(protocol_title(NFBUS_LAYER_IPV4 | NFBUS_LAYER_AH | NFBUS_LAYER_TCP), "TCP") << "what AH protects";
  EXPECT_EQ(protocol_title(NFBUS_LAYER_IPV4 | NFBUS_LAYER_AH), "AH");
  EXPECT_EQ(protocol_title(NFBUS_LAYER_IPV4), "");
  std::set<std::uint32_t> layers;
  for (const ProtocolName& one : protocol_names()) {
    EXPECT_EQ(one.title.empty(), one.layer == 0) << one.name;
    EXPECT_TRUE(one.layer == 0 || layers.insert(one.layer).second) << one.name;
  }
  EXPECT_EQ(layers.size(), 7U);
}

TEST(IcmpTypeNames, HaveOneForLinesAtMost) {
  std::set<std::pair<IcmpVersion, std::uint8_t>> in_lines;
  for (const IcmpTypeName& one : icmp_type_names()) {
    EXPECT_TRUE(!one.in_lines || in_lines.emplace(one.version, one.type).second) << one.name;
  }
  EXPECT_EQ(icmp_line_name(IcmpVersion::icmp, 3), "unreachable");
  EXPECT_EQ(icmp_line_name(IcmpVersion::icmpv6, 3), "time-exceeded");
  EXPECT_EQ(icmp_line_name(IcmpVersion::icmpv6, 135), "neighbour-solicitation");
  EXPECT_EQ(icmp_line_name(IcmpVersion::icmp, 13), "") << "lines show its number";
}

TEST(Names, AreInLowerCaseAndNotTwiceOfOneNumber) {
  std::set<std::pair<std::string, unsigned>> seen;
  const auto check = [&](std::string_view name, unsigned number) {
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-"), std::string_view::npos) << name;
    EXPECT_TRUE(seen.emplace(name, number).second) << name;
  };
  for (const ProtocolName& one : protocol_names()) check(one.name, one.number);
  for (const IcmpTypeName& one : icmp_type_names()) {
    check(one.name, 1000U + one.type + (one.version == IcmpVersion::icmpv6 ? 1000U : 0U));
  }
}

}  // namespace
}  // namespace nfbus::host
