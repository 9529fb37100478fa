// The commands of the program: one file each beside this header. main.cpp parses the command line and calls them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace nfbus::host {

// Exit statuses: design section 3.
namespace exit_status {
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kUsage = 2;
inline constexpr int kConfig = 78;  // EX_CONFIG of sysexits.h: the configuration is wrong, nothing was started
}  // namespace exit_status

struct RunOptions {
  std::string config_file;
  bool config_given = false;
  std::vector<std::string> replay_files;     // empty: the kernel's groups
  std::optional<std::string> replay_prefix;  // only with replay_files
  bool verbose = false;                      // debug lines of host and plugins, too
};

struct PluginsOptions {
  std::string config_file;
  bool config_given = false;        // else a missing default file is no error
  std::optional<std::string> name;  // show this plugin's options
};

// A command line whose first word is none of the host's own commands.
struct CommandWords {
  std::vector<std::string> config_files;  // of -c FILE, --config FILE and --config=FILE, which are the host's
  bool lacks_value = false;               // the last word is -c or --config
  std::vector<std::string> words;         // all else, in its order
};

struct PluginCommandOptions {
  std::string config_file;
  bool config_given = false;              // else a missing default file means: no instances
  std::vector<std::string> words;         // the command's name, and its arguments
  std::vector<std::string> own_commands;  // the host's, for suggestions
};

struct DoctorOptions {
  std::string config_file;
  bool json = false;
};

struct NewPluginOptions {
  std::string name;
  std::string kind = "sink";
  std::optional<std::string> folder;  // else ./NAME
};

struct DemoOptions {
  bool json = false;
  std::optional<std::uint64_t> count;    // end after so many packets
  std::optional<std::uint64_t> seconds;  // end after so long
};

struct PublishOptions {
  std::string socket;
  std::string topic;
  std::string json;
};

struct StatusOptions {
  std::string socket;
  bool json = false;
};

struct SpillOptions {
  enum class What : std::uint8_t { status = 1, check, show };
  What what = What::status;
  std::string folder;
  bool json = false;  // of status
};

struct TapOptions {
  std::string socket;
  std::vector<std::string> topics;  // empty: every packet topic
  bool json = false;
  std::optional<std::string> pcap_file;  // only "-", standard output
  std::optional<std::string> match;
  std::optional<std::uint64_t> count;  // end after so many events
};

// Each returns the exit status. Data and findings go to standard output, diagnostics to standard error.
int run_command(const RunOptions& options);
// Of replay_files, as lines; no configuration is read.
int show_replay_command(const RunOptions& options);
// strict: warnings are mistakes, too.
int check_command(const std::string& config_file, bool strict);
int plugins_command(const PluginsOptions& options);
int plugin_command(const PluginCommandOptions& options);
int doctor_command(const DoctorOptions& options);
int new_plugin_command(const NewPluginOptions& options);
int demo_command(const DemoOptions& options);
int publish_command(const PublishOptions& options);
int status_command(const StatusOptions& options);
// socket: the running host's.
int reload_command(const std::string& socket);
int tap_command(const TapOptions& options);
// Reads alone, also of a running host's.
int spill_command(const SpillOptions& options);

// What is wrong with a log prefix that was given; empty: nothing.
[[nodiscard]] std::string fault_of_log_prefix(const std::string& prefix);

// arguments: main's, without the program's name. After "--" all are words.
[[nodiscard]] CommandWords split_words(std::span<char* const> arguments);

}  // namespace nfbus::host
