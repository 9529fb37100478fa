// The commands of the program: one file each beside this header. main.cpp parses the command line and calls them.
#pragma once

#include <cstdint>
#include <optional>
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
  std::optional<std::string> replay_file;
  bool verbose = false;  // debug lines of host and plugins, too
};

struct PluginsOptions {
  std::string config_file;
  bool config_given = false;        // else a missing default file is no error
  std::optional<std::string> name;  // show this plugin's options
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
int check_command(const std::string& config_file);
int plugins_command(const PluginsOptions& options);
int demo_command(const DemoOptions& options);
int publish_command(const PublishOptions& options);
int status_command(const StatusOptions& options);
int tap_command(const TapOptions& options);

}  // namespace nfbus::host
