// `nfbus demo`: a host as of `run`, on a small network of its own, with the page as its sink; what it captures is
// printed, too.
#include "capture/nflog.hpp"
#include "cli/colour.hpp"
#include "cli/commands.hpp"
#include "cli/demo/network.hpp"
#include "cli/demo/page_socket.hpp"
#include "cli/demo/plan.hpp"
#include "config/load.hpp"
#include "formats/format.hpp"
#include "formats/line.hpp"
#include "running/pipeline.hpp"
#include "support/log.hpp"
#include "support/signals.hpp"

#include <fmt/format.h>

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kStopDeadline{2};
constexpr std::chrono::milliseconds kWatchInterval{1000};  // of the host's own messages, which the page shows

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

// What a user would write. Without a socket for the page there is none.
ConfigFile configuration(const std::optional<Descriptor>& page_socket) {
  std::string text = fmt::format(R"([host]
device = "demo"
[[capture]]
group = {}
action = "allowed"
[[capture]]
group = {}
action = "blocked"
)",
                                 demo::kAllowedGroup, demo::kBlockedGroup);
  if (page_socket) {
    text += fmt::format(R"([sink.page]
plugin = "websocket"
listen = "fd:{}"
filters = ["names"]
[filter.names]
plugin = "dnsnames"
)",
                        page_socket->get());
  }
  return {.name = "demo", .text = std::move(text), .way = {}};
}

Result<MadePipeline> make_pipeline(const ConfigFile& file, RunningCalls& calls) {
  PluginRegistry plugins = PluginRegistry::scan(builtin_plugin_folders());
  LoadedConfig loaded = load_config(file, plugins, {});
  if (!loaded.errors.empty()) return loaded.errors.front();
  std::vector<Error> mistakes;
  auto made = MadePipeline::make(std::move(loaded.config), std::move(plugins), nullptr, calls, mistakes);
  if (!made) return mistakes.front();
  return std::move(*made);
}

// The groups of this namespace, printed before they are published.
OpenSource printed_nflog(PrivilegedHelper& helper, Printer& printer) {
  return [&](std::vector<CaptureSpec> captures, const SourceContext& context) {
    SourceContext printing = context;
    printing.publish = [&printer, publish = context.publish](const BatchRef& batch) {
      printer.print(*batch);
      publish(batch);
    };
    return open_nflog(std::move(captures), helper, printing);
  };
}

// Until a signal, the end of the time, or enough packets.
void wait_for_end(Signals& signals, RunningPipeline& pipeline, const Printer& printer, const DemoOptions& options) {
  const auto deadline =
      options.seconds ? Clock::now() + std::chrono::seconds(*options.seconds) : Clock::time_point::max();
  auto next_watch = Clock::now();
  while (!printer.done() && Clock::now() < deadline) {
    if (Clock::now() >= next_watch) {
      pipeline.watch();
      next_watch = Clock::now() + kWatchInterval;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(std::min(deadline, next_watch) - Clock::now());
    if (signals.wait(std::max(left, std::chrono::milliseconds(0)))) return;
  }
}

}  // namespace

int demo_command(const DemoOptions& options) {
  auto signals = Signals::block();
  if (!signals) return fail(signals.error());
  // `ip` and `nft` are where only root's PATH looks.
  const char* path = std::getenv("PATH");
  setenv("PATH", fmt::format("{}:/usr/sbin:/sbin", path == nullptr ? "/usr/bin:/bin" : path).c_str(), 1);

  // In the machine's own network, so that a browser there can open the page.
  const std::optional<Descriptor> page_socket = options.json ? std::nullopt : demo::open_page_socket();
  auto network = demo::Network::build();
  if (!network) return fail(network.error());
  auto helper = PrivilegedHelper::start();
  if (!helper) return fail(helper.error());

  RunningCalls calls;
  Printer printer(options, *signals);
  auto made = make_pipeline(configuration(page_socket), calls);
  if (!made) return fail(made.error());
  auto open = std::move(*made).open(std::nullopt, &*helper, printed_nflog(*helper, printer));
  if (!open) return fail(open.error());
  std::atomic<bool> source_ended = false;
  auto running = std::move(*open).start(
      [&] {
        source_ended = true;
        signals->wake();
      },
      [] {});
  if (!running) return fail(running.error());
  if (!options.json) log::info("lan - router - wan, each in a namespace of its own; Ctrl-C ends it");
  network->start_traffic();
  wait_for_end(*signals, *running, printer, options);
  EndingPipeline ending = std::move(*running).stop_sources(Clock::now() + kStopDeadline);
  const bool stopped = ending.stop_sinks(Clock::now() + kStopDeadline);
  if (!ending.sources_result()) return fail(ending.sources_result().error());
  if (!options.json) log::info(fmt::format("{} packets shown, {} lost", printer.printed(), ending.lost_by_kernel()));
  if (!stopped || !ending.sources_ended()) ::_exit(exit_status::kFailed);  // a thread is inside of a plugin
  return exit_status::kDone;
}

}  // namespace nfbus::host
