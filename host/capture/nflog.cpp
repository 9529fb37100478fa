#include "capture/nflog.hpp"

#include "capture/intake.hpp"
#include "capture/interface_names.hpp"
#include "capture/latency.hpp"
#include "support/descriptor.hpp"
#include "support/log.hpp"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <optional>
#include <system_error>
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
// How long the kernel may take to hand over what it holds when we stop; it takes well under 1 ms.
constexpr std::chrono::milliseconds kDrainLimit{1000};

// What epoll names besides the numbers of the sockets.
constexpr std::uint64_t kStopEvent = ~0ULL;
constexpr std::uint64_t kNamesEvent = ~1ULL;

struct GroupSocket {
  Descriptor socket;
  std::uint16_t group;
  std::optional<AdaptiveThreshold> adaptive;
  bool bound = true;
};

Error system_error(const std::string& what, int error) {
  return {.code = Code::io, .text = fmt::format("{}: {}", what, std::generic_category().message(error))};
}

std::int64_t realtime_ns() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

constexpr std::size_t align_up(std::size_t size) noexcept {
  return (size + SlabWriter::kAlign - 1) & ~(SlabWriter::kAlign - 1);
}

class NflogSource final : public Source {
 public:
  NflogSource(std::vector<CaptureSpec> captures, std::vector<GroupSocket> sockets, InterfaceNames names,
              PrivilegedHelper& helper, SourceContext context)
      : helper_(helper),
        names_(std::move(names)),
        intake_(std::move(captures), std::move(context), Intake::Losses::counted, &names_),
        sockets_(std::move(sockets)) {}
  NflogSource(const NflogSource&) = delete;
  NflogSource& operator=(const NflogSource&) = delete;
  NflogSource(NflogSource&&) = delete;
  NflogSource& operator=(NflogSource&&) = delete;
  ~NflogSource() override { release_groups(); }

  Result<void> watch() {
    if (!epoll_.valid() || !stop_event_.valid()) return system_error("cannot wait for packets", errno);
    if (auto added = add(stop_event_.get(), kStopEvent); !added) return added;
    if (auto added = add(names_.descriptor(), kNamesEvent); !added) return added;
    for (std::size_t i = 0; i < sockets_.size(); ++i) {
      if (auto added = add(sockets_[i].socket.get(), i); !added) return added;
    }
    return {};
  }

  Result<void> run() override {
    auto read = read_until_stopped();
    intake_.finish();
    return read;
  }

  void stop() noexcept override {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(stop_event_.get(), &one, sizeof one);
  }

  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const override { return intake_.snapshots(); }

 private:
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

  // -1: no group needs a look while nothing arrives.
  [[nodiscard]] int idle_look_ms() const noexcept {
    const bool look = std::any_of(sockets_.begin(), sockets_.end(), [](const GroupSocket& socket) {
      return socket.adaptive && socket.adaptive->batching();
    });
    return look ? AdaptiveThreshold::kIdleLookMs : -1;
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
  Result<Taken> receive(GroupSocket& socket) {
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
    const int count =
        ::recvmmsg(socket.socket.get(), messages.data(), static_cast<unsigned>(offered), MSG_DONTWAIT, nullptr);
    if (count < 0) return nothing_read(socket, errno);
    const std::int64_t now_ns = realtime_ns();
    const std::span<const mmsghdr> filled(messages.data(), static_cast<std::size_t>(count));
    const Taken taken = publish(slab, room, filled, now_ns);
    events_bytes_ = std::min(taken.packets * sizeof(Event), kSlabBytes - kDatagramBytes);
    if (taken.broken != 0) log::warning(fmt::format("group {}: unreadable netlink message", socket.group));
    adapt(socket, taken.packets, now_ns);
    return taken;
  }

  Result<Taken> nothing_read(const GroupSocket& socket, int error) {
    if (error == ENOBUFS) intake_.count_overrun(socket.group);
    if (error == ENOBUFS || error == EAGAIN || error == EINTR) return Taken{};
    return system_error(fmt::format("group {}: cannot read packets", socket.group), error);
  }

  Taken publish(const SlabRef& slab, std::span<std::uint8_t> room, std::span<const mmsghdr> filled,
                std::int64_t now_ns) {
    std::array<Datagram, kDatagramsPerRead> datagrams;
    std::size_t used_bytes = 0;
    for (std::size_t i = 0; i < filled.size(); ++i) {
      const std::size_t size = filled[i].msg_len;
      std::size_t at = i * kDatagramBytes;
      if (size <= kMovableBytes && used_bytes < at) {
        std::memmove(room.data() + used_bytes, room.data() + at, size);
        at = used_bytes;
      }
      datagrams[i] = Datagram(room.data() + at, size);
      used_bytes = at + align_up(size);
      if ((filled[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) {
        log::error("a datagram of the kernel was larger than asked for and is cut: please report this");
      }
    }
    intake_.writer().commit(used_bytes);
    return intake_.take(slab, std::span(datagrams).first(filled.size()), now_ns);
  }

  void adapt(GroupSocket& socket, std::size_t packets, std::int64_t now_ns) noexcept {
    if (socket.adaptive && socket.adaptive->packets_arrived(packets, now_ns)) {
      helper_.set_queue_threshold(socket.group, socket.adaptive->threshold());
    }
  }

  static void report_answer(const GroupSocket& socket, int answer) {
    if (answer == 0) return;
    log::warning(fmt::format("group {}: the kernel refused a change of its queue threshold: {}", socket.group,
                             std::generic_category().message(-answer)));
  }

  void release_groups() noexcept {
    const auto deadline = std::chrono::steady_clock::now() + kDrainLimit;
    std::size_t kept = 0;
    for (GroupSocket& socket : sockets_) {
      if (std::exchange(socket.bound, false)) kept += !helper_.release_group(socket.group, deadline);
    }
    if (kept == 0) return;
    log::warning(
        fmt::format("the privileged helper does not unbind {} groups: what the kernel still holds for them is "
                    "lost, and not counted",
                    kept));
  }

  // Unbinding makes the kernel send what it holds, then its answer: up to there, all that was logged before is read.
  Result<void> drain() {
    release_groups();
    const auto deadline = std::chrono::steady_clock::now() + kDrainLimit;
    for (GroupSocket& socket : sockets_) {
      while (true) {
        const auto taken = receive(socket);
        if (!taken) return taken.error();
        if (taken->answers != 0 && taken->last_answer == 0) break;
        if (taken->packets != 0) continue;
        // The answer itself may have been lost to a full buffer.
        if (!wait_readable(socket.socket.get(), deadline)) break;
      }
    }
    return {};
  }

  static bool wait_readable(int descriptor, std::chrono::steady_clock::time_point deadline) noexcept {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    pollfd waiting{.fd = descriptor, .events = POLLIN, .revents = 0};
    return ::poll(&waiting, 1, static_cast<int>(left.count())) > 0;
  }

  PrivilegedHelper& helper_;
  InterfaceNames names_;
  Intake intake_;
  std::vector<GroupSocket> sockets_;
  std::size_t events_bytes_ = 0;  // of the last read: the next one's events shall have room in its slab, too
  Descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
  Descriptor stop_event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
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
                                           SourceContext context) {
  auto names = InterfaceNames::open();
  if (!names) return names.error();
  std::vector<GroupSocket> sockets;
  for (const CaptureSpec& capture : captures) {
    auto bound = bind_group(capture.config, helper);
    if (!bound) {
      const auto deadline = std::chrono::steady_clock::now() + kDrainLimit;
      for (const GroupSocket& socket : sockets) static_cast<void>(helper.release_group(socket.group, deadline));
      return bound.error();
    }
    sockets.push_back(std::move(*bound));
  }
  auto source = std::make_unique<NflogSource>(std::move(captures), std::move(sockets), std::move(*names), helper,
                                              std::move(context));
  if (auto watched = source->watch(); !watched) return watched.error();
  return std::unique_ptr<Source>(std::move(source));
}

}  // namespace nfbus::host
