#include "cli/demo/traffic.hpp"

#include "cli/demo/plan.hpp"
#include "cli/demo/sockets.hpp"

#include <poll.h>

#include <array>
#include <chrono>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

namespace nfbus::host::demo {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// The first round shows every prefix within a second or two; the later ones leave time to read.
constexpr milliseconds kFirstRoundPause(120);
constexpr milliseconds kLaterPause(600);

using Step = void (*)();

// Takes the steps round and round and answers in between, until `control` says that it is over.
void live(int control, std::span<const Step> steps, std::span<const Service> services) {
  std::vector<pollfd> waiting = {{control, POLLIN, 0}};
  for (const Service& service : services) waiting.push_back({service.socket.get(), POLLIN, 0});
  std::size_t taken = 0;
  Clock::time_point next = Clock::now();
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(next - Clock::now()).count();
    poll(waiting.data(), waiting.size(), steps.empty() ? -1 : static_cast<int>(left > 0 ? left : 0));
    if (waiting[0].revents != 0) return;
    for (std::size_t i = 0; i < services.size(); ++i) {
      if (waiting[i + 1].revents != 0) services[i].answer(services[i].socket);
    }
    if (steps.empty() || Clock::now() < next) continue;
    steps[taken % steps.size()]();
    ++taken;
    next = Clock::now() + (taken < steps.size() ? kFirstRoundPause : kLaterPause);
  }
}

// For the address of www.example.net: RFC 1035, section 4.1.
constexpr std::string_view kQuery(
    "\x12\x34\1\0\0\1\0\0\0\0\0\0"
    "\3www\7example\3net\0\0\1\0\1",
    12 + 17 + 4);

}  // namespace

void lan_traffic(int control) {
  constexpr std::array<Step, 8> kSteps = {
      [] {
        udp_exchange({kLanRouter4, kDnsPort}, kQuery, true);
      },
      [] {
        ping({kLanRouter6, 0}, true);
      },
      [] {
        udp_exchange({kWanHost4, kNtpPort}, "what time is it?", true);
      },
      [] { spoofed_datagram(); },
      [] {
        tcp_fetch({kWanHost6, kHttpsPort});
      },
      [] {
        ping({kWanHost4, 0}, true);
      },
      [] {
        tcp_fetch({kWanHost4, kHttpPort});
      },
      [] {
        udp_exchange({kLanRouter6, kDnsPort}, kQuery, true);
      },
  };
  live(control, kSteps, {});
}

std::vector<Service> wan_services() {
  std::vector<Service> services;
  services.push_back({udp_server(kNtpPort), answer_datagram});
  services.push_back({tcp_server(kHttpPort), answer_connection});
  services.push_back({tcp_server(kHttpsPort), answer_connection});
  return services;
}

std::vector<Service> router_services() {
  std::vector<Service> services;
  services.push_back({udp_server(kDnsPort), answer_query});
  return services;
}

void wan_traffic(int control, std::span<const Service> services) {
  constexpr std::array<Step, 6> kSteps = {
      [] { tcp_knock({kWanRouter4, 22}); },  [] { udp_exchange({kLanHost4, 5060}, "OPTIONS", false); },
      [] { router_advertisement(); },        [] { tcp_knock({kLanHost6, 3389}); },
      [] { ping({kWanRouter6, 0}, false); }, [] { tcp_knock({kLanHost4, 23}); },
  };
  live(control, kSteps, services);
}

void router_traffic(int control, std::span<const Service> services) { live(control, {}, services); }

}  // namespace nfbus::host::demo
