// `nfbus run --replay` without a configuration: what is in capture files, as the lines of `nfbus tap`.
#include "capture/replay.hpp"
#include "cli/colour.hpp"
#include "cli/commands.hpp"
#include "cli/write_out.hpp"
#include "config/load.hpp"
#include "decode/decode.hpp"
#include "event/batch.hpp"
#include "event/topic.hpp"
#include "formats/line.hpp"
#include "privileged/helper.hpp"
#include "privileged/seccomp.hpp"
#include "running/sources.hpp"
#include "running/way_down.hpp"
#include "support/log.hpp"
#include "support/signals.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

constexpr std::size_t kKeepSlabs = 4;
constexpr std::size_t kKeepBatches = 4;

// After a signal: standard output may wait for its reader without end.
constexpr std::chrono::seconds kStopDeadline{1};

int fail(const Error& error) {
  log::error(to_string(error));
  return exit_status::kFailed;
}

// Prints what the source publishes, on the source's thread. show() is called by one thread; the rest by any.
class Printer {
 public:
  // False: nobody reads any more.
  bool show(const BatchRef& batch) {
    for (const Event& event : batch->events()) lines_.append(event, text_);
    shown_.fetch_add(batch->events().size(), std::memory_order_relaxed);
    const bool written = write_out(text_.view());
    text_.clear();
    return written;
  }
  [[nodiscard]] std::uint64_t shown() const noexcept { return shown_.load(std::memory_order_relaxed); }

 private:
  LineFormat lines_{stdout_wants_colour()};
  TextBuffer text_;
  std::atomic<std::uint64_t> shown_{0};
};

// The files, opened; then nothing is left of root's rights.
Result<std::vector<CaptureFile>> open_files(const RunOptions& options) {
  const bool as_root = ::geteuid() == 0;
  if (auto lowered = step_down(EarlyConfig(), true); !lowered) return std::move(lowered).error();
  auto files = open_captures(options.replay_files, as_root);
  if (!files) return files;
  if (auto dropped = drop_privileges(); !dropped) return std::move(dropped).error();
  if (auto confined = confine_host(); !confined) return std::move(confined).error();
  return files;
}

void wait_for_end(Signals& signals, const std::atomic<bool>& ended) {
  while (!ended) {
    const auto signal = signals.wait(std::chrono::milliseconds(-1));
    if (signal && *signal != SIGHUP && *signal != SIGUSR1) return;
  }
}

}  // namespace

std::string fault_of_log_prefix(const std::string& prefix) {
  if (prefix.size() <= kMaxPrefixBytes) return {};
  return fmt::format("a log prefix has {} bytes at most, this one has {}", kMaxPrefixBytes, prefix.size());
}

int show_replay_command(const RunOptions& options) {
  if (options.verbose) log::set_level(log::Level::debug);
  auto signals = Signals::block();
  if (!signals) return fail(signals.error());
  auto files = open_files(options);
  if (!files) return fail(files.error());

  TopicTable topics(defaults::kTopicRoot);
  SlabPool slabs(kSlabBytes, kKeepSlabs);
  BatchPool batches(kKeepBatches);
  Printer printer;
  Sources sources;
  const Publish print = [&](const BatchRef& batch) {
    if (!printer.show(batch)) sources.stop();
  };
  // Where the lines appear on the terminal, they tell how far it is.
  const bool progress = ::isatty(STDERR_FILENO) != 0 && ::isatty(STDOUT_FILENO) == 0;
  sources.add(make_replay(
      std::move(files).value(), {}, {.prefix = options.replay_prefix.value_or(""), .progress = progress},
      {.topics = topics, .slabs = slabs, .batches = batches, .publish = print, .publish_when_room = print}));
  std::atomic<bool> ended = false;
  sources.start([&] {
    ended = true;
    signals->wake();
  });
  wait_for_end(*signals, ended);
  sources.stop();
  const bool done = sources.ended_by(std::chrono::steady_clock::now() + kStopDeadline);
  log::info(fmt::format("{} packets shown", printer.shown()));
  if (!done) ::_exit(exit_status::kFailed);  // its thread waits for the reader of standard output
  const Result<void> read = sources.join();
  return read ? exit_status::kDone : fail(read.error());
}

}  // namespace nfbus::host
