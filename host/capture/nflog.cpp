#include "capture/nflog.hpp"

#include "capture/intake.hpp"
#include "capture/interface_names.hpp"
#include "capture/latency.hpp"
#include "capture/unseen_drops.hpp"
#include "support/clock.hpp"
#include "support/descriptor.hpp"
#include "support/log.hpp"
#include "support/mutex.hpp"
#include "support/system_error.hpp"

#include <linux/sock_diag.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

// What the kernel is asked to gather. Its allocation is rounded up to kDatagramBytes and filled to the end, so that is
// what a read must offer.
constexpr std::uint32_t kBatchBytes = 130000;
constexpr std::size_t kDatagramBytes = 131072;
constexpr std::size_t kDatagramsPerRead = 4;
// A datagram up to this size is moved down behind the one before, so that rare packets do not pin a slab each.
constexpr std::size_t kMovableBytes = 16384;
// When we stop: how long reading what waits may take, with the filters that are called for it; and the helper and the
// kernel to hand over what that holds, well under 1 ms for a group.
constexpr std::chrono::milliseconds kDrainLimit{3000};
constexpr std::chrono::milliseconds kReleaseLimit{1000};

// What epoll names besides the numbers of the sockets.
constexpr std::uint64_t kStopEvent = ~0ULL;
constexpr std::uint64_t kNamesEvent = ~1ULL;
constexpr std::uint64_t kFiltersEvent = ~2ULL;

// How long a reload waits for a batch in a filter.
constexpr std::chrono::milliseconds kTakeTime{500};

struct GroupSocket {
  Descriptor socket;
  std::uint16_t group;
  std::optional<AdaptiveThreshold> adaptive;
  std::size_t number = 0;  // among the sockets
  bool bound = true;
  bool answered = false;  // the kernel has sent all that it held
};

constexpr std::size_t align_up(std::size_t size) noexcept {
  return (size + SlabWriter::kAlign - 1) & ~(SlabWriter::kAlign - 1);
}

class NflogSource final : public Source {
 public:
  NflogSource(std::vector<CaptureSpec> captures, std::vector<GroupSocket> sockets, InterfaceNames names,
              PrivilegedHelper& helper, const SourceContext& context)
      : helper_(helper),
        names_(std::move(names)),
        intake_(std::move(captures), context, context.publish, Intake::Losses::counted, &names_),
        sockets_(std::move(sockets)),
        read_bytes_(sockets_.size()),
        handled_bytes_(sockets_.size()),
        reading_(sockets_.size()),
        drops_(sockets_.size()) {
    for (std::size_t i = 0; i < sockets_.size(); ++i) sockets_[i].number = i;
  }
  NflogSource(const NflogSource&) = delete;
  NflogSource& operator=(const NflogSource&) = delete;
  NflogSource(NflogSource&&) = delete;
  NflogSource& operator=(NflogSource&&) = delete;
  ~NflogSource() override {
    const auto deadline = Clock::now() + kReleaseLimit;
    for (GroupSocket& socket : sockets_) release(socket, deadline);
  }

  Result<void> watch() {
    if (!epoll_.valid() || !stop_event_.valid() || !filters_event_.valid())
      return system_error("cannot wait for packets", errno);
    if (auto added = add(stop_event_.get(), kStopEvent); !added) return added;
    if (auto added = add(names_.descriptor(), kNamesEvent); !added) return added;
    if (auto added = add(filters_event_.get(), kFiltersEvent); !added) return added;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (auto added = add(sockets_[i].socket.get(), i); !added) return added;
    }
    return {};
  }

  [[nodiscard]] std::string_view name() const noexcept override { return "nflog"; }
  [[nodiscard]] bool lossless() const noexcept override { return false; }
  [[nodiscard]] bool reloadable() const noexcept override { return true; }

  Result<void> run() override {
    auto read = read_until_stopped();
    intake_.finish();
    return read;
  }

  void stop() noexcept override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_event_.get(), &one, sizeof one);
  }

  [[nodiscard]] std::optional<FiltersOfGroups> replace_filters(FiltersOfGroups next) override {
    MutexLock lock(filters_mutex_);
    for (auto& filters : next) next_filters_.push_back(std::move(filters));
    const std::uint64_t one = 1;
    static_cast<void>(!::write(filters_event_.get(), &one, sizeof one));
    const auto until = Clock::now() + kTakeTime;
    while ((!next_filters_.empty() || taking_filters_) && filters_taken_.wait_until(lock, until)) {
    }
    if (!next_filters_.empty() || taking_filters_) return std::nullopt;
    return std::exchange(ended_filters_, {});
  }

  [[nodiscard]] SourceSnapshot counters() const override { return sum_of(name(), intake_.snapshots()); }

  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const override {
    std::vector<CaptureSnapshot> rows = intake_.snapshots();  // in the order of the sockets
    for (std::size_t i = 0; i < sockets_.size(); ++i) rows[i].unseen_drops = buffer_state(sockets_[i]).unseen_drops;
    return rows;
  }

 private:
  using Clock = std::chrono::steady_clock;

  struct BufferState {
    std::uint32_t unseen_drops;
    std::uint32_t waiting_bytes;
  };

  // [any] A system call: for reports and the end.
  BufferState buffer_state(const GroupSocket& socket) const {
    std::array<std::uint32_t, SK_MEMINFO_VARS> memory{};
    socklen_t length = sizeof memory;
    const std::size_t i = socket.number;
    const MutexLock lock(drops_mutex_);
    const std::uint64_t handled_bytes = handled_bytes_[i].get();  // before what is read: busy rather than not
    const std::uint64_t gaps = intake_.gaps(socket.group);
    const bool was_reading = reading_[i].load();
    // Where it is refused, all is 0.
    static_cast<void>(::getsockopt(socket.socket.get(), SOL_SOCKET, SO_MEMINFO, memory.data(), &length));
    const bool reading = was_reading || reading_[i].load();
    const std::uint64_t read_bytes = read_bytes_[i].get();  // last: rather too much than too little
    return {.unseen_drops = drops_[i].update({.drops = memory[SK_MEMINFO_DROPS],
                                              .waiting_bytes = memory[SK_MEMINFO_RMEM_ALLOC],
                                              .read_bytes = read_bytes,
                                              .gaps = gaps,
                                              .busy = handled_bytes != read_bytes,
                                              .reading = reading}),
            .waiting_bytes = memory[SK_MEMINFO_RMEM_ALLOC]};
  }

  Result<void> add(int descriptor, std::uint64_t name) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = name;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
      return system_error("cannot wait for packets", errno);
    }
    return {};
  }

  Result<void> read_until_stopped() {
    bool stopping = false;
    while (!stopping) {
      auto stop = read_ready(intake_.wait_ms(idle_look_ms()));
      if (!stop) return stop.error();
      stopping = *stop;
      intake_.tick_filters();
    }
    return drain();
  }

  // Whoever reloads waits for it, or finds it done the next time.
  void take_filters() {
    std::uint64_t times = 0;
    static_cast<void>(!::read(filters_event_.get(), &times, sizeof times));
    FiltersOfGroups filters;
    {
      const MutexLock lock(filters_mutex_);
      filters.swap(next_filters_);
      taking_filters_ = true;
    }
    intake_.replace_filters(filters);
    const MutexLock lock(filters_mutex_);
    taking_filters_ = false;
    for (auto& ended : filters) ended_filters_.push_back(std::move(ended));
    filters_taken_.notify_all();
  }

  // -1: no group needs a look while nothing arrives.
  [[nodiscard]] int idle_look_ms() const noexcept {
    const bool any = std::any_of(sockets_.begin(), sockets_.end(), [](const GroupSocket& socket) {
      return socket.adaptive && socket.adaptive->batching();
    });
    return any ? AdaptiveThreshold::kIdleLookMs : -1;
  }

  // Waits, then reads once from each group that has something. Returns whether stop() was called.
  Result<bool> read_ready(int timeout_ms) {
    std::array<epoll_event, 32> ready;  // NOLINT(*-member-init): filled by epoll_wait
    const int count = ::epoll_wait(epoll_.get(), ready.data(), static_cast<int>(ready.size()), timeout_ms);
    if (count < 0 && errno != EINTR) return system_error("cannot wait for packets", errno);
    const std::span<const epoll_event> events(ready.data(), static_cast<std::size_t>(std::max(count, 0)));
    bool stopping = false;
    for (const epoll_event& event : events) {
      if (event.data.u64 == kStopEvent) stopping = true;
      if (event.data.u64 == kNamesEvent) names_.update();  // before the packets that use them
      if (event.data.u64 == kFiltersEvent) take_filters();
    }
    for (const epoll_event& event : events) {
      if (event.data.u64 >= sockets_.size()) continue;
      GroupSocket& socket = sockets_[event.data.u64];
      const auto taken = receive(socket);
      if (!taken) return taken.error();
      if (taken->answers != 0) report_answer(socket, taken->last_answer);
    }
    if (events.empty()) {
      for (GroupSocket& socket : sockets_) adapt(socket, 0, realtime_ns());
    }
    return stopping;
  }

  // Reads what waits, up to kDatagramsPerRead datagrams, and publishes it. Nothing taken: nothing waits.
  Result<ReadResult> receive(GroupSocket& socket) {
    const SlabRef slab = intake_.reserve(kDatagramBytes + events_bytes_);
    const std::span<std::uint8_t> room = intake_.writer().room();
    std::array<iovec, kDatagramsPerRead> places{};
    std::array<mmsghdr, kDatagramsPerRead> messages{};
    const std::size_t offered = std::min(room.size() / kDatagramBytes, kDatagramsPerRead);
    for (std::size_t i = 0; i < offered; ++i) {
      places[i] = {.iov_base = room.data() + i * kDatagramBytes, .iov_len = kDatagramBytes};
      messages[i].msg_hdr.msg_iov = &places[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    reading_[socket.number].store(true);
    const int count =
        ::recvmmsg(socket.socket.get(), messages.data(), static_cast<unsigned>(offered), MSG_DONTWAIT, nullptr);
    if (count < 0) {
      const int error = errno;
      reading_[socket.number].store(false);
      return nothing_read(socket, error);
    }
    const std::int64_t now_ns = realtime_ns();
    const std::span<const mmsghdr> filled(messages.data(), static_cast<std::size_t>(count));
    const ReadResult taken = publish(socket, slab, room, filled, now_ns);
    events_bytes_ = std::min(taken.packets * sizeof(Event), kSlabBytes - kDatagramBytes);
    if (taken.broken != 0) log::repeated(log::Level::warning, log_name(socket), "unreadable netlink message");
    adapt(socket, taken.packets, now_ns);
    return taken;
  }

  Result<ReadResult> nothing_read(const GroupSocket& socket, int error) {
    if (error == ENOBUFS) intake_.count_overrun(socket.group);
    if (error == ENOBUFS || error == EAGAIN || error == EINTR) return ReadResult{};
    return system_error(fmt::format("group {}: cannot read packets", socket.group), error);
  }

  ReadResult publish(const GroupSocket& socket, const SlabRef& slab, std::span<std::uint8_t> room,
                     std::span<const mmsghdr> filled, std::int64_t now_ns) {
    std::array<Datagram, kDatagramsPerRead> datagrams;
    std::size_t used_bytes = 0;
    std::size_t packet_bytes = 0;
    for (std::size_t i = 0; i < filled.size(); ++i) {
      const std::size_t size = filled[i].msg_len;
      std::size_t at = i * kDatagramBytes;
      if (size <= kMovableBytes && used_bytes < at) {
        std::memmove(room.data() + used_bytes, room.data() + at, size);
        at = used_bytes;
      }
      datagrams[i] = Datagram(room.data() + at, size);
      if (holds_packets(datagrams[i])) packet_bytes += size;
      used_bytes = at + align_up(size);
      if ((filled[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        log::repeated(log::Level::error, "capture",
                      "a datagram of the kernel was larger than asked for and is cut: please report this");
      }
    }
    intake_.writer().commit(used_bytes);
    read_bytes_[socket.number].add(packet_bytes);  // before a filter may keep us
    reading_[socket.number].store(false);
    const ReadResult taken = intake_.take(slab, std::span(datagrams).first(filled.size()), now_ns);
    handled_bytes_[socket.number].add(packet_bytes);
    return taken;
  }

  void adapt(GroupSocket& socket, std::size_t packets, std::int64_t now_ns) noexcept {
    if (socket.adaptive && socket.adaptive->packets_arrived(packets, now_ns)) {
      helper_.set_queue_threshold(socket.group, socket.adaptive->threshold());
    }
  }

  static std::string log_name(const GroupSocket& socket) { return fmt::format("group {}", socket.group); }

  static void report_answer(const GroupSocket& socket, int answer) {
    if (answer == 0) return;
    log::repeated(log::Level::warning, log_name(socket),
                  fmt::format("the kernel refused a change of its queue threshold: {}", error_reason(-answer)));
  }

  // Whether it was asked for shows in the answer.
  void release(GroupSocket& socket, Clock::time_point deadline) noexcept {
    if (std::exchange(socket.bound, false)) static_cast<void>(helper_.release_group(socket.group, deadline));
  }

  // Each socket is emptied first, so that there is room; then its group is unbound, which makes the kernel send what it
  // holds, then its answer: up to there, all that was logged before is read, and its sequence numbers have told of all
  // that was dropped before. Where nothing came behind what was dropped, how much that was stays unknown.
  // An error of one socket does not keep the others from being read; the first one is the answer.
  Result<void> drain() {
    Result<void> first;
    const auto note = [&first](Result<void> read) {
      if (!read && first) first = std::move(read);
    };
    const auto deadline = Clock::now() + kDrainLimit;
    auto release_by = Clock::time_point::max();
    for (GroupSocket& socket : sockets_) {
      note(read_what_waits(socket, deadline));
      if (release_by == Clock::time_point::max()) release_by = Clock::now() + kReleaseLimit;
      buffer_state(socket);
      release(socket, release_by);
    }
    std::size_t bound = 0;
    std::uint64_t unread_bytes = 0;
    for (GroupSocket& socket : sockets_) {
      note(read_to_the_answer(socket, std::min(deadline, release_by + kReleaseLimit)));
      const BufferState last = buffer_state(socket);
      bound += !socket.answered;
      unread_bytes += last.waiting_bytes;
      if (last.unseen_drops != 0) tell_of_unseen(socket, last.unseen_drops);
    }
    if (bound != 0) {
      log::warning(
          fmt::format("{} groups could not be unbound in time: what the kernel held for them is lost, and not "
                      "counted",
                      bound));
    }
    if (!first || unread_bytes == 0) return first;
    return Error{
        .code = Code::io,
        .text = fmt::format("{} bytes of packets that waited in the kernel were not read in time, and are lost",
                            unread_bytes)};
  }

  // What has come so far; a flood cannot keep this going.
  Result<void> read_what_waits(GroupSocket& socket, Clock::time_point deadline) {
    const std::uint64_t enough = read_bytes_[socket.number].get() + buffer_state(socket).waiting_bytes;
    while (read_bytes_[socket.number].get() < enough && Clock::now() < deadline) {
      const auto taken = receive(socket);
      if (!taken) return taken.error();
      if (taken->packets == 0 && taken->answers == 0) break;
    }
    return {};
  }

  Result<void> read_to_the_answer(GroupSocket& socket, Clock::time_point answer_by) {
    const auto read_by = std::max(answer_by, Clock::now() + std::chrono::milliseconds(1));
    while (!socket.answered && Clock::now() < read_by) {
      const auto taken = receive(socket);
      if (!taken) return taken.error();
      socket.answered = taken->answers != 0 && taken->last_answer == 0;
      if (socket.answered || taken->packets != 0) continue;
      // The answer itself may have been lost to a full buffer, or a helper that is stuck never asked for it.
      if (!wait_readable(socket.socket.get(), answer_by)) break;
    }
    return {};
  }

  void tell_of_unseen(const GroupSocket& socket, std::uint32_t drops) {
    intake_.count_overrun(socket.group);
    log::warning(
        fmt::format("group {}: the kernel dropped up to {} datagrams behind the last packet that came, each of one "
                    "packet or many: how many more packets are lost is unknown",
                    socket.group, drops));
  }

  static bool wait_readable(int descriptor, Clock::time_point deadline) noexcept {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }

  PrivilegedHelper& helper_;
  InterfaceNames names_;
  Intake intake_;
  std::vector<GroupSocket> sockets_;
  // By number of the socket: bytes of datagrams with packets that were read, and that were published, too.
  std::vector<Counter> read_bytes_;
  std::vector<Counter> handled_bytes_;
  std::vector<std::atomic<bool>> reading_;  // from before a datagram leaves the buffer until read_bytes_ has it
  Mutex filters_mutex_;
  Condition filters_taken_;
  FiltersOfGroups next_filters_ NFBUS_GUARDED_BY(filters_mutex_);
  FiltersOfGroups ended_filters_ NFBUS_GUARDED_BY(filters_mutex_);  // to be destroyed by [control]
  bool taking_filters_ NFBUS_GUARDED_BY(filters_mutex_) = false;

  mutable Mutex drops_mutex_;
  mutable std::vector<UnseenDrops> drops_ NFBUS_GUARDED_BY(drops_mutex_);  // by number of the socket
  std::size_t events_bytes_ = 0;  // of the last read: the next one's events shall have room in its slab, too
  Descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  Descriptor stop_event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Descriptor filters_event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
};

void warn_of_small_buffer(int socket, const CaptureConfig& config) {
  int size_bytes = 0;
  socklen_t length = sizeof size_bytes;
  // The kernel doubles what is asked for, for its own bookkeeping: socket(7).
  if (::getsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size_bytes, &length) != 0) return;
  if (static_cast<std::uint32_t>(size_bytes) / 2 >= config.recv_buffer_bytes) return;
  log::warning(
      fmt::format("group {}: its receive buffer is {} bytes instead of {}: raise net.core.rmem_max, or run "
                  "with CAP_NET_ADMIN outside of a user namespace",
                  config.group, size_bytes / 2, config.recv_buffer_bytes));
}

Result<GroupSocket> bind_group(const CaptureConfig& config, PrivilegedHelper& helper) {
  const bool adaptive = config.latency_ms == 0;
  auto bound = helper.bind_group({.group = config.group,
                                  .copy_range_bytes = config.snaplen_bytes,
                                  .recv_buffer_bytes = config.recv_buffer_bytes,
                                  .batch_bytes = kBatchBytes,
                                  .queue_threshold = adaptive ? kAtOnceThreshold : kLargeThreshold,
                                  .timeout_10ms = timeout_10ms(config.latency_ms)});
  if (!bound) {
    Error error = std::move(bound).error();
    error.where = config.where;
    return error;
  }
  warn_of_small_buffer(*bound, config);
  return GroupSocket{.socket = Descriptor(*bound),
                     .group = config.group,
                     .adaptive = adaptive ? std::optional<AdaptiveThreshold>(std::in_place) : std::nullopt};
}

}  // namespace

Result<std::unique_ptr<Source>> open_nflog(std::vector<CaptureSpec> captures, PrivilegedHelper& helper,
                                           const SourceContext& context) {
  auto names = InterfaceNames::open();
  if (!names) return names.error();
  std::vector<GroupSocket> sockets;
  for (const CaptureSpec& capture : captures) {
    auto bound = bind_group(capture.config, helper);
    if (!bound) {
      const auto deadline = std::chrono::steady_clock::now() + kReleaseLimit;
      for (const GroupSocket& socket : sockets) static_cast<void>(helper.release_group(socket.group, deadline));
      return bound.error();
    }
    sockets.push_back(std::move(*bound));
  }
  if (auto sealed = helper.seal(); !sealed) return sealed.error();
  auto source =
      std::make_unique<NflogSource>(std::move(captures), std::move(sockets), std::move(*names), helper, context);
  if (auto watched = source->watch(); !watched) return watched.error();
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace nfbus::host
