// `nfbus tap`: live events of a running host, as lines, JSON or a pcap stream.
#include "cli/commands.hpp"
#include "cli/tap/output.hpp"
#include "cli/wire_connection.hpp"
#include "match/match.hpp"
#include "support/log.hpp"
#include "support/signals.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <limits>
#include <utility>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

int fail(const Error& error) {
  log::error(error.text);
  return exit_status::kFailed;
}

// The subscriptions that the options ask for, as lines.
Result<std::string> subscriptions(const TapOptions& options, const TapOutput& output) {
  std::vector<std::string> topics = options.topics;
  const auto answer = ask_status(options.socket);
  if (!answer) return answer.error();
  if (topics.empty()) topics.push_back(Json::parse(*answer).at("topic_root").get<std::string>());
  Json extensions = {{"format", output.format()}, {"marker", true}};
  if (options.match) {
    auto table = match_table_of_text(*options.match, {.names = {}, .any = true});
    if (!table) return Error{.code = Code::invalid, .text = "--match: " + table.error().text};
    extensions["match"] = std::move(table).value();
  }
  std::string lines;
  for (const std::string& topic : topics) {
    Json line = {{"topic", "subscribe:" + topic}, {"value", ""}};
    line.update(extensions);
    lines += line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  }
  return lines;
}

// What came of it.
struct Seen {
  std::uint64_t shown = 0;
  std::uint64_t missed = 0;
};

// Shows every event that was received; false: there were enough, or nobody reads any more.
bool show_received(WireConnection& connection, TapOutput& output, std::uint64_t wanted, Seen& seen) {
  while (const auto line = connection.received_line()) {
    const Json event = Json::parse(line->begin(), line->end(), nullptr, false);
    if (!event.is_object()) continue;
    if (event.value("topic", "") == "nfbus:dropped") {
      const Json marker = Json::parse(event.value("value", ""), nullptr, false);
      if (marker.is_object()) seen.missed += marker.value("missed", std::uint64_t{0});
      continue;
    }
    if (output.show(event)) ++seen.shown;
    if (seen.shown == wanted) break;
  }
  return output.flush() && seen.shown != wanted;
}

Result<void> watch(WireConnection& connection, TapOutput& output, const Signals& signals, std::uint64_t wanted,
                   Seen& seen) {
  for (;;) {
    if (!show_received(connection, output, wanted, seen)) return {};
    std::array<pollfd, 2> waiting{pollfd{.fd = connection.descriptor(), .events = POLLIN, .revents = 0},
                                  pollfd{.fd = signals.descriptor(), .events = POLLIN, .revents = 0}};
    if (::poll(waiting.data(), waiting.size(), -1) < 0) {
      if (errno == EINTR) continue;
      return Error{.code = Code::io, .text = "cannot wait for events"};
    }
    if (waiting[1].revents != 0) return {};
    const auto open = connection.receive();
    if (!open) return open.error();
    if (*open) continue;
    show_received(connection, output, wanted, seen);
    log::info("the host has ended");
    return {};
  }
}

}  // namespace

int tap_command(const TapOptions& options) {
  auto signals = Signals::block();
  if (!signals) return fail(signals.error());
  const auto output = make_tap_output(options);
  const auto lines = subscriptions(options, *output);
  if (!lines) {
    log::error(lines.error().text);
    return lines.error().code == Code::invalid ? exit_status::kUsage : exit_status::kFailed;
  }
  auto connection = WireConnection::open(options.socket);
  if (!connection) return fail(connection.error());
  if (auto sent = connection->send(*lines); !sent) return fail(sent.error());

  Seen seen;
  const auto watched =
      watch(*connection, *output, *signals, options.count.value_or(std::numeric_limits<std::uint64_t>::max()), seen);
  log::info(fmt::format("{} events shown, {} missed", seen.shown, seen.missed));
  return watched ? exit_status::kDone : fail(watched.error());
}

}  // namespace nfbus::host
