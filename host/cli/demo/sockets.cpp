#include "cli/demo/sockets.hpp"

#include "cli/demo/plan.hpp"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <span>

namespace nfbus::host::demo {
namespace {

constexpr int kAnswerWaitMs = 300;
constexpr std::string_view kPingText = "nfbus demo";

void wait_readable(const Descriptor& socket) noexcept {
  pollfd waiting{socket.get(), POLLIN, 0};
  poll(&waiting, 1, kAnswerWaitMs);
}

// Neither a connect nor a read on this socket lasts longer.
void bound_waiting(const Descriptor& socket) noexcept {
  const timeval limit{0, 1000L * kAnswerWaitMs};
  setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

std::uint16_t internet_checksum(std::span<const std::uint8_t> bytes) noexcept {  // RFC 1071; an even number of bytes
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) {
    sum += static_cast<std::uint32_t>(bytes[i]) << 8U | bytes[i + 1];
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16U);
  return htons(static_cast<std::uint16_t>(~sum));
}

template <typename Header>
std::span<const std::uint8_t> bytes_of(const Header& header) noexcept {
  return {reinterpret_cast<const std::uint8_t*>(&header), sizeof header};
}

Descriptor server(int type, std::uint16_t port) noexcept {
  Descriptor socket(::socket(AF_INET6, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int both_families = 0;
  const int reuse = 1;
  setsockopt(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY, &both_families, sizeof both_families);
  setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof reuse);
  const Address any("::", port);
  if (bind(socket.get(), any.data(), any.size()) == 0 && type == SOCK_STREAM) {
    listen(socket.get(), SOMAXCONN);
  }
  return socket;
}

}  // namespace

Address::Address(const char* text, std::uint16_t port) noexcept {
  auto* four = reinterpret_cast<sockaddr_in*>(&storage_);
  auto* six = reinterpret_cast<sockaddr_in6*>(&storage_);
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(port);
    size_ = sizeof *four;
  } else {
    inet_pton(AF_INET6, text, &six->sin6_addr);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    size_ = sizeof *six;
  }
}

void udp_exchange(const Address& to, std::string_view text, bool wait) noexcept {
  const Descriptor socket(::socket(to.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sendto(socket.get(), text.data(), text.size(), 0, to.data(), to.size());
  if (wait) wait_readable(socket);
}

void tcp_fetch(const Address& to) noexcept {
  const Descriptor socket(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC, 0));
  bound_waiting(socket);
  if (connect(socket.get(), to.data(), to.size()) != 0) return;
  constexpr std::string_view kRequest = "GET / HTTP/1.0\r\n\r\n";
  send(socket.get(), kRequest.data(), kRequest.size(), MSG_NOSIGNAL);
  std::array<char, 512> answer{};
  while (recv(socket.get(), answer.data(), answer.size(), 0) > 0) continue;
}

void tcp_knock(const Address& to) noexcept {
  const Descriptor socket(::socket(to.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The SYN leaves at once; closing forgets it.
  static_cast<void>(connect(socket.get(), to.data(), to.size()));
}

void ping(const Address& to, bool wait) noexcept {
  const bool four = to.family() == AF_INET;
  const Descriptor socket(::socket(to.family(), SOCK_RAW | SOCK_CLOEXEC, four ? IPPROTO_ICMP : int{IPPROTO_ICMPV6}));
  std::array<std::uint8_t, sizeof(icmphdr) + kPingText.size()> packet{};  // ICMPv6's echo has the same form
  icmphdr header{};
  header.type = four ? std::uint8_t{ICMP_ECHO} : std::uint8_t{ICMP6_ECHO_REQUEST};
  header.un.echo.id = htons(static_cast<std::uint16_t>(getpid()));
  header.un.echo.sequence = htons(1);
  std::memcpy(packet.data(), &header, sizeof header);
  std::memcpy(packet.data() + sizeof header, kPingText.data(), kPingText.size());
  if (four) {  // the kernel sums ICMPv6 only
    header.checksum = internet_checksum(packet);
    std::memcpy(packet.data(), &header, sizeof header);
  }
  sendto(socket.get(), packet.data(), packet.size(), 0, to.data(), to.size());
  if (wait) wait_readable(socket);
}

void router_advertisement() noexcept {
  const Descriptor socket(::socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6));
  const int hops = 255;  // RFC 4861, section 4.2
  const int device = static_cast<int>(if_nametoindex(kEndDevice));
  setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
  setsockopt(socket.get(), IPPROTO_IPV6, IPV6_MULTICAST_IF, &device, sizeof device);
  nd_router_advert advert{};
  advert.nd_ra_type = ND_ROUTER_ADVERT;
  advert.nd_ra_curhoplimit = 64;
  advert.nd_ra_router_lifetime = 0;  // offers nothing
  const Address all_nodes("ff02::1", 0);
  sendto(socket.get(), &advert, sizeof advert, 0, all_nodes.data(), all_nodes.size());
}

void spoofed_datagram() noexcept {
  constexpr std::string_view kText = "not me";
  ether_header ethernet{};
  std::copy(kLanRouterMacBytes.begin(), kLanRouterMacBytes.end(), ethernet.ether_dhost);
  std::copy(kSpoofedMacBytes.begin(), kSpoofedMacBytes.end(), ethernet.ether_shost);
  ethernet.ether_type = htons(ETHERTYPE_IP);
  iphdr ip{};
  ip.version = 4;
  ip.ihl = sizeof ip / 4;
  ip.tot_len = htons(sizeof ip + sizeof(udphdr) + kText.size());
  ip.ttl = IPDEFTTL;
  ip.protocol = IPPROTO_UDP;
  inet_pton(AF_INET, kLanHost4, &ip.saddr);
  inet_pton(AF_INET, kWanHost4, &ip.daddr);
  ip.check = internet_checksum(bytes_of(ip));
  udphdr udp{};  // without a sum, as IPv4 allows
  udp.source = htons(4444);
  udp.dest = htons(4444);
  udp.len = htons(sizeof udp + kText.size());

  std::array<std::uint8_t, sizeof ethernet + sizeof ip + sizeof udp + kText.size()> frame{};
  auto* end = frame.data();
  for (const auto part : {bytes_of(ethernet), bytes_of(ip), bytes_of(udp)}) {
    end = std::copy(part.begin(), part.end(), end);
  }
  std::copy(kText.begin(), kText.end(), end);

  const Descriptor socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  sockaddr_ll link{};
  link.sll_family = AF_PACKET;
  link.sll_ifindex = static_cast<int>(if_nametoindex(kEndDevice));
  sendto(socket.get(), frame.data(), frame.size(), 0, reinterpret_cast<const sockaddr*>(&link), sizeof link);
}

Descriptor udp_server(std::uint16_t port) noexcept { return server(SOCK_DGRAM, port); }

Descriptor tcp_server(std::uint16_t port) noexcept { return server(SOCK_STREAM, port); }

namespace {

// Sends a datagram back, changed by `change`.
template <class Change>
void send_back(const Descriptor& server, Change change) noexcept {
  std::array<char, 512> text{};
  sockaddr_storage from{};
  socklen_t from_size = sizeof from;
  auto* address = reinterpret_cast<sockaddr*>(&from);
  const ssize_t size = recvfrom(server.get(), text.data(), text.size(), 0, address, &from_size);
  change(text);
  if (size >= 0) sendto(server.get(), text.data(), static_cast<std::size_t>(size), 0, address, from_size);
}

}  // namespace

void answer_datagram(const Descriptor& server) noexcept {
  send_back(server, [](const auto&) {});
}

void answer_query(const Descriptor& server) noexcept {
  send_back(server, [](auto& message) {  // RFC 1035, section 4.1.1: a response, there is no such name
    message[2] = static_cast<char>(message[2] | '\x80');
    message[3] = 3;
  });
}

void answer_connection(const Descriptor& server) noexcept {
  const Descriptor client(accept4(server.get(), nullptr, nullptr, SOCK_CLOEXEC));
  bound_waiting(client);
  std::array<char, 512> request{};
  recv(client.get(), request.data(), request.size(), 0);
  constexpr std::string_view kAnswer = "HTTP/1.0 200 OK\r\n\r\nhello\n";
  send(client.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
}

}  // namespace nfbus::host::demo
