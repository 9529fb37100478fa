// Finding, trusting and loading plugins. The only code that knows of .so files.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// A plugin that passed every check. Its code stays mapped until the process ends.
struct Plugin {
  const nfbus_plugin* entry;
  std::filesystem::path file;
  const nfbus_library* library;  // that it came in; null of a test's own
};

// A file in a plugin folder that was not accepted, and why.
struct RefusedPlugin {
  std::filesystem::path file;
  Error error;
};

// All plugins of some folders. Thread safety: const members from any thread.
class PluginRegistry {
 public:
  // [control] Looks at each *.so of each folder, in order; loads those that can be trusted. A folder that does not
  // exist or cannot be trusted is an entry of refused(), as is a library with a plugin whose name is taken. A folder
  // that is named twice is looked at once. A later scan may run while plugins of an earlier one are in use.
  static PluginRegistry scan(const std::vector<std::filesystem::path>& folders);
  // A registry of what the caller already has. Entries live as long as the process.
  static PluginRegistry of(std::vector<Plugin> plugins, std::vector<RefusedPlugin> refused = {},
                           std::vector<std::filesystem::path> folders = {});

  [[nodiscard]] const Plugin* find(std::string_view name) const noexcept;
  [[nodiscard]] const std::vector<Plugin>& plugins() const noexcept { return plugins_; }
  [[nodiscard]] const std::vector<RefusedPlugin>& refused() const noexcept { return refused_; }
  // Every folder that scan() was given, in its order.
  [[nodiscard]] const std::vector<std::filesystem::path>& folders() const noexcept { return folders_; }

 private:
  void add(const std::filesystem::path& file, Result<const nfbus_library*> library);

  std::vector<Plugin> plugins_;
  std::vector<RefusedPlugin> refused_;
  std::vector<std::filesystem::path> folders_;
};

inline PluginRegistry PluginRegistry::of(std::vector<Plugin> plugins, std::vector<RefusedPlugin> refused,
                                         std::vector<std::filesystem::path> folders) {
  PluginRegistry registry;
  registry.plugins_ = std::move(plugins);
  registry.refused_ = std::move(refused);
  registry.folders_ = std::move(folders);
  return registry;
}

// [any] Where the running program's own plugins are: <prefix>/lib/nfbus/plugins for <prefix>/bin/nfbus, or the build
// tree's plugin folder when the program runs from there; and those of lib64 and lib/x86_64-linux-gnu, or what that is
// called on this machine, if they exist. At least one.
[[nodiscard]] std::vector<std::filesystem::path> builtin_plugin_folders();
// The same of another prefix.
[[nodiscard]] std::vector<std::filesystem::path> builtin_plugin_folders(const std::filesystem::path& prefix);

}  // namespace nfbus::host
