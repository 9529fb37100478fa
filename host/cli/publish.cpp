// `nfbus publish`: one message for the bus of a running host.
#include "bus/server/wire_line.hpp"
#include "cli/commands.hpp"
#include "cli/wire_connection.hpp"
#include "support/log.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

// What is wrong with the arguments; empty: nothing.
std::string mistake_in(const PublishOptions& options, const std::string& line) {
  // The host answers nobody, so what it would refuse must be said here.
  for (const std::string_view taken : {"nfbus:", "subscribe:"}) {
    if (options.topic.starts_with(taken)) return fmt::format("topics that begin with \"{}\" are the host's own", taken);
  }
  try {
    [[maybe_unused]] const auto parsed = nlohmann::json::parse(options.json);
  } catch (const nlohmann::json::parse_error& error) {
    return fmt::format("not JSON: {}", error.what());
  }
  if (line.size() - 1 > kMostReceivedBytes) {
    return fmt::format("too long: a message has at most {} bytes with its topic", kMostReceivedBytes);
  }
  return {};
}

}  // namespace

int publish_command(const PublishOptions& options) {
  const std::string line = wire_line(options.topic, options.json);
  if (const std::string mistake = mistake_in(options, line); !mistake.empty()) {
    log::error(mistake);
    return exit_status::kUsage;
  }
  auto connection = WireConnection::open(options.socket);
  const Result<void> sent = connection ? connection->send(line) : Result<void>(connection.error());
  if (sent) return exit_status::kDone;
  log::error(sent.error().text);
  return exit_status::kFailed;
}

}  // namespace nfbus::host
