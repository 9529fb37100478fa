// `nfbus demo`: the capture and the decoder of `run`, on a small network of its own, printed instead of delivered.
#include "capture/nflog.hpp"
#include "cli/colour.hpp"
#include "cli/commands.hpp"
#include "cli/demo/network.hpp"
#include "cli/demo/plan.hpp"
#include "config/config.hpp"
#include "formats/format.hpp"
#include "formats/line.hpp"
#include "support/log.hpp"
#include "support/signals.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeepSlabs = 2;
constexpr std::size_t kKeepBatches = 16;

int fail(const Error& error) {
  log::error(to_string(error));
  return exit_status::kFailed;
}

// Prints events to standard output until there were enough, or until nobody reads any more.
// Thread safety: print() on the capture thread; the rest from any thread.
class Printer {
 public:
  Printer(const DemoOptions& options, const Signals& signals)
      : json_(options.json),
        wanted_(options.count.value_or(std::numeric_limits<std::uint64_t>::max())),
        lines_(stdout_wants_colour()),
        formats_("demo"),
        signals_(signals) {}

  void print(const Batch& batch) {
    text_.clear();
    for (const Event& event : batch.events()) {
      if (done_) break;
      if (json_) {
        formats_[kUlogdFormat].render(event, text_);
        text_.append("\n");
      } else {
        lines_.append(event, text_);
      }
      if (++printed_ == wanted_) done_ = true;
    }
    if (!write_out(text_.view())) done_ = true;
    if (done_) signals_.wake();
  }

  [[nodiscard]] bool done() const noexcept { return done_; }
  [[nodiscard]] std::uint64_t printed() const noexcept { return printed_; }

 private:
  static bool write_out(std::string_view text) noexcept {
    while (!text.empty()) {
      const ssize_t size = write(STDOUT_FILENO, text.data(), text.size());
      if (size < 0 && errno == EINTR) continue;
      if (size < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(size));
    }
    return true;
  }

  const bool json_;
  const std::uint64_t wanted_;
  LineFormat lines_;
  const FormatSet formats_;
  const Signals& signals_;
  TextBuffer text_;
  std::atomic<bool> done_ = false;
  std::atomic<std::uint64_t> printed_ = 0;
};

std::vector<CaptureSpec> captures() {
  std::vector<CaptureSpec> specs(2);
  specs[0].config.group = demo::kAllowedGroup;
  specs[0].config.action = Action::allowed;
  specs[1].config.group = demo::kBlockedGroup;
  specs[1].config.action = Action::blocked;
  return specs;
}

// Until a signal, the end of the time, or enough packets.
void wait_for_end(Signals& signals, const Printer& printer, const DemoOptions& options) {
  const auto deadline = Clock::now() + std::chrono::seconds(options.seconds.value_or(0));
  while (!printer.done()) {
    std::chrono::milliseconds left(-1);
    if (options.seconds) {
      left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
      if (left.count() <= 0) return;
    }
    if (signals.wait(left)) return;
  }
}

}  // namespace

int demo_command(const DemoOptions& options) {
  auto signals = Signals::block();
  if (!signals) return fail(signals.error());
  // `ip` and `nft` are where only root's PATH looks.
  const char* path = std::getenv("PATH");
  setenv("PATH", fmt::format("{}:/usr/sbin:/sbin", path == nullptr ? "/usr/bin:/bin" : path).c_str(), 1);

  auto network = demo::Network::build();
  if (!network) return fail(network.error());
  auto helper = PrivilegedHelper::start();
  if (!helper) return fail(helper.error());

  TopicTable topics(defaults::kTopicRoot);
  SlabPool slabs(kSlabBytes, kKeepSlabs);
  BatchPool batches(kKeepBatches);
  Printer printer(options, *signals);
  auto source = open_nflog(captures(), *helper,
                           {.topics = topics,
                            .slabs = slabs,
                            .batches = batches,
                            .publish = [&](const BatchRef& batch) { printer.print(*batch); },
                            .publish_when_room = {}});
  if (!source) return fail(source.error());

  Result<void> captured;
  std::thread capture([&] { captured = (*source)->run(); });
  if (!options.json) log::info("lan - router - wan, each in a namespace of its own; Ctrl-C ends it");
  network->start_traffic();
  wait_for_end(*signals, printer, options);
  (*source)->stop();
  capture.join();
  if (!captured) return fail(captured.error());

  std::uint64_t lost = 0;
  for (const CaptureSnapshot& group : (*source)->snapshots()) lost += group.lost;
  if (!options.json) log::info(fmt::format("{} packets shown, {} lost", printer.printed(), lost));
  return exit_status::kDone;
}

}  // namespace nfbus::host
