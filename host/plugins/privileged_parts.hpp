// The privileged parts of plugins: which are configured, which can be trusted, and the processes that they run in.
#pragma once

#include "privileged/part_process.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// An instance, as far as it is known before any plugin is loaded.
struct NamedInstance {
  std::string name;    // "sink.rules"
  std::string plugin;  // as the configuration has it
};

// All parts of a host. Outlives the instances.
class PrivilegedParts {
 public:
  PrivilegedParts() = default;  // none

  // [control] Before any thread exists and before root's rights are given up. Starts a process for each instance whose
  // plugin has a file NAME.privileged.so in one of the folders, under the rule of open_trusted_file(). It becomes the
  // user, and runs no code of the plugin before open(). Of what cannot be started, open() and request() tell why.
  // forbidden: why none may be started at all; empty: they may.
  static PrivilegedParts start(const std::vector<NamedInstance>& instances,
                               const std::vector<std::filesystem::path>& folders, uid_t uid, gid_t gid,
                               std::string_view forbidden);

  // [control] Gives the instance's part its options, for good. A part that does not run is a warning in the log: its
  // plugin finds out. Errors: the part refuses the options, or goes by others already.
  Result<void> open(const std::string& instance, const nfbus_plugin& plugin, std::string_view options_json);
  // [any] As PartProcess::request(); Code::refused, too, where no part runs.
  Result<std::string> request(std::string_view instance, std::string_view request, std::chrono::milliseconds timeout);

  // [control] Logs of each part that has ended, once. Call it about once a second.
  void check();

 private:
  struct Part {
    std::string instance;
    Result<PartProcess> process;
    std::optional<std::string> options = {};  // that it was opened with
  };

  [[nodiscard]] Part* find(std::string_view instance) noexcept;

  std::vector<std::unique_ptr<Part>> parts_;  // does not change after start()
};

// [control] The first NAME.privileged.so of the folders that can be trusted. Errors: there is none (not_found), or why
// the one that is there cannot be.
[[nodiscard]] Result<std::filesystem::path> find_privileged_part(std::string_view plugin,
                                                                 const std::vector<std::filesystem::path>& folders);

// Whether a file's name is that of a privileged part, which is no plugin.
[[nodiscard]] bool is_privileged_part(const std::filesystem::path& file);

}  // namespace nfbus::host
