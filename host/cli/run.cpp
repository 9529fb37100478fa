// `nfbus run`: load, check, wire, run, drain, stop.
#include "cli/commands.hpp"
#include "config/load.hpp"
#include "privileged/seccomp.hpp"
#include "running/bus_socket.hpp"
#include "running/later.hpp"
#include "running/pipeline.hpp"
#include "running/way_down.hpp"
#include "support/log.hpp"
#include "support/log_thread.hpp"
#include "support/out_of_memory.hpp"
#include "support/signals.hpp"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <exception>

namespace nfbus::host {

namespace {

using Clock = std::chrono::steady_clock;

// How long a stop may take: the source, which reads what the kernel still holds, for three seconds of them at most;
// then what waits is delivered.
constexpr std::chrono::seconds kSourceDeadline{5};
constexpr std::chrono::seconds kDrainDeadline{5};

// nfbus:loss comes once in this time at most.
constexpr std::chrono::milliseconds kLossLook{1000};

// Clients that keep up need no time; the others are not waited for.
constexpr std::chrono::milliseconds kClientsDeadline{500};

// While a replay's last events are delivered, sinks are looked at so often.
constexpr std::chrono::milliseconds kSinkPoll{20};

int fail(const Error& error) {
  log::error(to_string(error));
  return exit_status::kFailed;
}

void log_all(const std::vector<Error>& mistakes) {
  for (const Error& mistake : mistakes) log::error(to_string(mistake));
}

void warn_of_all(const std::vector<Error>& troubles) {
  for (const Error& trouble : troubles) log::warning(to_string(trouble));
}

// SIGHUP. A configuration that is wrong changes nothing; a replay only reopens its files.
void reload(Pipeline& pipeline, const RunOptions& options, bool started_as_root) {
  pipeline.reopen_sinks();
  pipeline.renew_socket();
  if (options.replay_file) return;
  const ConfigFile file = read_config_file(options.config_file, started_as_root);
  std::vector<Error> mistakes = distrust(file, ::geteuid());
  PluginRegistry plugins;
  LoadedConfig loaded;
  if (mistakes.empty()) {
    plugins = PluginRegistry::scan(read_early_config(file).plugin_folders);
    loaded = load_config(file, plugins, {});
    warn_of_all(loaded.warnings);
    mistakes = std::move(loaded.errors);
  }
  if (mistakes.empty()) {
    mistakes = pipeline.reload(std::move(loaded.config), std::move(plugins), Clock::now() + kDrainDeadline);
  }
  log_all(mistakes);
  if (!mistakes.empty()) {
    log::error("the configuration stays as it was");
    return;
  }
  log::info(fmt::format("reloaded: {} ({})", pipeline.summary(), options.config_file));
}

// The rest of a host without memory: its numbers, which threads that got none may keep from us.
[[noreturn]] void end_without_memory(const Pipeline& pipeline, LogThread& log_thread) {
  pipeline.log_counters();
  log_thread.finish(Clock::now() + LogThread::kLastWait);
  ::_exit(exit_status::kFailed);
}

// Serves signals until one of them, or the end of the source or of memory, ends the run. True: a signal asked for the
// end.
bool serve(Pipeline& pipeline, Signals& signals, const std::atomic<bool>& source_ended, const OutOfMemory& memory,
           const RunOptions& options, bool started_as_root) {
  for (;;) {
    const auto signal = memory.happened() ? std::nullopt : signals.wait(kLossLook);
    if (memory.happened()) return false;
    if (source_ended) return false;
    if (!signal) {
      pipeline.look_around();
      continue;
    }
    switch (*signal) {
      case SIGHUP: reload(pipeline, options, started_as_root); break;
      case SIGUSR1: pipeline.log_counters(); break;
      default: return true;
    }
  }
}

// Waits for the sinks to deliver all of a replay, however long they retry; a signal or the end of memory cuts that
// short.
void await_delivery(Pipeline& pipeline, Signals& signals, const OutOfMemory& memory) {
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

Result<void> stuck_source() {
  return Error{
      .code = Code::io,
      .text = fmt::format("the source did not end in {} s: one of its filters does not return, or its file does "
                          "not; the host ends without it",
                          kSourceDeadline.count())};
}

// Whether nothing that the host had received was lost when it ended.
bool tell_of_the_end(const Pipeline& pipeline, const RunOptions& options) {
  const std::uint64_t lost = pipeline.lost_at_the_end();
  if (lost != 0) log::error(fmt::format("{} events are lost: they were not delivered when the host ended", lost));
  const bool replay_failed = options.replay_file && pipeline.any_sink_failed();
  if (replay_failed) log::error("the replay did not reach a sink that had failed");
  return lost == 0 && !replay_failed && !pipeline.any_sink_unflushed();
}

// All that the host reads and writes, and then nothing is left of root's rights. Not kDone: the exit status.
int open_host(Pipeline& pipeline, PrivilegedHelper* helper, std::optional<Listener> listener, const RunOptions& options,
              bool started_as_root) {
  const std::vector<Error> mistakes = pipeline.create();
  log_all(mistakes);
  if (!mistakes.empty()) return exit_status::kConfig;
  if (auto opened = pipeline.open_sinks(); !opened) return fail(opened.error());
  pipeline.open_server(std::move(listener));
  if (auto opened = pipeline.open_metrics(); !opened) return fail(opened.error());
  std::optional<ReplayFile> replay_file;
  if (options.replay_file) {
    auto opened = open_file_to_replay(*options.replay_file, started_as_root);
    if (!opened) return fail(opened.error());
    replay_file = std::move(opened).value();
  }
  if (auto bound = pipeline.open_source(helper, std::move(replay_file)); !bound) {
    return fail(bound.error());
  }
  if (auto dropped = drop_privileges(); !dropped) return fail(dropped.error());
  if (auto confined = confine_host(); !confined) return fail(confined.error());
  return exit_status::kDone;
}

// Stops what still runs, delivers what waits, and gives the exit status; a process that has a thread which cannot be
// ended, or no memory, ends in here.
int end_host(Pipeline& pipeline, Signals& signals, const OutOfMemory& memory, LogThread& log_thread,
             const RunOptions& options, bool asked_to_stop) {
  if (memory.happened()) end_without_memory(pipeline, log_thread);
  ::sd_notify(0, "STOPPING=1");
  pipeline.stop_source();  // it may have ended by itself
  const bool source_stopped = pipeline.source_ended_by(Clock::now() + kSourceDeadline);
  const Result<void> source_result = source_stopped ? pipeline.join_source() : stuck_source();
  if (!source_result) log::error(to_string(source_result.error()));
  if (options.replay_file && !asked_to_stop) await_delivery(pipeline, signals, memory);
  if (memory.happened()) end_without_memory(pipeline, log_thread);
  const auto deadline = Clock::now() + kDrainDeadline;
  pipeline.stop_sinks(deadline);
  const bool stopped = pipeline.sinks_stopped_by(deadline);
  const bool server_stopped = pipeline.stop_server(Clock::now() + kClientsDeadline);
  if (!server_stopped) log::error("bus: the thread that serves clients does not end; the host ends without it");
  pipeline.log_counters();
  const bool all_done = tell_of_the_end(pipeline, options) && source_result.ok() && !memory.happened();
  if (stopped && source_stopped && server_stopped) return all_done ? exit_status::kDone : exit_status::kFailed;

  // A thread inside a plugin cannot be ended: the process ends without it.
  for (const std::string& name : pipeline.running_sinks()) {
    log::error(fmt::format("sink.{}: its plugin did not return in {} s; the host ends without it", name,
                           kDrainDeadline.count()));
  }
  log_thread.finish(Clock::now() + LogThread::kLastWait);
  ::_exit(exit_status::kFailed);
}

int run_host(const RunOptions& options, LogThread& log_thread) {
  if (options.verbose) log::set_level(log::Level::debug);
  auto signals = Signals::block();
  if (!signals) return fail(signals.error());

  const bool started_as_root = ::geteuid() == 0;
  const bool replay = options.replay_file.has_value();
  const ConfigFile file = read_config_file(options.config_file, started_as_root);
  const EarlyConfig early = read_early_config(file);
  if (const auto mistakes = distrust(file, uid_to_become(early.user)); !mistakes.empty()) {
    log_all(mistakes);
    return exit_status::kConfig;
  }

  // The helper is forked first: it keeps what the rest gives up, and no plugin's code runs before that.
  std::optional<PrivilegedHelper> helper;
  if (!replay) {
    auto started = PrivilegedHelper::start();
    if (!started) return fail(started.error());
    helper = std::move(started).value();
  }
  // Whoever may change the configuration or a plugin would else become root through it, until all is open.
  const bool with_roots_rights = may_use_roots_rights(file, early);
  const bool socket_by_root = is_socket_by_root(file, early, uid_to_become(early.user));
  std::optional<Result<std::optional<Listener>>> socket;
  if (socket_by_root) socket.emplace(open_bus_socket(early, replay));
  if (auto stepped = step_down(early, with_roots_rights); !stepped) return fail(stepped.error());
  if (auto started = log_thread.start(); !started) return fail(started.error());
  const OutOfMemory memory(log_thread, [&] { signals->wake(); });
  if (!socket_by_root) socket.emplace(open_bus_socket(early, replay));

  PluginRegistry plugins = PluginRegistry::scan(early.plugin_folders);
  LoadedConfig loaded = load_config(file, plugins, {.replay = replay});
  warn_of_all(loaded.warnings);
  log_all(loaded.errors);
  if (!loaded.errors.empty()) return exit_status::kConfig;
  warn_of_all(later_trouble(file, early, loaded.used_paths, replay));

  if (!*socket) return fail(socket->error());

  Pipeline pipeline(std::move(loaded.config), std::move(plugins));
  if (const int status =
          open_host(pipeline, helper ? &*helper : nullptr, std::move(*socket).value(), options, started_as_root);
      status != exit_status::kDone) {
    return status;
  }

  std::atomic<bool> source_ended = false;
  auto started = pipeline.start([&] {
    source_ended = true;
    signals->wake();
  });
  if (!started) return fail(started.error());
  log::info(fmt::format("ready: {} ({})", pipeline.summary(), options.config_file));
  ::sd_notify(0, "READY=1");

  const bool asked_to_stop = serve(pipeline, *signals, source_ended, memory, options, started_as_root);
  return end_host(pipeline, *signals, memory, log_thread, options, asked_to_stop);
}

}  // namespace

int run_command(const RunOptions& options) {
  LogThread log_thread;
  try {
    return run_host(options, log_thread);
  } catch (const std::exception& error) {
    log::error(error.what());
    return exit_status::kFailed;
  }
}

}  // namespace nfbus::host
