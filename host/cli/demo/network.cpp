#include "cli/demo/network.hpp"

#include "cli/demo/plan.hpp"
#include "cli/demo/program.hpp"
#include "cli/demo/traffic.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>
#include <utility>

namespace nfbus::host::demo {
namespace {

constexpr char kOk = '+';
constexpr int kLinkWaitMs = 3000;
constexpr int kLinkPollMs = 10;

Result<void> write_file(const std::string& path, std::string_view text) {
  const int file = open(path.c_str(), O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const int reason = errno;
  if (file >= 0) close(file);
  if (written) return {};
  return system_error("cannot write " + path, reason, Code::refused);
}

// A namespace of our own; without root, as root of a user namespace.
Result<void> leave_machine_network() {
  if (unshare(CLONE_NEWNET) == 0) return {};
  const uid_t uid = geteuid();
  const gid_t gid = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return Error{Code::refused, fmt::format("cannot make a network namespace ({}): run the demo as root with "
                                            "CAP_SYS_ADMIN and CAP_NET_ADMIN",
                                            error_reason())};
  }
  for (const auto& [file, text] : {std::pair<std::string, std::string>{"/proc/self/setgroups", "deny"},
                                   {"/proc/self/uid_map", fmt::format("0 {} 1", uid)},
                                   {"/proc/self/gid_map", fmt::format("0 {} 1", gid)}}) {
    if (auto written = write_file(file, text); !written) return written;
  }
  return {};
}

Result<void> configure_router(pid_t lan, pid_t wan) {
  const std::string devices = fmt::format(
      "link set lo up\n"
      "link add {0} address {1} type veth peer name {2} address {3} netns {4}\n"
      "link add {5} type veth peer name {2} netns {6}\n"
      "address add {7}/24 dev {0}\naddress add {8}/64 dev {0} nodad\n"
      "address add {9}/24 dev {5}\naddress add {10}/64 dev {5} nodad\n"
      "link set {0} up\nlink set {5} up\n",
      kLanDevice, kLanRouterMac, kEndDevice, kLanHostMac, lan, kWanDevice, wan, kLanRouter4, kLanRouter6, kWanRouter4,
      kWanRouter6);
  if (auto done = run_program({"ip", "-batch", "-"}, devices); !done) return done;
  for (const char* file : {"/proc/sys/net/ipv4/ip_forward", "/proc/sys/net/ipv6/conf/all/forwarding"}) {
    if (auto done = write_file(file, "1"); !done) return done;
  }
  return run_program({"nft", "-f", "-"}, kRules);
}

// Until the device has a carrier nothing that is sent arrives.
Result<void> wait_for_link() {
  const int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  ifreq request{};
  std::strncpy(request.ifr_name, kEndDevice, sizeof request.ifr_name - 1);
  bool running = false;
  for (int waited_ms = 0; !running && waited_ms < kLinkWaitMs; waited_ms += kLinkPollMs) {
    running = ioctl(any, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_RUNNING) != 0;
    if (!running) poll(nullptr, 0, kLinkPollMs);
  }
  close(any);
  if (running) return {};
  return Error{Code::io, fmt::format("the demo's device {} did not come up", kEndDevice)};
}

Result<void> configure_end(const char* address4, const char* address6, const char* router4, const char* router6) {
  const std::string commands = fmt::format(
      "link set lo up\naddress add {0}/24 dev {4}\naddress add {1}/64 dev {4} nodad\nlink set {4} up\n"
      "route add default via {2}\nroute add default via {3}\n",
      address4, address6, router4, router6, kEndDevice);
  if (auto done = run_program({"ip", "-batch", "-"}, commands); !done) return done;
  return wait_for_link();
}

// Tells the parent how a step went; waits until it says go on. False when the parent is gone.
bool report(int control, const Result<void>& step) {
  const std::string text = step ? std::string(1, kOk) : "-" + step.error().text;
  char go = 0;
  return send(control, text.data(), text.size(), MSG_NOSIGNAL) > 0 && step.ok() && recv(control, &go, 1, 0) == 1;
}

Result<void> own_namespace() {
  if (unshare(CLONE_NEWNET) == 0) return {};
  return system_error("cannot make a network namespace", errno, Code::refused);
}

void lan_main(int control) {
  if (report(control, own_namespace()) &&
      report(control, configure_end(kLanHost4, kLanHost6, kLanRouter4, kLanRouter6))) {
    lan_traffic(control);
  }
}

// Services are bound before anybody may ask them.
void wan_main(int control) {
  if (!report(control, own_namespace())) return;
  const std::vector<Service> services = wan_services();
  if (report(control, configure_end(kWanHost4, kWanHost6, kWanRouter4, kWanRouter6))) wan_traffic(control, services);
}

// In the router's namespace, which is there already.
void router_services_main(int control) {
  const std::vector<Service> services = router_services();
  if (report(control, {}) && report(control, {})) router_traffic(control, services);
}

}  // namespace

template <typename Main>
Result<void> Network::fork_peer(std::string_view what, Main main) {
  std::array<int, 2> pair{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return system_error("cannot make a socket pair");
  }
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == parent) main(pair[1]);
    _exit(0);
  }
  close(pair[1]);
  if (child < 0) {
    close(pair[0]);
    return system_error(fmt::format("cannot fork the demo's {}", what));
  }
  peers_.push_back({child, pair[0]});
  return await(peers_.back());
}

Result<Network> Network::build() {
  if (auto left = leave_machine_network(); !left) return left.error();
  Network network;
  if (auto forked = network.fork_peer("lan", lan_main); !forked) return forked.error();
  if (auto forked = network.fork_peer("wan", wan_main); !forked) return forked.error();
  if (auto forked = network.fork_peer("services", router_services_main); !forked) return forked.error();
  if (auto done = configure_router(network.peers_[0].process, network.peers_[1].process); !done) return done.error();
  for (const Peer& peer : network.peers_) tell(peer);
  for (const Peer& peer : network.peers_) {
    if (auto done = await(peer); !done) return done.error();
  }
  return network;
}

Network::Network(Network&& other) noexcept : peers_(std::exchange(other.peers_, {})) {}

Network::~Network() {
  for (const Peer& peer : peers_) {
    kill(peer.process, SIGKILL);
    close(peer.socket);
  }
  for (const Peer& peer : peers_) {
    while (waitpid(peer.process, nullptr, 0) < 0 && errno == EINTR) continue;
  }
}

void Network::start_traffic() noexcept {
  for (const Peer& peer : peers_) tell(peer);
}

void Network::tell(const Peer& peer) noexcept { send(peer.socket, &kOk, 1, MSG_NOSIGNAL); }

Result<void> Network::await(const Peer& peer) {
  std::array<char, 4096> text{};
  const ssize_t size = recv(peer.socket, text.data(), text.size(), 0);
  if (size > 0 && text[0] == kOk) return {};
  if (size > 0) return Error{Code::io, std::string(text.data() + 1, static_cast<std::size_t>(size) - 1)};
  return Error{Code::io, "a process of the demo ended at once"};
}

}  // namespace nfbus::host::demo
