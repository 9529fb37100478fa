// Says who is where in the demo: the addresses, devices and rules that its parts agree on. Documentation ranges (RFC
// 5737, RFC 3849) stand for the internet.
#pragma once

#include <array>
#include <cstdint>

namespace nfbus::host::demo {

inline constexpr char kLanDevice[] = "lan0";  // the router's devices
inline constexpr char kWanDevice[] = "wan0";
inline constexpr char kEndDevice[] = "eth0";  // the only device of either end

inline constexpr char kLanHost4[] = "192.168.7.2";
inline constexpr char kLanHost6[] = "2001:db8:7::2";
inline constexpr char kLanRouter4[] = "192.168.7.1";
inline constexpr char kLanRouter6[] = "2001:db8:7::1";
inline constexpr char kWanHost4[] = "203.0.113.2";
inline constexpr char kWanHost6[] = "2001:db8:113::2";
inline constexpr char kWanRouter4[] = "203.0.113.1";
inline constexpr char kWanRouter6[] = "2001:db8:113::1";

inline constexpr char kLanHostMac[] = "02:00:00:00:07:02";
inline constexpr char kLanRouterMac[] = "02:00:00:00:07:01";
inline constexpr std::array<std::uint8_t, 6> kLanRouterMacBytes = {2, 0, 0, 0, 7, 1};
inline constexpr std::array<std::uint8_t, 6> kSpoofedMacBytes = {2, 0, 0, 0, 0x66, 0x66};

inline constexpr std::uint16_t kAllowedGroup = 0;
inline constexpr std::uint16_t kBlockedGroup = 1;

inline constexpr std::uint16_t kDnsPort = 53;   // served by the router
inline constexpr std::uint16_t kNtpPort = 123;  // these by the far end
inline constexpr std::uint16_t kHttpPort = 80;
inline constexpr std::uint16_t kHttpsPort = 443;

// The router's firewall. What neighbours say to find each other is let through without a line.
inline constexpr char kRules[] = R"(
table inet nfbus_demo {
  chain mac_spoof {
    ether saddr 02:00:00:00:07:02 return
    log prefix "drop:mac " group 1
    drop
  }
  chain input {
    type filter hook input priority filter; policy drop;
    icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept
    iifname "lan0" jump mac_spoof
    iifname "lan0" log prefix "lan:in " group 0 accept
    log prefix "drop:input " group 1
    drop
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    iifname "lan0" jump mac_spoof
    oifname "wan0" log prefix "wan:out " group 0 accept
    iifname "wan0" ct state established,related log prefix "wan:in " group 0 accept
    log prefix "drop:forward " group 1
    drop
  }
  chain output {
    type filter hook output priority filter; policy accept;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, mld2-listener-report } accept
    oifname "lan0" log prefix "lan:out " group 0
  }
}
)";

}  // namespace nfbus::host::demo
