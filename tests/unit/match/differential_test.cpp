// Random matches against their twins in tcpdump's language: both must select the same packets.
#include "made_event.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace nfbus::host::test {
namespace {

using nlohmann::json;

constexpr std::size_t kPackets = 4000;
constexpr std::size_t kMatches = 400;

// A value as a match has it, and what selects the same in tcpdump's language.
struct Twin {
  json value;
  std::string bpf;
};

class Maker {
 public:
  explicit Maker(std::uint32_t seed) : random_(seed) {}

  std::unique_ptr<MadeEvent> packet() {
    const bool six = one_in(2);
    const unsigned protocol = pick<unsigned>({6, 6, 6, 17, 17, 17, 132, six ? 58U : 1U, 47});
    // Libpcap looks no further than IPv6's first header, so there are fragments of IPv4 only.
    const unsigned fragment = six || !one_in(10) ? 0 : pick<unsigned>({0x2000, 0x0010, 0x2010});
    const PacketBytes body = transport(protocol, six);
    return std::make_unique<MadeEvent>(six ? ipv6(address6(), address6(), protocol, body)
                                           : ipv4(address4(), address4(), protocol, body, fragment));
  }

  // One to three conditions, the same in both languages.
  Twin match() {
    std::vector<std::string> keys = {"src",  "dst",    "host",      "sport",     "dport",
                                     "port", "length", "tcp_flags", "icmp_type", "proto"};
    std::shuffle(keys.begin(), keys.end(), random_);
    keys.resize(1 + number(0, 2));
    Twin out{json::object(), ""};
    for (const std::string& key : keys) {
      const Twin condition = list(key);
      const bool negated = one_in(3);
      out.value[(negated ? "!" : "") + key] = condition.value;
      if (!out.bpf.empty()) out.bpf += " and ";
      out.bpf += (negated ? "not (" : "(") + condition.bpf + ")";
    }
    return out;
  }

 private:
  std::uint32_t number(std::uint32_t low, std::uint32_t high) {
    return std::uniform_int_distribution<std::uint32_t>(low, high)(random_);
  }
  bool one_in(std::uint32_t count) { return number(1, count) == 1; }
  template <typename T>
  T pick(std::initializer_list<T> values) {
    return values.begin()[number(0, static_cast<std::uint32_t>(values.size()) - 1)];
  }

  // Few enough that values of matches meet those of packets.
  std::string address4() {
    return pick({"10.0.0.", "10.0.1.", "192.168.7.", "224.0.0."}) + std::to_string(number(0, 31));
  }
  std::string address6() {
    return pick({"2001:db8::", "2001:db8:1::", "fe80::", "ff02::"}) + std::to_string(number(0, 9));
  }
  unsigned port() { return pick<unsigned>({53, 80, 443, 1024, 2000, 40000}) + number(0, 2); }

  PacketBytes transport(unsigned protocol, bool six) {
    const PacketBytes data(number(0, 60));
    switch (protocol) {
      case 6: return tcp(port(), port(), number(0, 0x1ff), data.size());
      case 17: return udp(port(), port(), data);
      case 132: {
        PacketBytes body = udp(port(), port(), data);
        body.resize(12 + data.size());
        return body;
      }
      case 1:
      case 58: return icmp(six ? pick<unsigned>({1, 128, 129, 135, 3}) : pick<unsigned>({0, 3, 8, 11, 128}));
      default: return data;
    }
  }

  Twin list(const std::string& key) {
    if (one_in(2)) return single(key);
    Twin out{json::array(), ""};
    for (std::uint32_t i = number(1, 12); i > 0; --i) {
      const Twin one = single(key);
      out.value.push_back(one.value);
      out.bpf += (out.bpf.empty() ? "(" : " or (") + one.bpf + ")";
    }
    return out;
  }

  Twin single(const std::string& key) {
    if (key == "src" || key == "dst" || key == "host") return address(key);
    if (key == "sport") return ports("src ");
    if (key == "dport") return ports("dst ");
    if (key == "port") return ports("");
    if (key == "length") return length();
    if (key == "tcp_flags") return tcp_flags();
    if (key == "icmp_type") return icmp_type();
    return protocol();
  }

  static std::string either(const std::string& key, const std::string& what) {
    if (key != "host") return key + " " + what;
    return "(src " + what + " or dst " + what + ")";
  }

  Twin address(const std::string& key) {
    const bool six = one_in(2);
    const std::string one = six ? address6() : address4();
    if (one_in(3)) return {one, either(key, "host " + one)};
    if (one_in(4) && key != "host") return address_range(key, six);
    const unsigned length =
        six ? pick({0U, 1U, 7U, 8U, 32U, 48U, 64U, 65U, 127U, 128U}) : pick({0U, 1U, 8U, 15U, 24U, 27U, 28U, 31U, 32U});
    const std::string suffix = "/" + std::to_string(length);
    // Libpcap wants no bits behind the prefix.
    std::array<std::uint8_t, 16> bytes{};
    const int family = six ? AF_INET6 : AF_INET;
    ::inet_pton(family, one.c_str(), bytes.data());
    for (unsigned bit = length; bit < (six ? 128U : 32U); ++bit) {
      bytes.at(bit / 8) = static_cast<std::uint8_t>(bytes.at(bit / 8) & ~(0x80U >> bit % 8));
    }
    std::array<char, INET6_ADDRSTRLEN> network{};
    ::inet_ntop(family, bytes.data(), network.data(), network.size());
    std::string twin = either(key, "net " + (network.data() + suffix));
    if (length == 0) twin = six ? "ip6" : "ip";  // libpcap takes ::/0 for any packet
    return {one + suffix, twin};
  }

  Twin address_range(const std::string& key, bool six) {
    const std::uint32_t low = number(0, six ? 9 : 31);
    const std::uint32_t high = number(low, six ? 9 : 31);
    const std::string network = six ? pick({"2001:db8::", "fe80::"}) : pick({"10.0.0.", "192.168.7."});
    const std::string value = network + std::to_string(low) + "-" + network + std::to_string(high);
    if (six) {
      const std::string last = key == "src" ? "ip6[20:4]" : "ip6[36:4]";
      return {value, key + " net " + network + "/96 and " + last + " >= " + std::to_string(low) + " and " + last +
                         " <= " + std::to_string(high)};
    }
    const std::string last = key == "src" ? "ip[15]" : "ip[19]";
    return {value, key + " net " + network + "0/24 and " + last + " >= " + std::to_string(low) + " and " + last +
                       " <= " + std::to_string(high)};
  }

  Twin ports(const std::string& side) {
    const unsigned low = port();
    if (one_in(2)) return {low, side + "port " + std::to_string(low)};
    const unsigned high = low + number(0, 900);
    const std::string range = std::to_string(low) + "-" + std::to_string(high);
    return {range, side + "portrange " + range};
  }

  Twin length() {
    const unsigned low = number(20, 100);
    const unsigned high = low + number(0, 40);
    return {std::to_string(low) + "-" + std::to_string(high),
            "len >= " + std::to_string(low) + " and len <= " + std::to_string(high)};
  }

  Twin tcp_flags() {
    static constexpr std::array kNames = {"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns"};
    std::string text;
    unsigned wanted = 0;
    unsigned mask = 0;
    for (unsigned i = 0; i < kNames.size(); ++i) {
      if (!one_in(4) && !(mask == 0 && i + 1 == kNames.size())) continue;
      const bool set = one_in(2);
      text += (text.empty() ? "" : ",") + std::string(set ? "" : "!") + kNames.at(i);
      mask |= 1U << i;
      if (set) wanted |= 1U << i;
    }
    const std::string test = " & " + std::to_string(mask) + " = " + std::to_string(wanted);
    return {text, "(tcp[12:2]" + test + ") or (ip6 and ip6[6] = 6 and ip6[52:2]" + test + ")"};
  }

  Twin icmp_type() {
    const auto four = [](unsigned type) { return "(icmp and icmp[0] = " + std::to_string(type) + ")"; };
    const auto six = [](unsigned type) { return "(ip6 and ip6[6] = 58 and ip6[40] = " + std::to_string(type) + ")"; };
    if (one_in(3)) return {"echo-request", four(8) + " or " + six(128)};
    if (one_in(3)) return {"destination-unreachable", four(3) + " or " + six(1)};
    const unsigned type = pick({0U, 3U, 8U, 128U, 135U});
    return {type, four(type) + " or " + six(type)};
  }

  Twin protocol() {
    const auto is = [](unsigned number) {
      return "(ip and ip[9] = " + std::to_string(number) + ") or (ip6 and ip6[6] = " + std::to_string(number) + ")";
    };
    if (one_in(2)) return {"tcp", is(6)};
    const unsigned number = pick({6U, 17U, 1U, 58U, 47U, 132U});
    return {number, is(number)};
  }

  std::mt19937 random_;
};

TEST(MatchesAndTheirBpfTwins, SelectTheSamePackets) {
  Maker maker(20261123);
  std::vector<std::unique_ptr<MadeEvent>> packets;
  packets.reserve(kPackets);
  for (std::size_t i = 0; i < kPackets; ++i) packets.push_back(maker.packet());

  std::size_t selected = 0;
  std::size_t telling = 0;  // matches that select some packets, and not all
  for (std::size_t i = 0; i < kMatches; ++i) {
    const Twin twin = maker.match();
    SCOPED_TRACE(twin.value.dump() + "\n  bpf: " + twin.bpf);
    const MatchSet ours = compiled(twin.value);
    const CompiledMatch compiled_twin = compile_match({{"bpf", twin.bpf}}, no_fields());
    const MatchSet& theirs = compiled_twin.matches;
    // Libpcap refuses what it sees to select nothing; then neither may we.
    for (const MatchFault& fault : compiled_twin.faults) {
      ASSERT_TRUE(fault.text.ends_with("expression rejects all packets")) << fault.text;
    }
    ASSERT_FALSE(HasFailure());
    std::size_t hits = 0;
    for (const auto& packet : packets) {
      const Facts facts(packet->event);
      const bool hit = ours(facts);
      ASSERT_EQ(hit, theirs(facts)) << "packet "
                                    << json(PacketBytes(packet->event.payload.data,
                                                        packet->event.payload.data + packet->event.payload.size));
      hits += hit ? 1 : 0;
    }
    selected += hits;
    telling += hits != 0 && hits != kPackets ? 1 : 0;
  }
  EXPECT_GT(telling, kMatches / 2);
  EXPECT_GT(selected, kMatches * kPackets / 20);
}

}  // namespace
}  // namespace nfbus::host::test
