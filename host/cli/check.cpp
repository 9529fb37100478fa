#include "cli/checked_config.hpp"
#include "cli/commands.hpp"
#include "running/later.hpp"
#include "running/pieces.hpp"
#include "running/spill_folders.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"

#include <fmt/core.h>

#include <cstdio>
#include <utility>
#include <vector>

namespace nfbus::host {

int check_command(const std::string& config_file, bool strict) {
  log::set_level(log::Level::warning);
  // Judged by the rights that `run` has by then.
  const auto found = find_plugins(config_file, Parts::none);
  if (!found) {
    log::error(to_string(found.error()));
    return exit_status::kFailed;
  }
  const LoadedConfig loaded = check_config(*found);
  std::vector<Error> warnings = loaded.warnings;
  if (loaded.errors.empty()) {
    for (Error& later : later_trouble(found->file, found->early, loaded.used_paths, false)) {
      warnings.push_back(std::move(later));
    }
    for (Error& missing : missing_parts(loaded.config, found->plugins)) warnings.push_back(std::move(missing));
    for (Error& trouble : spill_troubles(loaded.config.sinks)) warnings.push_back(std::move(trouble));
    for (const std::string& spill : abandoned_spills(loaded.config.sinks)) {
      warnings.push_back({.code = Code::invalid, .text = spill, .where = Location{config_file}});
    }
  }
  const Config& config = loaded.config;
  for (Error& warning : warnings) {
    warning.text = "warning: " + warning.text;
    fmt::print("{}\n", printable(to_string(warning)));
  }
  for (const Error& mistake : loaded.errors) fmt::print("{}\n", printable(to_string(mistake)));
  if (!loaded.errors.empty() || (strict && !warnings.empty())) return exit_status::kConfig;
  fmt::print("{}: ok ({} captures, {} filters, {} sinks)\n", printable(config_file), config.captures.size(),
             config.filters.size(), config.sinks.size());
  return exit_status::kDone;
}

}  // namespace nfbus::host
