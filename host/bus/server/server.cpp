#include "bus/server/server.hpp"

#include "support/log.hpp"
#include "support/system_error.hpp"

#include <malloc.h>
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
#include <utility>

namespace nfbus::host {

namespace {

// One read of one client, and events of the bus between two looks at the sockets: no client makes others wait long.
constexpr std::size_t kReadBytes = 64UL << 10U;
constexpr std::size_t kEventsPerRound = 512;
constexpr std::chrono::milliseconds kBusTime{2};

// How long a report waits for the thread.
constexpr std::chrono::milliseconds kAnswerTime{500};
// Beyond the deadline of a stop: a round that began before it.
constexpr std::chrono::milliseconds kLastRound{1000};

// When so much waited for clients, and next to nothing is left of it, its memory goes back to the system.
constexpr std::size_t kMuchMemory = 8UL << 20U;

constexpr std::chrono::seconds kStatusEvery{1};
// While stopping: clients that take nothing for so long are left.
constexpr std::chrono::milliseconds kPatience{100};
constexpr int kEndingLookMs = 10;
constexpr int kLongestWaitMs = 60'000;
constexpr auto kNever = Server::Clock::time_point::max();
constexpr int kProvisionalLookMs = 200;

// Descriptors that are not clients: sockets, files of sinks, connections that found no place.
constexpr rlim_t kOtherDescriptors = 512;

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
      hub_(bus, formats, std::move(settings.hub), [this, make = std::move(status)] { return make(own_snapshot()); }),
      input_(kReadBytes) {}

Server::~Server() {
  if (!stop(Clock::now())) thread_.join();
}

void Server::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

bool Server::add_to_epoll(int descriptor, void* tag) const {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = tag;
  return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) == 0;
}

// What is no client is told by the address of a member.
Result<void> Server::start() {
  if (!add_to_epoll(listener_->descriptor(), &listener_) ||
      !add_to_epoll(wake_.get(), const_cast<Descriptor*>(&wake_)) || !add_to_epoll(timer_.get(), &timer_runs_) ||
      !add_to_epoll(hub_.bus_descriptor(), &hub_)) {
    return system_error("bus: cannot wait for clients");
  }
  hub_.read_aside(side_.emplace([this] { wake(); }));
  hub_.serve_reloads([this](std::uint64_t client) { return ask_for_reload(client); });
  {
    const MutexLock lock(mutex_);
    running_ = true;
  }
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "bus");
  return {};
}

bool Server::stop(Clock::time_point deadline) {
  if (!thread_.joinable()) return true;
  {
    MutexLock lock(mutex_);
    stop_by_ = deadline;
    wake();
    while (running_ && changed_.wait_until(lock, deadline + kLastRound)) {
    }
    if (running_) return false;
  }
  thread_.join();
  return true;
}

Result<bool> Server::renew_socket() {
  {
    const MutexLock lock(mutex_);
    if (fresh_listener_) return false;
  }
  // The thread replaces listener_ only by a fresh one, so it may be read here. Making one may wait for the folder's
  // lock.
  if (listener_->is_in_place()) return false;
  auto made = listener_->again();
  if (!made) return std::move(made).error();
  {
    const MutexLock lock(mutex_);
    fresh_listener_.emplace(std::move(made).value());
  }
  wake();
  return true;
}

void Server::serve_reloads(std::function<void()> asked) { reload_asked_ = std::move(asked); }

std::vector<std::uint64_t> Server::take_reload_requests() {
  const MutexLock lock(mutex_);
  return std::exchange(reload_requests_, {});
}

void Server::answer_reload(const std::vector<std::uint64_t>& clients, const ReloadOutcome& outcome) {
  {
    const MutexLock lock(mutex_);
    for (const std::uint64_t client : clients) reload_answers_.emplace_back(client, outcome);
  }
  wake();
}

void Server::send_reload_answers() {
  std::vector<std::pair<std::uint64_t, ReloadOutcome>> answers;
  {
    const MutexLock lock(mutex_);
    answers.swap(reload_answers_);
  }
  for (const auto& [client, outcome] : answers) hub_.answer_reload(client, outcome);
}

// Of the server's thread.
bool Server::ask_for_reload(std::uint64_t client) {
  if (!reload_asked_) return false;
  {
    const MutexLock lock(mutex_);
    reload_requests_.push_back(client);
  }
  reload_asked_();
  return true;
}

void Server::take_listener() {
  const MutexLock lock(mutex_);
  if (!fresh_listener_) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, listener_->descriptor(), nullptr);
  listener_.emplace(std::move(*fresh_listener_));
  fresh_listener_.reset();
  if (!add_to_epoll(listener_->descriptor(), &listener_)) log::error("bus: cannot wait for clients at the new socket");
}

ServerSnapshot Server::snapshot() {
  MutexLock lock(mutex_);
  if (!running_) return own_snapshot();
  // Whoever asks while an earlier request waits in vain does not wait, too.
  const bool answers = asked_ == answered_;
  const std::uint64_t number = ++asked_;
  wake();
  const auto time = answers || Clock::now() < asked_since_ + kAnswerTime ? kAnswerTime : std::chrono::milliseconds(0);
  if (answers) asked_since_ = Clock::now();
  const auto until = Clock::now() + time;
  while (running_ && answered_ < number && changed_.wait_until(lock, until)) {
  }
  if (running_ && answered_ < number) {
    ServerSnapshot old = last_;
    old.old = true;
    return old;
  }
  return running_ ? last_ : own_snapshot();
}

ServerSnapshot Server::own_snapshot() const {
  return {.totals = hub_.counters(),
          .clients = hub_.snapshots(),
          .connected = clients_.size(),
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
    read_in_turn();
    if (bus_has_more_) bus_has_more_ = hub_.serve_bus(kEventsPerRound, Clock::now() + kBusTime);
    tick();
    send_when_due();
    forget_gone();
    if (ends_by_ && (Clock::now() >= *ends_by_ || drained()) && finish_filters()) break;
  }
  for (const auto& [client, owned] : clients_) drop(*owned);
  forget_gone();
  const MutexLock lock(mutex_);
  running_ = false;
  changed_.notify_all();
}

void Server::serve_requests() {
  std::uint64_t wakes = 0;
  [[maybe_unused]] const auto got = ::read(wake_.get(), &wakes, sizeof wakes);
  send_reload_answers();
  serve_side();
  take_listener();
  std::uint64_t asked = 0;
  {
    const MutexLock lock(mutex_);
    asked = asked_;
    if (stop_by_ && !ends_by_) {
      ends_by_ = stop_by_;
      last_progress_ = Clock::now();
      bus_has_more_ = true;  // look once more
    }
    if (asked == answered_) return;
  }
  ServerSnapshot now = own_snapshot();
  const MutexLock lock(mutex_);
  last_ = std::move(now);
  answered_ = asked;
  changed_.notify_all();
}

// What they publish at their end still goes to clients. True: they have finished before.
bool Server::finish_filters() {
  PacketFilters* const filters = hub_.settings().filters;
  if (filters == nullptr || std::exchange(filters_finished_, true)) return true;
  filters->finish();
  bus_has_more_ = true;
  last_progress_ = Clock::now();
  return Clock::now() >= *ends_by_;
}

// Nothing waits on the bus, and everybody who takes lines has got them.
bool Server::drained() const {
  if (bus_has_more_) return false;
  if (Clock::now() - last_progress_ > kPatience) return true;
  return std::all_of(clients_.begin(), clients_.end(), [](const auto& entry) { return entry.first->queue.empty(); });
}

void Server::tick() {
  give_memory_back();
  end_provisional();
  hub_.serve_new_status();
  if (PacketFilters* const filters = hub_.settings().filters; filters != nullptr && filters->next_tick() != kNever) {
    const auto at = Clock::now();
    if (filters->next_tick() <= at) filters->tick(at);
  }
  if (!hub_.status_wanted()) {
    next_status_ = Clock::now() + kStatusEvery;
    return;
  }
  const auto now = Clock::now();
  if (now < next_status_) return;
  next_status_ = std::max(next_status_ + kStatusEvery, now);
  hub_.send_status();
}

// The allocator keeps what was freed between other things, which clients that stalled and left would pin for good.
void Server::give_memory_back() {
  const std::size_t waiting = hub_.waiting_bytes();
  most_waiting_bytes_ = std::max(most_waiting_bytes_, waiting);
  if (most_waiting_bytes_ < kMuchMemory || waiting > most_waiting_bytes_ / 4) return;
  most_waiting_bytes_ = waiting;
  ::malloc_trim(0);
}

int Server::timeout_ms(bool busy) const {
  if (busy || hub_.much_waits() || !reading_.empty() || !sending_.empty()) return 0;
  if (ends_by_) return kEndingLookMs;
  const PacketFilters* const filters = hub_.settings().filters;
  auto due = filters != nullptr ? filters->next_tick() : kNever;
  if (hub_.status_wanted()) due = std::min(due, next_status_);
  if (hub_.status_wanted() && hub_.status_waited_for()) due = std::min(due, hub_.status_due());
  const int most_ms = hub_.status_wanted() ? 1000 : provisional_.empty() ? -1 : kProvisionalLookMs;
  if (due == kNever) return most_ms;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(due - Clock::now());
  return static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, most_ms == -1 ? kLongestWaitMs : most_ms));
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
