// `nfbus status`: the counters of a running host.
#include "cli/commands.hpp"
#include "cli/wire_connection.hpp"
#include "report/status_table.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace nfbus::host {

int status_command(const StatusOptions& options) {
  const auto answer = ask_status(options.socket);
  if (!answer) {
    log::error(answer.error().text);
    return exit_status::kFailed;
  }
  if (options.json) {
    fmt::print("{}\n", *answer);
  } else {
    const auto table = status_table(*answer);
    if (!table) {
      log::error(fmt::format("{}: {}; --json shows it as it is", options.socket, table.error().text));
      return exit_status::kFailed;
    }
    fmt::print("{}", *table);
  }
  return std::fflush(stdout) == 0 ? exit_status::kDone : exit_status::kFailed;
}

}  // namespace nfbus::host
