// The bus socket: what a message costs the host's thread at a steady rate, and how many deliveries it manages.
#include "bus/server/server.hpp"
#include "support/log.hpp"
#include "unix_socket.hpp"

#include <benchmark/benchmark.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <ctime>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace nfbus::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMessageBytes = 500;

void send_all(int client, std::string_view text) {
  while (!text.empty()) {
    const ssize_t sent = ::send(client, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent < 0) std::abort();
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// JSON in a JSON string, as events are.
std::string message() {
  std::string line = R"({"topic":"bench:x","value":"{)";
  for (int i = 0; line.size() + 24 < kMessageBytes; ++i) line += R"(\"key)" + std::to_string(i) + R"(\":\"value\",)";
  line.resize(kMessageBytes - 4, 'x');
  return line + "}\"}\n";
}

// A server, and subscribers that one thread reads as fast as it can.
class Fixture {
 public:
  explicit Fixture(std::size_t subscribers)
      : path_(std::filesystem::temp_directory_path() / ("nfbus-bench-" + std::to_string(::getpid()) + ".sock")),
        server_(Listener::open(path_, {}).value(), bus_, formats_,
                ServerSettings{.hub = {.topic_root = "nft:",
                                       .default_format = kUlogdFormat,
                                       .with_payload = false,
                                       .fields = {},
                                       .client_bytes = 8UL << 20U,
                                       .total_bytes = 64UL << 20U},
                               .most_clients = 1000},
                [](const ServerSnapshot&) { return "{}"; }) {
    log::set_level(log::Level::warning);
    if (!server_.start()) std::abort();
    for (std::size_t i = 0; i < subscribers; ++i) {
      clients_.push_back(connect());
      send_all(clients_.back().get(), "{\"topic\":\"subscribe:bench:\"}\n");
    }
    publisher_ = connect();
    while (server_.snapshot().totals.received.subscribed != subscribers) std::this_thread::yield();
    reader_ = std::thread([this] { read_all(); });
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;
  ~Fixture() {
    if (!server_.stop(Clock::now())) std::abort();
    reader_.join();
  }

  [[nodiscard]] int publisher() const { return publisher_.get(); }
  [[nodiscard]] std::uint64_t read_lines() const { return lines_; }
  HubCounters totals() { return server_.snapshot().totals; }
  [[nodiscard]] double server_cpu_seconds() { return std::chrono::duration<double>(server_.snapshot().cpu).count(); }

 private:
  [[nodiscard]] Descriptor connect() const {
    Descriptor client = test::connect_to(path_);
    if (!client.valid()) std::abort();
    return client;
  }
  // Until the server closes all connections.
  void read_all() {
    const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
    for (const Descriptor& client : clients_) {
      epoll_event event{};
      event.events = EPOLLIN;
      event.data.fd = client.get();
      ::epoll_ctl(epoll, EPOLL_CTL_ADD, client.get(), &event);
    }
    std::vector<char> buffer(1UL << 20U);
    std::array<epoll_event, 64> ready{};
    for (std::size_t open = clients_.size(); open != 0;) {
      const int count = ::epoll_wait(epoll, ready.data(), static_cast<int>(ready.size()), -1);
      for (int i = 0; i < count; ++i) {
        const int client = ready.at(static_cast<std::size_t>(i)).data.fd;
        const ssize_t size = ::recv(client, buffer.data(), buffer.size(), 0);
        if (size <= 0) {
          ::epoll_ctl(epoll, EPOLL_CTL_DEL, client, nullptr);
          --open;
        } else {
          lines_ += static_cast<std::uint64_t>(std::count(buffer.data(), buffer.data() + size, '\n'));
        }
      }
    }
    ::close(epoll);
  }

  const std::string path_;
  const FormatSet formats_{"bench"};
  Bus bus_;
  Server server_;
  std::vector<Descriptor> clients_;
  Descriptor publisher_;
  std::atomic<std::uint64_t> lines_ = 0;
  std::thread reader_;
};

// 1,000 messages a second. cpu_us: of the server's thread, for each message.
void SteadyRate(benchmark::State& state) {
  Fixture fixture(static_cast<std::size_t>(state.range(0)));
  const std::string line = message();
  constexpr std::uint64_t kMessages = 100;
  const double cpu_before = fixture.server_cpu_seconds();
  std::uint64_t published = 0;
  for (auto _ : state) {
    auto due = Clock::now();
    for (std::uint64_t i = 0; i < kMessages; ++i) {
      due += std::chrono::milliseconds(1);
      std::this_thread::sleep_until(due);
      send_all(fixture.publisher(), line);
    }
    published += kMessages;
  }
  while (fixture.read_lines() != published * static_cast<std::uint64_t>(state.range(0))) std::this_thread::yield();
  const double cpu = fixture.server_cpu_seconds() - cpu_before;
  state.counters["cpu_us"] = cpu * 1e6 / static_cast<double>(published);
}
BENCHMARK(SteadyRate)->Arg(1)->Arg(10)->Arg(100)->UseRealTime()->Unit(benchmark::kMillisecond);

// As fast as one publisher can. deliveries: lines that subscribers read, a second; lost: part that they were too slow
// for.
void FullSpeed(benchmark::State& state) {
  Fixture fixture(static_cast<std::size_t>(state.range(0)));
  std::string lines;
  constexpr std::uint64_t kLines = 100;
  const std::string one = message();
  for (std::uint64_t i = 0; i < kLines; ++i) lines += one;
  const auto begun = Clock::now();
  for (auto _ : state) send_all(fixture.publisher(), lines);
  const std::uint64_t published = kLines * static_cast<std::uint64_t>(state.iterations());
  HubCounters totals;
  do {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    totals = fixture.totals();
  } while (totals.received.relayed != published || totals.queued != 0);
  while (fixture.read_lines() != totals.delivered) std::this_thread::yield();
  const double seconds = std::chrono::duration<double>(Clock::now() - begun).count();
  state.counters["deliveries"] = static_cast<double>(fixture.read_lines()) / seconds;
  state.counters["lost"] = static_cast<double>(totals.overflowed) / static_cast<double>(totals.published);
}
BENCHMARK(FullSpeed)->Arg(1)->Arg(10)->Arg(100)->UseRealTime();

}  // namespace
}  // namespace nfbus::host
