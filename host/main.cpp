// The commands of nfbus. What `run` does, stage by stage, is in cli/run.cpp.
#include "cli/commands.hpp"
#include "config/config.hpp"
#include "plugins/current_call.hpp"
#include "support/environment.hpp"
#include "support/log.hpp"
#include "support/standard_streams.hpp"

#include <nfbus/abi.h>
#include <nfbus/version.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace {

using namespace nfbus::host;  // NOLINT(google-build-using-namespace)

// A word that is none of the host's own is a plugin's.
int run_of_plugin(CommandWords line, const std::vector<std::string>& own_commands) {
  if (line.lacks_value || line.config_files.size() > 1) {
    log::error(line.lacks_value ? "-c needs a FILE" : "-c may be given once; what follows \"--\" is the command's");
    return exit_status::kUsage;
  }
  PluginCommandOptions options{.config_file = defaults::kConfigFile,
                               .config_given = !line.config_files.empty(),
                               .words = std::move(line.words),
                               .own_commands = own_commands};
  if (options.config_given) options.config_file = line.config_files.front();
  return plugin_command(options);
}

// Several lines, none of the log, but for the journal's priorities.
void say_of_usage(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    fmt::print(stderr, "{}{}\n", log::priority(log::Level::error), line);
  }
}

int run(int argc, char** argv) {
  CLI::App app("nfbus: netfilter packet logs, decoded once, for any number of plugins");
  app.require_subcommand(1);
  app.set_version_flag("--version",
                       fmt::format("nfbus {}, plugin ABI {}.{}", NFBUS_VERSION, NFBUS_ABI_MAJOR, NFBUS_ABI_MINOR));

  int status = exit_status::kUsage;
  std::string config_file = defaults::kConfigFile;
  const auto add = [&](const char* name, const char* summary) { return app.add_subcommand(name, summary); };
  const auto add_config = [&](CLI::App* command) {
    return command->add_option("-c,--config", config_file, "the configuration")->capture_default_str();
  };

  const auto add_socket = [](CLI::App* command, std::string& socket) {
    socket = defaults::kBusSocket;
    command->add_option("-s,--socket", socket, "the bus socket of the running host")->capture_default_str();
  };

  RunOptions run_options;
  CLI::App* run = add("run", "capture, decode, deliver; in the foreground");
  const CLI::Option* run_config = add_config(run);
  CLI::Option* replay = run->add_option("--replay", run_options.replay_files,
                                        "read these capture files instead of the kernel's groups; -: standard input; "
                                        "without -c, show their packets")
                            ->type_name("FILE");
  run->add_option("--prefix", run_options.replay_prefix, "log prefix of packets to replay that have none of their own")
      ->needs(replay)
      ->check(fault_of_log_prefix);
  run->add_flag("-v,--verbose", run_options.verbose, "log debug lines, too");
  run->callback([&] {
    run_options.config_file = config_file;
    run_options.config_given = run_config->count() != 0;
    const bool shows = !run_options.replay_files.empty() && !run_options.config_given;
    status = shows ? show_replay_command(run_options) : run_command(run_options);
  });

  CLI::App* check = add("check", "look for mistakes in the configuration; starts nothing");
  add_config(check);
  bool strict = false;
  check->add_flag("--strict", strict, "exit status 78 for warnings, too");
  check->callback([&] { status = check_command(config_file, strict); });

  PluginsOptions plugins_options;
  CLI::App* plugins = add("plugins", "list the plugins found, or the options of one");
  const CLI::Option* plugins_config = add_config(plugins);
  plugins->add_option("NAME", plugins_options.name, "show this plugin's options");
  plugins->callback([&] {
    plugins_options.config_file = config_file;
    plugins_options.config_given = plugins_config->count() != 0;
    status = plugins_command(plugins_options);
  });

  DoctorOptions doctor_options;
  CLI::App* doctor = add("doctor", "what the configured plugins find wrong around them, and the fix");
  add_config(doctor);
  doctor->add_flag("--json", doctor_options.json, "as one line of JSON");
  doctor->callback([&] {
    doctor_options.config_file = config_file;
    status = doctor_command(doctor_options);
  });

  NewPluginOptions new_options;
  CLI::App* new_plugin = add("new-plugin", "the sources of a plugin to start from");
  new_plugin->add_option("NAME", new_options.name, "the plugin's name: [a-z0-9_-]+")->required();
  new_plugin->add_option("DIR", new_options.folder, "where to put it; without it, ./NAME");
  new_plugin->add_option("--kind", new_options.kind, "sink, filter or source")->capture_default_str();
  new_plugin->callback([&] { status = new_plugin_command(new_options); });

  DemoOptions demo_options;
  CLI::App* demo = add("demo", "real rules and packets in throw-away namespaces");
  demo->add_flag("--json", demo_options.json, "the events' JSON, one a line");
  demo->add_option("-n,--count", demo_options.count, "end after so many packets")->check(CLI::PositiveNumber);
  demo->add_option("--seconds", demo_options.seconds, "end after so long")->check(CLI::PositiveNumber);
  demo->callback([&] { status = demo_command(demo_options); });

  PublishOptions publish_options;
  CLI::App* publish = add("publish", "publish a message on the bus of a running host");
  publish->add_option("TOPIC", publish_options.topic)->required();
  publish->add_option("JSON", publish_options.json, "the message; any JSON text")->required();
  add_socket(publish, publish_options.socket);
  publish->callback([&] { status = publish_command(publish_options); });

  TapOptions tap_options;
  CLI::App* tap = add("tap", "live events of a running host");
  tap->add_option("TOPIC", tap_options.topics, "topics that begin so; without one, every packet topic");
  CLI::Option* json = tap->add_flag("--json", tap_options.json, "the events' JSON, one a line");
  tap->add_option("--pcap", tap_options.pcap_file, "a pcap stream (DLT_NFLOG) on standard output")
      ->type_name("-")
      ->check(CLI::IsMember({"-"}))
      ->excludes(json);
  tap->add_option("--match", tap_options.match, "only events for which this holds: 'dst=10.0.0.0/8 !proto=udp'");
  tap->add_option("-n,--count", tap_options.count, "end after so many events")->check(CLI::PositiveNumber);
  add_socket(tap, tap_options.socket);
  tap->callback([&] { status = tap_command(tap_options); });

  SpillOptions spill_options;
  CLI::App* spill = add("spill", "what waits on disk for a sink; of a running host, too");
  spill->require_subcommand(1);
  const auto add_spill = [&](const char* name, const char* summary, SpillOptions::What what) {
    CLI::App* command = spill->add_subcommand(name, summary);
    command->add_option("DIR", spill_options.folder, "the sink's spill dir")->required();
    command->callback([&, what] {
      spill_options.what = what;
      status = spill_command(spill_options);
    });
    return command;
  };
  add_spill("status", "whose it is, how much waits, and since when", SpillOptions::What::status)
      ->add_flag("--json", spill_options.json, "as one line of JSON");
  add_spill("check", "read all of it, and name what is damaged; exit status 1 then", SpillOptions::What::check);
  add_spill("export", "the JSON of all events that wait and can be read, one a line", SpillOptions::What::show);

  std::string reload_socket;
  CLI::App* reload = add("reload", "have a running host read its configuration anew, and tell the outcome");
  add_socket(reload, reload_socket);
  reload->callback([&] { status = reload_command(reload_socket); });

  StatusOptions status_options;
  CLI::App* show_status = add("status", "the counters of a running host");
  show_status->add_flag("--json", status_options.json, "as one line of JSON");
  add_socket(show_status, status_options.socket);
  show_status->callback([&] { status = status_command(status_options); });

  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  CommandWords line = split_words(std::span(argv, static_cast<std::size_t>(argc)).subspan(argc > 0 ? 1 : 0));
  const bool has_word = !line.words.empty() && !line.words.front().starts_with('-');
  if (has_word && std::find(names.begin(), names.end(), line.words.front()) == names.end()) {
    return run_of_plugin(std::move(line), names);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::ostringstream said;
    const bool done = app.exit(error, std::cout, said) == 0;
    say_of_usage(said.str());
    return done ? exit_status::kDone : exit_status::kUsage;
  }
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
  log::set_journal_stream(std::getenv("JOURNAL_STREAM"));
  say_where_plugins_end_the_process();
  hide_environment(std::span(argv, static_cast<std::size_t>(argc)));
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    log::error(error.what());
    return exit_status::kFailed;
  }
}
