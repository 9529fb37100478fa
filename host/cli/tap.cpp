// `nfbus tap`: live events of a running host, as lines, JSON or a pcap stream.
#include "cli/commands.hpp"
#include "cli/tap/output.hpp"
#include "cli/wire_connection.hpp"
#include "event/topic.hpp"
#include "match/match.hpp"
#include "support/log.hpp"
#include "support/signals.hpp"

#include <nlohmann/json.hpp>

#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <limits>
#include <optional>
#include <utility>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

int fail(const Error& error) {
  log::error(error.text);
  return exit_status::kFailed;
}

// What packets' topics begin with at the host.
Result<std::string> ask_topic_root(const std::string& socket) {
  const auto status = ask_status(socket);
  if (!status) return status.error();
  const Json object = Json::parse(*status);
  const auto root = object.find("topic_root");
  if (root != object.end() && root->is_string()) return root->get<std::string>();
  return Error{.code = Code::unsupported, .text = socket + ": the host there does not say its topic_root"};
}

// Says of topics that no packet can have why.
void warn_of(const std::string& topic, const std::string& root) {
  if (!topic.starts_with(root)) return;
  const std::string possible = make_topic(root, std::string_view(topic).substr(root.size()));
  if (possible == topic) return;
  log::warning(
      fmt::format("\"{}\" fits no packet's topic: what follows \"{}\" is the rule's prefix in lower case, "
                  "without blanks around it; did you mean \"{}\"?",
                  topic, root, possible));
}

// The subscriptions that the options ask for, as lines.
Result<std::string> subscriptions(const TapOptions& options, const TapOutput& output, const std::string& topic_root) {
  std::vector<std::string> topics = options.topics;
  for (const std::string& topic : topics) warn_of(topic, topic_root);
  if (topics.empty()) topics.push_back(topic_root);
  Json extensions = {{"format", output.format()}, {"marker", true}, {"answer", true}};
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
  std::uint64_t odd = 0;
  bool answered = false;
  std::string refusal;  // why nothing more is shown: the host's, or ours of what it sends; empty: none
};

// Shows every event that was received; false: there were enough, nobody reads any more, or the host refuses.
bool show_received(WireConnection& connection, ReceivedEvent& received, TapOutput& output, std::uint64_t wanted,
                   Seen& seen) {
  while (const auto line = connection.received_line()) {
    switch (received.read(*line)) {
      case ReceivedEvent::Kind::packet:
      case ReceivedEvent::Kind::message:
        if (output.show(received)) ++seen.shown;
        break;
      case ReceivedEvent::Kind::missed: seen.missed += received.missed(); break;
      case ReceivedEvent::Kind::answer:
        seen.answered = true;
        seen.refusal = received.refusal();
        break;
      case ReceivedEvent::Kind::unknown: seen.refusal = received.refusal(); break;
      case ReceivedEvent::Kind::odd: ++seen.odd; break;
    }
    if (seen.shown == wanted || !seen.refusal.empty()) break;
  }
  return output.flush() && seen.shown != wanted && seen.refusal.empty();
}

// The host has closed the connection: to one whose subscription it never answered, though it answers, not by its end.
Result<void> end_of(const std::string& socket, const Seen& seen) {
  if (!seen.answered && answers_lines(socket) == true) {
    return Error{.code = Code::io,
                 .text = "the host closed the connection without an answer; too many clients may be connected"};
  }
  if (seen.refusal.empty()) log::info("the host has ended");
  return {};
}

Result<void> watch(WireConnection& connection, ReceivedEvent& received, TapOutput& output, const Signals& signals,
                   const TapOptions& options, Seen& seen) {
  const std::uint64_t wanted = options.count.value_or(std::numeric_limits<std::uint64_t>::max());
  for (;;) {
    if (!show_received(connection, received, output, wanted, seen)) return {};
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
    show_received(connection, received, output, wanted, seen);
    return end_of(options.socket, seen);
  }
}

}  // namespace

int tap_command(const TapOptions& options) {
  auto signals = Signals::block();
  if (!signals) return fail(signals.error());
  const auto output = make_tap_output(options);
  const auto topic_root = ask_topic_root(options.socket);
  if (!topic_root) return fail(topic_root.error());
  const auto lines = subscriptions(options, *output, *topic_root);
  if (!lines) {
    log::error(lines.error().text);
    return lines.error().code == Code::invalid ? exit_status::kUsage : exit_status::kFailed;
  }
  auto connection = WireConnection::open(options.socket);
  if (!connection) return fail(connection.error());
  if (auto sent = connection->send(*lines); !sent) return fail(sent.error());

  Seen seen;
  ReceivedEvent received(output->format() == "record" ? std::optional(*topic_root) : std::nullopt);
  const auto watched = watch(*connection, received, *output, *signals, options, seen);
  const std::string odd = seen.odd == 0 ? "" : fmt::format(", {} lines skipped that are no events", seen.odd);
  log::info(fmt::format("{} events shown, {} missed{}", seen.shown, seen.missed, odd));
  if (!watched) return fail(watched.error());
  return seen.refusal.empty() ? exit_status::kDone : fail({.code = Code::refused, .text = seen.refusal});
}

}  // namespace nfbus::host
