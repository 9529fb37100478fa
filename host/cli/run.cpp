// `nfbus run`: load, check, make, open, run, drain, stop.
#include "cli/commands.hpp"
#include "config/load.hpp"
#include "privileged/seccomp.hpp"
#include "running/bus_socket.hpp"
#include "running/end_guard.hpp"
#include "running/later.hpp"
#include "running/pipeline.hpp"
#include "running/source_kinds.hpp"
#include "running/way_down.hpp"
#include "support/log.hpp"
#include "support/log_thread.hpp"
#include "support/out_of_memory.hpp"
#include "support/signals.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

using Clock = std::chrono::steady_clock;

// How long a stop may take: the sources, which read what the kernel still holds, for three seconds of them at most;
// then what waits is delivered.
constexpr std::chrono::seconds kSourceDeadline{5};
constexpr std::chrono::seconds kDrainDeadline{5};

// The host looks after its own, and says what it says of itself, once in this time at most.
constexpr std::chrono::milliseconds kWatchInterval{1000};

// Clients that keep up need no time; the others are not waited for.
constexpr std::chrono::milliseconds kClientsDeadline{500};

// While a lossless source's last events are delivered, sinks are looked at so often.
constexpr std::chrono::milliseconds kSinkPoll{20};

// Ends the command, from any of its steps, with this exit status. What is wrong has been logged.
struct EndOfRun {
  int status;
};

void log_all(const std::vector<Error>& mistakes) {
  for (const Error& mistake : mistakes) log::error(to_string(mistake));
}

void warn_of_all(const std::vector<Error>& mistakes) {
  for (const Error& mistake : mistakes) log::warning(to_string(mistake));
}

// What a step needs: an error ends the command.
void need(const Result<void>& step) {
  if (step) return;
  log::error(to_string(step.error()));
  throw EndOfRun{exit_status::kFailed};
}

template <class T>
T need(Result<T> step) {
  if (step) return std::move(step).value();
  log::error(to_string(step.error()));
  throw EndOfRun{exit_status::kFailed};
}

// A configuration that is wrong ends the command.
void need_none(const std::vector<Error>& mistakes) {
  log_all(mistakes);
  if (!mistakes.empty()) throw EndOfRun{exit_status::kConfig};
}

// What is known before anything is made.
struct Start {
  const RunOptions& options;
  SourceRequest source;
  const SourceKind& kind;
  ConfigFile file;
  EarlyConfig early;
  bool with_roots_rights;  // these may be used until all is open
};

using BusSocket = Result<std::optional<Listener>>;

Start read_start(const RunOptions& options) {
  if (options.verbose) log::set_level(log::Level::debug);
  const bool as_root = ::geteuid() == 0;
  SourceRequest source{.replay_files = options.replay_files,
                       .replay_prefix = options.replay_prefix.value_or(""),
                       .started_as_root = as_root};
  const SourceKind& kind = source_kind(source);
  ConfigFile file = read_config_file(options.config_file, as_root);
  EarlyConfig early = read_early_config(file);
  need_none(distrust(file, account_to_become(early.user).uid));
  const bool with_roots_rights = may_use_roots_rights(file, early);
  return {.options = options,
          .source = std::move(source),
          .kind = kind,
          .file = std::move(file),
          .early = std::move(early),
          .with_roots_rights = with_roots_rights};
}

std::optional<PrivilegedHelper> start_helper(const Start& start) {
  if (!start.kind.live) return std::nullopt;
  return need(PrivilegedHelper::start());
}

std::optional<PrivilegedParts> start_parts(const Start& start) {
  if (!start.kind.live) return std::nullopt;
  return start_privileged_parts(start.early, start.with_roots_rights);
}

// Whoever may change the configuration or a plugin would else become root through it, until all is open. Returns the
// socket, if it was to be made with root's rights.
std::optional<BusSocket> step_down_from_root(const Start& start) {
  std::optional<BusSocket> socket;
  if (is_socket_by_root(start.file, start.early, account_to_become(start.early.user).uid)) {
    socket.emplace(open_bus_socket(start.early, !start.kind.live));
  }
  need(step_down(start.early, start.with_roots_rights));
  return socket;
}

struct Loaded {
  Config config;
  PluginRegistry plugins;
};

Loaded load(const Start& start) {
  PluginRegistry plugins = PluginRegistry::scan(start.early.plugin_folders);
  LoadedConfig loaded = load_config(start.file, plugins, {.replay = !start.kind.live});
  warn_of_all(loaded.warnings);
  need_none(loaded.errors);
  warn_of_all(later_trouble(start.file, start.early, loaded.used_paths, !start.kind.live));
  return {.config = std::move(loaded.config), .plugins = std::move(plugins)};
}

MadePipeline make_pipeline(Loaded loaded, std::optional<PrivilegedParts>& parts, RunningCalls& calls) {
  std::vector<Error> mistakes;
  auto made = MadePipeline::make(std::move(loaded.config), std::move(loaded.plugins), parts ? &*parts : nullptr, calls,
                                 mistakes);
  need_none(mistakes);
  return std::move(*made);
}

// All that the host reads and writes; then nothing is left of root's rights.
OpenPipeline open_pipeline(MadePipeline made, std::optional<Listener> listener, PrivilegedHelper* helper,
                           const OpenSource& open_source) {
  OpenPipeline open = need(std::move(made).open(std::move(listener), helper, open_source));
  need(drop_privileges());
  need(confine_host());
  return open;
}

void say_ready(const RunningPipeline& pipeline, const RunOptions& options) {
  log::info(fmt::format("ready: {} ({})", pipeline.summary(), options.config_file));
  ::sd_notify(0, "READY=1");
}

// A configuration that is wrong changes nothing; where sinks may not be replaced, files are reopened only.
ReloadOutcome reload(RunningPipeline& pipeline, const Start& start) {
  const std::string& config_file = start.options.config_file;
  pipeline.reopen_sinks();
  pipeline.renew_socket();
  if (!pipeline.reloadable()) {
    return {.done = Error{.code = Code::busy,
                          .text = "the configuration stays as it was: a source waits for the sinks, which cannot be "
                                  "replaced meanwhile"},
            .findings = {}};
  }
  const ConfigFile file = read_config_file(config_file, start.source.started_as_root);
  std::vector<Error> mistakes = distrust(file, ::geteuid());
  std::vector<Error> not_opened;
  PluginRegistry plugins;
  LoadedConfig loaded;
  if (mistakes.empty()) {
    plugins = PluginRegistry::scan(read_early_config(file).plugin_folders);
    loaded = load_config(file, plugins, {});
    warn_of_all(loaded.warnings);
    mistakes = std::move(loaded.errors);
  }
  if (mistakes.empty()) {
    mistakes = pipeline.reload(std::move(loaded.config), std::move(plugins), Clock::now() + kDrainDeadline, not_opened);
  }
  log_all(mistakes);
  log_all(not_opened);
  ReloadOutcome outcome;
  for (const auto* const findings : {&mistakes, &not_opened}) {
    for (const Error& finding : *findings) outcome.findings.push_back(to_string(finding));
  }
  if (!mistakes.empty()) {
    outcome.done = Error{.code = Code::invalid, .text = "the configuration stays as it was"};
  } else if (!not_opened.empty()) {
    outcome.done =
        Error{.code = Code::io,
              .text = fmt::format("the new configuration is in force without {} of its sinks, which cannot be "
                                  "opened",
                                  not_opened.size())};
  } else {
    for (const Error& warning : loaded.warnings) outcome.findings.push_back(to_string(warning));
    log::info(fmt::format("reloaded: {} ({})", pipeline.summary(), config_file));
  }
  return outcome;
}

// Of SIGHUP, and of clients that ask for it and are told the outcome.
void serve_reload(RunningPipeline& pipeline, const Start& start) {
  const std::vector<std::uint64_t> clients = pipeline.take_reload_requests();
  const ReloadOutcome outcome = reload(pipeline, start);
  if (!outcome.done && outcome.done.error().code == Code::busy) {
    if (start.kind.live) log::warning(outcome.done.error().text);
  } else if (!outcome.done) {
    log::error(outcome.done.error().text);
  }
  pipeline.answer_reload(clients, outcome);
}

// Serves signals until one of them, or the end of the sources or of memory, ends the run. True: a signal asked for the
// end.
bool serve(RunningPipeline& pipeline, Signals& signals, const std::atomic<bool>& sources_ended,
           std::atomic<bool>& reload_asked, const OutOfMemory& memory, const Start& start) {
  auto next_watch = Clock::now() + kWatchInterval;
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_watch - Clock::now());
    const auto signal = memory.happened() ? std::nullopt : signals.wait(std::max(left, std::chrono::milliseconds(0)));
    if (memory.happened() || sources_ended) return false;
    switch (signal.value_or(0)) {
      case 0: break;
      case SIGHUP: serve_reload(pipeline, start); break;
      case SIGUSR1: pipeline.log_counters(); break;
      default: return true;
    }
    if (reload_asked.exchange(false)) serve_reload(pipeline, start);
    if (Clock::now() < next_watch) continue;
    pipeline.watch();
    next_watch = Clock::now() + kWatchInterval;
  }
}

// The rest of a host without memory: its numbers, which threads that got none may keep from us.
template <class Pipeline>
[[noreturn]] void end_without_memory(const Pipeline& pipeline, LogThread& log_thread) {
  pipeline.log_counters();
  log_thread.finish(Clock::now() + LogThread::kLastWait);
  ::_exit(exit_status::kFailed);
}

// Waits for the sinks to deliver all of a lossless source, however long they retry; a signal or the end of memory cuts
// that short.
void await_delivery(EndingPipeline& pipeline, Signals& signals, const OutOfMemory& memory) {
  while (!pipeline.all_settled() && !memory.happened()) {
    const auto signal = signals.wait(kSinkPoll);
    if (!signal) continue;
    switch (*signal) {
      case SIGHUP: pipeline.reopen_sinks(); break;
      case SIGUSR1: pipeline.log_counters(); break;
      default: return;
    }
  }
}

// Whether nothing that the host had received was lost when it ended.
bool tell_of_the_end(const EndingPipeline& pipeline) {
  const std::uint64_t lost = pipeline.lost_at_the_end();
  if (lost != 0) log::error(fmt::format("{} events are lost: they were not delivered when the host ended", lost));
  const bool missed_a_sink = pipeline.lossless() && pipeline.any_sink_failed();
  if (missed_a_sink) log::error("the replay did not reach a sink that had failed");
  return lost == 0 && !missed_a_sink && !pipeline.any_sink_unflushed();
}

// What a run has beside its pipeline.
struct Surroundings {
  Signals& signals;
  const OutOfMemory& memory;
  LogThread& log_thread;
  EndGuard& guard;
};

// Stops what still runs, delivers what waits, and gives the exit status; a process that has a thread which cannot be
// ended, or no memory, ends in here.
int end_pipeline(RunningPipeline running, const Surroundings& of, bool asked_to_stop) {
  const auto& [signals, memory, log_thread, guard] = of;
  if (memory.happened()) end_without_memory(running, log_thread);
  ::sd_notify(0, "STOPPING=1");
  guard.end_by(Clock::now() + kSourceDeadline + EndGuard::kPatience);
  EndingPipeline pipeline = std::move(running).stop_sources(Clock::now() + kSourceDeadline);
  guard.end_by(Clock::time_point::max());
  const Result<void>& read = pipeline.sources_result();
  if (!read) log::error(to_string(read.error()));
  if (pipeline.lossless() && !asked_to_stop) await_delivery(pipeline, signals, memory);
  if (memory.happened()) end_without_memory(pipeline, log_thread);
  guard.end_by(Clock::now() + 2 * kDrainDeadline + EndGuard::kPatience);
  const bool sinks_stopped = pipeline.stop_sinks(Clock::now() + kDrainDeadline);
  const bool server_stopped = pipeline.stop_server(Clock::now() + kClientsDeadline);
  if (!server_stopped) log::error("bus: the thread that serves clients does not end; the host ends without it");
  pipeline.log_counters();
  const bool all_done = tell_of_the_end(pipeline) && read.ok() && !memory.happened();
  if (sinks_stopped && pipeline.sources_ended() && server_stopped) {
    guard.set_last_words({});
    guard.end_by(Clock::now() + EndGuard::kPatience);  // plugins' destroy() is still to come
    return all_done ? exit_status::kDone : exit_status::kFailed;
  }
  // A thread inside a plugin cannot be ended: the process ends without it.
  for (const std::string& name : pipeline.running_sinks()) {
    log::error(fmt::format("sink.{}: its plugin did not return in {} s; the host ends without it", name,
                           kDrainDeadline.count()));
  }
  for (const RunningCall& call : pipeline.stuck_calls()) {
    log::error(fmt::format("{}: its plugin is {}", call.instance, to_string(call)));
  }
  log_thread.finish(Clock::now() + LogThread::kLastWait);
  ::_exit(exit_status::kFailed);
}

int run_host(const RunOptions& options, LogThread& log_thread) {
  Signals signals = need(Signals::block());
  const Start start = read_start(options);
  // Forked first: they keep what the rest gives up, and no plugin's code runs before that.
  std::optional<PrivilegedHelper> helper = start_helper(start);
  std::optional<PrivilegedParts> parts = start_parts(start);
  std::optional<BusSocket> socket = step_down_from_root(start);
  need(log_thread.start());
  const OutOfMemory memory(log_thread, [&] { signals.wake(); });
  RunningCalls calls;
  EndGuard guard(calls, log_thread);
  need(guard.start());
  if (!socket) socket.emplace(open_bus_socket(start.early, !start.kind.live));

  Loaded loaded = load(start);
  std::optional<Listener> listener = need(std::move(*socket));
  PrivilegedHelper* const of_groups = helper ? &*helper : nullptr;
  const OpenSource open_source = need(start.kind.prepare(start.source, of_groups));
  MadePipeline made = make_pipeline(std::move(loaded), parts, calls);
  OpenPipeline open = open_pipeline(std::move(made), std::move(listener), of_groups, open_source);
  std::atomic<bool> sources_ended = false;
  std::atomic<bool> reload_asked = false;
  RunningPipeline running = need(std::move(open).start(
      [&] {
        sources_ended = true;
        signals.wake();
      },
      [&] {
        reload_asked = true;
        signals.wake();
      }));
  guard.set_last_words(running.counters_logger());
  say_ready(running, options);
  const bool asked_to_stop = serve(running, signals, sources_ended, reload_asked, memory, start);
  return end_pipeline(std::move(running), {signals, memory, log_thread, guard}, asked_to_stop);
}

}  // namespace

int run_command(const RunOptions& options) {
  LogThread log_thread;
  try {
    return run_host(options, log_thread);
  } catch (const EndOfRun& end) {
    return end.status;
  } catch (const std::exception& error) {
    log::error(error.what());
    return exit_status::kFailed;
  }
}

}  // namespace nfbus::host
