// `nfbus publish`: one message for the bus of a running host.
#include "bus/server/wire_line.hpp"
#include "cli/commands.hpp"
#include "cli/tap/received_event.hpp"
#include "cli/wire_connection.hpp"
#include "event/topic.hpp"
#include "support/log.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <utility>

namespace nfbus::host {

namespace {

Result<void> check(const PublishOptions& options, const std::string& line) {
  const auto invalid = [](std::string what) { return Error{.code = Code::invalid, .text = std::move(what)}; };
  for (const std::string_view taken : {kOwnTopics, std::string_view("subscribe:")}) {
    if (options.topic.starts_with(taken)) {
      return invalid(fmt::format("topics that begin with \"{}\" are the host's own", taken));
    }
  }
  try {
    [[maybe_unused]] const auto parsed = nlohmann::json::parse(options.json);
  } catch (const nlohmann::json::parse_error& error) {
    return invalid(fmt::format("not JSON: {}", error.what()));
  }
  if (line.size() - 1 > kMostReceivedBytes) {
    return invalid(fmt::format("too long: a message has at most {} bytes with its topic", kMostReceivedBytes));
  }
  return {};
}

// A connection that ended without a word of the line: a host that is too old to say anything has taken it.
Result<void> outcome_of_silence(const std::string& socket) {
  if (answers_lines(socket) == false) return {};
  return Error{.code = Code::io,
               .text =
                   "the host closed the connection and did not say what became of the message; it has ended, or too "
                   "many clients are connected"};
}

// Waits for what the host says of the line. A host that has read it all and stays silent is too old to say anything:
// then it is taken for done.
Result<void> outcome(WireConnection& connection, const std::string& socket) {
  constexpr std::chrono::seconds kRound{1};
  constexpr int kMostRounds = 5;
  ReceivedEvent received(std::nullopt);
  bool was_read = false;
  for (int round = 0; round < kMostRounds;) {
    const auto line = connection.line(kRound);
    const bool was_reset = !line && line.error().code != Code::busy;  // there was something it had not read
    if (was_reset || (line && !*line)) return outcome_of_silence(socket);
    if (line) {
      if (received.read(**line) != ReceivedEvent::Kind::answer) return {};
      if (received.refusal().empty()) return {};
      return Error{.code = Code::refused, .text = received.refusal()};
    }
    if (was_read) return {};
    was_read = connection.all_was_read();
    ++round;
  }
  return Error{.code = Code::io, .text = "the host does not read what was sent to it"};
}

Result<void> publish(const std::string& socket, const std::string& line) {
  auto connection = WireConnection::open(socket);
  if (!connection) return connection.error();
  if (auto sent = connection->send(line); !sent) return sent.error();
  connection->end_sending();
  return outcome(*connection, socket);
}

}  // namespace

int publish_command(const PublishOptions& options) {
  std::string line = wire_line(options.topic, options.json);
  ask_for_answer(line);
  if (const auto checked = check(options, line); !checked) {
    log::error(checked.error().text);
    return exit_status::kUsage;
  }
  const Result<void> sent = publish(options.socket, line);
  if (sent) return exit_status::kDone;
  log::error(sent.error().text);
  return exit_status::kFailed;
}

}  // namespace nfbus::host
