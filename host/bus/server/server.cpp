#include "bus/server/server.hpp"

#include "support/log.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <utility>

namespace nfbus::host {

namespace {

// One read of one client, and events of the bus between two looks at the sockets: no client makes others wait long.
constexpr std::size_t kReadBytes = 64UL << 10U;
constexpr std::size_t kEventsPerRound = 512;

constexpr std::chrono::seconds kStatusEvery{1};
// While stopping: clients that take nothing for so long are left.
constexpr std::chrono::milliseconds kPatience{100};
constexpr int kEndingLookMs = 10;

// Descriptors that are not clients: sockets, files of sinks.
constexpr rlim_t kOtherDescriptors = 256;

// As many descriptors as that many clients need, if we may have them.
std::size_t raise_descriptor_limit(std::size_t clients) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return clients;
  const rlim_t wanted = std::min<rlim_t>(clients + kOtherDescriptors, limit.rlim_max);
  if (limit.rlim_cur < wanted) {
    limit.rlim_cur = wanted;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  const rlim_t left = limit.rlim_cur > kOtherDescriptors ? limit.rlim_cur - kOtherDescriptors : 1;
  return std::min<std::size_t>(clients, left);
}

// Of the calling thread.
std::chrono::nanoseconds thread_cpu() noexcept {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

}  // namespace

Server::Server(Listener listener, Bus& bus, const FormatSet& formats, ServerSettings settings,
               std::function<std::string(const ServerSnapshot&)> status)
    : listener_(std::move(listener)),
      most_clients_(raise_descriptor_limit(settings.most_clients)),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK)),
      hub_(bus, formats, std::move(settings.hub), [this, make = std::move(status)] { return make(look()); }),
      input_(kReadBytes) {}

Server::~Server() { stop(Clock::now()); }

bool Server::add_to_epoll(int descriptor, void* tag) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = tag;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

// What is no client is told by the address of a member.
Result<void> Server::start() {
  if (!add_to_epoll(listener_.descriptor(), const_cast<Listener*>(&listener_)) ||
      !add_to_epoll(wake_.get(), const_cast<Descriptor*>(&wake_)) || !add_to_epoll(timer_.get(), &timer_runs_) ||
      !add_to_epoll(hub_.bus_descriptor(), &hub_)) {
    return Error{.code = Code::io,
                 .text = fmt::format("bus: cannot wait for clients: {}", std::generic_category().message(errno))};
  }
  running_ = true;
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "bus");
  return {};
}

void Server::stop(Clock::time_point deadline) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_by_ = deadline;
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  thread_.join();
}

ServerSnapshot Server::snapshot() {
  std::future<ServerSnapshot> answer;
  {
    const std::lock_guard lock(mutex_);
    if (!running_) return look();
    answer = requests_.emplace_back().get_future();
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
  return answer.get();
}

ServerSnapshot Server::look() const {
  return {.totals = hub_.counters(),
          .clients = hub_.snapshots(),
          .connections = connections_,
          .turned_away = turned_away_,
          .too_long = too_long_,
          .waiting_bytes = hub_.waiting_bytes(),
          .cpu = thread_cpu()};
}

void Server::run() {
  for (;;) {
    std::array<epoll_event, 64> ready;  // NOLINT(*-member-init): filled by epoll_wait
    const int count =
        ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), timeout_ms(bus_has_more_));
    for (int i = 0; i < count; ++i) serve_event(ready.at(static_cast<std::size_t>(i)));
    if (bus_has_more_) bus_has_more_ = hub_.serve_bus(kEventsPerRound);
    tick();
    send_when_due();
    forget_gone();
    if (ends_by_ && (Clock::now() >= *ends_by_ || drained())) break;
  }
  for (const auto& [client, owned] : clients_) drop(*owned);
  forget_gone();
  {
    const std::lock_guard lock(mutex_);
    running_ = false;
  }
  serve_requests();
}

void Server::serve_requests() {
  std::uint64_t wakes = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &wakes, sizeof wakes);
  std::vector<std::promise<ServerSnapshot>> requests;
  {
    const std::lock_guard lock(mutex_);
    requests.swap(requests_);
    if (stop_by_ && !ends_by_) {
      ends_by_ = stop_by_;
      last_progress_ = Clock::now();
      bus_has_more_ = true;  // look once more
    }
  }
  for (auto& request : requests) request.set_value(look());
}

// Nothing waits on the bus, and everybody who takes lines has got them.
bool Server::drained() const {
  if (bus_has_more_) return false;
  if (Clock::now() - last_progress_ > kPatience) return true;
  return std::all_of(clients_.begin(), clients_.end(), [](const auto& entry) { return entry.first->queue.empty(); });
}

void Server::tick() {
  if (!hub_.status_wanted()) {
    next_status_ = Clock::now() + kStatusEvery;
    return;
  }
  const auto now = Clock::now();
  if (now < next_status_) return;
  next_status_ = std::max(next_status_ + kStatusEvery, now);
  hub_.send_status();
}

int Server::timeout_ms(bool busy) const {
  if (busy || hub_.much_waits()) return 0;
  if (ends_by_) return kEndingLookMs;
  if (!hub_.status_wanted()) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_status_ - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 1000));
}

void Server::serve_event(const epoll_event& event) {
  const void* tag = event.data.ptr;
  if (tag == &hub_) {
    bus_has_more_ = true;
  } else if (tag == &listener_) {
    accept_all();
  } else if (tag == &wake_) {
    serve_requests();
  } else if (tag == &timer_runs_) {
    std::uint64_t times = 0;
    [[maybe_unused]] const auto got = ::read(timer_.get(), &times, sizeof times);
    timer_runs_ = false;
  } else {
    serve_client(*static_cast<Client*>(event.data.ptr), event.events);
  }
}

}  // namespace nfbus::host
