#include "capture/replay.hpp"

#include "capture/chunk.hpp"
#include "capture/files/link_types.hpp"
#include "capture/files/progress.hpp"
#include "capture/frame.hpp"
#include "capture/intake.hpp"
#include "support/log.hpp"

#include <poll.h>
#include <sys/eventfd.h>

#include <array>
#include <atomic>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

// The clock is looked at once in so many packets.
constexpr std::uint64_t kPacketsPerLook = 256;

// tcpdump and dumpcap give other names to what is no device: all of them, the log of the kernel, a pipe.
bool names_device(std::string_view name) noexcept {
  return !name.empty() && name != "any" && name != "nflog" && !name.starts_with("nflog:") && name != "-";
}

class ReplaySource final : public Source {
 public:
  ReplaySource(std::vector<CaptureFile> files, std::uint16_t group, std::vector<CaptureSpec> captures,
               ReplaySettings settings, const SourceContext& context)
      : files_(std::move(files)),
        settings_(std::move(settings)),
        group_(group),
        intake_(std::move(captures), context, context.publish_when_room, Intake::Losses::ignored, nullptr,
                Intake::Undeclared::blocked) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "replay"; }
  [[nodiscard]] bool lossless() const noexcept override { return true; }
  [[nodiscard]] bool reloadable() const noexcept override { return false; }

  Result<void> run() override {
    const std::size_t count = files_.size();
    std::size_t broken = 0;
    Result<void> result;
    for (CaptureFile& next : files_) {
      CaptureFile file = std::move(next);  // closed when it has been read
      Result<void> read = read_to_the_end(file);
      chunk_.publish();
      if (read) continue;
      ++broken;
      if (count > 1) log::error(read.error().text);
      result = std::move(read);
    }
    intake_.finish();
    if (count == 1 || broken == 0) return result;
    return Error{.code = Code::io, .text = fmt::format("{} of {} files could not be read to their end", broken, count)};
  }

  void stop() noexcept override {
    stopping_.store(true, std::memory_order_relaxed);
    static_cast<void>(::eventfd_write(stop_event_.get(), 1));
  }
  [[nodiscard]] SourceSnapshot counters() const override { return sum_of(name(), intake_.snapshots()); }

  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const override { return intake_.snapshots(); }

 private:
  Result<void> read_to_the_end(CaptureFile& file) {
    std::optional<Progress> progress;
    if (settings_.progress && file.input().is_regular()) progress.emplace(Progress::Clock::now());
    std::uint64_t packets = 0;
    FilePacket packet;
    while (!stopping_.load(std::memory_order_relaxed)) {
      const auto next = file.next(packet);
      if (!next) return next.error();
      switch (*next) {
        case Next::packet:
          take(file, packet);
          if (progress && ++packets % kPacketsPerLook == 0) show(*progress, file, packets);
          break;
        case Next::section: chunk_.publish(); break;  // what was gathered refers to the section's names
        case Next::waits:
          chunk_.publish();
          wait_for(file);
          break;
        case Next::end: return {};
      }
    }
    return {};
  }

  void take(CaptureFile& file, const FilePacket& packet) {
    const FileInterface& interface = *packet.interface;
    if (!interface.layer) {
      if (file.is_news(interface)) warn_of(file.name(), interface);
      return;
    }
    // A record has its own indexes, another machine's, and so has a frame of LINUX_SLL2.
    const bool has_index = *interface.layer == LinkLayer::nflog || *interface.layer == LinkLayer::linux_sll2;
    const bool has_name = names_device(interface.name) && *interface.layer != LinkLayer::linux_sll2;
    chunk_.append({.layer = *interface.layer,
                   .bytes = packet.bytes,
                   .group = group_,
                   .prefix = settings_.prefix,
                   .interface_index = has_name && !has_index ? interface.number + 1 : 0,
                   .outgoing = packet.outgoing,
                   .time_ns = packet.time_ns},
                  has_name ? std::string_view(interface.name) : std::string_view());
  }

  static void warn_of(const std::string& file, const FileInterface& interface) {
    const std::string name = interface.name.empty() ? "" : fmt::format(" ({})", interface.name);
    log::warning(fmt::format("{}: interface {}{}: {}: its packets are left out", file, interface.number, name,
                             unknown_link_type(interface.link_type)));
  }

  static void show(Progress& progress, const CaptureFile& file, std::uint64_t packets) {
    const auto now = Progress::Clock::now();
    if (!progress.is_due(now)) return;
    const Input& input = file.input();
    log::info(progress.line(now, file.name(), input.read_bytes(), input.size_bytes().value_or(0), packets));
  }

  // Until more has come, or a stop; filters are ticked meanwhile.
  void wait_for(const CaptureFile& file) {
    std::array<pollfd, 2> waiting{pollfd{.fd = file.input().descriptor(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = stop_event_.get(), .events = POLLIN, .revents = 0}};
    static_cast<void>(::poll(waiting.data(), waiting.size(), intake_.wait_ms(-1)));
    intake_.tick_filters();
  }

  std::vector<CaptureFile> files_;
  const ReplaySettings settings_;
  const std::uint16_t group_;
  Intake intake_;
  RecordChunk chunk_{intake_};
  Descriptor stop_event_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> stopping_{false};
};

}  // namespace

std::unique_ptr<Source> make_replay(std::vector<CaptureFile> files, std::vector<CaptureSpec> captures,
                                    ReplaySettings settings, const SourceContext& context) {
  if (captures.empty()) captures.emplace_back();  // group 0, allowed
  const std::uint16_t group = captures.front().config.group;
  return std::make_unique<ReplaySource>(std::move(files), group, std::move(captures), std::move(settings), context);
}

}  // namespace nfbus::host
