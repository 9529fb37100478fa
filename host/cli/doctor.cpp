// `nfbus doctor`: what the configured plugins find wrong around them, and what a running host does not hear.
#include "cli/checked_config.hpp"
#include "cli/commands.hpp"
#include "cli/quiet_groups.hpp"
#include "cli/wire_connection.hpp"
#include "running/diagnosis.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"

#include <nlohmann/json.hpp>

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

namespace {

std::string_view name_of(log::Level level) noexcept {
  switch (level) {
    case log::Level::error: return "error";
    case log::Level::warning: return "warning";
    default: return "info";
  }
}

void print_lines(const std::vector<InstanceFinding>& findings) {
  for (const auto& [instance, finding] : findings) {
    fmt::print("{}: {}: {}{}{}\n", printable(instance), name_of(finding.level), printable(finding.text),
               finding.fix.empty() ? "" : "; ", printable(finding.fix));
  }
}

void print_json(const std::vector<InstanceFinding>& findings) {
  auto array = nlohmann::ordered_json::array();
  for (const auto& [instance, finding] : findings) {
    array.push_back({{"instance", instance},
                     {"level", name_of(finding.level)},
                     {"text", printable(finding.text)},
                     {"fix", printable(finding.fix)}});
  }
  const nlohmann::ordered_json object = {{"findings", array}};
  fmt::print("{}\n", object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

// As `check` says them; but where JSON is wanted, standard output has nothing else.
int say_mistakes(const std::vector<Error>& mistakes, bool json) {
  for (const Error& mistake : mistakes) {
    if (json) {
      log::error(to_string(mistake));
    } else {
      fmt::print("{}\n", printable(to_string(mistake)));
    }
  }
  return exit_status::kConfig;
}

}  // namespace

int doctor_command(const DoctorOptions& options) {
  log::set_level(log::Level::warning);
  auto found = find_plugins(options.config_file, Parts::started);
  if (!found) {
    log::error(to_string(found.error()));
    return exit_status::kFailed;
  }
  const LoadedConfig loaded = check_config(*found);
  if (!loaded.errors.empty()) return say_mistakes(loaded.errors, options.json);
  std::vector<InstanceFinding> findings = diagnose_all(loaded.config, found->plugins, found->parts);
  // Where no host answers, none runs, or it has no socket.
  if (const auto status = ask_status(loaded.config.bus.socket)) {
    std::ranges::move(find_quiet_groups(*status), std::back_inserter(findings));
  }
  if (options.json) {
    print_json(findings);
  } else {
    print_lines(findings);
  }
  const bool is_something_wrong =
      std::ranges::any_of(findings, [](const auto& of) { return of.finding.level != log::Level::info; });
  return is_something_wrong ? exit_status::kFailed : exit_status::kDone;
}

}  // namespace nfbus::host
