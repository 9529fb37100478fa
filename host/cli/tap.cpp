// `nfbus tap`: live events of a running host, as lines, JSON or a pcap stream.
#include "cli/commands.hpp"
#include "cli/tap/output.hpp"
#include "cli/wire_connection.hpp"
#include "event/topic.hpp"
#include "event/topic_pattern.hpp"
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

// Says of topics that look like those of packets why they are none.
void warn_of(const TopicPattern& topic, const std::string& root) {
  if (topic.may_fit_packet(root) || !sounds_like_rule(topic.text())) return;
  log::warning(
      fmt::format(R"("{0}": only messages have such topics; those of packets begin with "{1}": write "{1}{2}")",
                  topic.text(), root, trim_prefix(topic.text())));
}

// What the wire knows of a topic: topics that begin so, byte for byte. Where that are more than are meant, the match
// chooses.
struct WireTopic {
  std::string prefix;
  std::string pattern;  // of the match; empty: there is no need for one
};

WireTopic on_the_wire(const TopicPattern& topic, const std::string& root) {
  const std::string folded_root = fold_topic(root, {});
  const std::string& folded = topic.of_packets();
  const bool is_packets = folded.starts_with(folded_root);
  const std::string text = is_packets ? root + folded.substr(folded_root.size()) : topic.text();
  const std::size_t star = text.find('*', is_packets ? root.size() : 0);
  if (star == std::string::npos) return {.prefix = text, .pattern = {}};
  WireTopic wire{.prefix = text.substr(0, star), .pattern = std::string(trim_prefix(text))};
  // The star may stand for a part of the root, which the wire has in its own case.
  if (!is_packets && topic.may_fit_packet(root) && !root.starts_with(wire.prefix)) wire.prefix.clear();
  return wire;
}

Result<Json> match_of(const TapOptions& options, const std::string& topic_root) {
  if (!options.match) return Json::object();
  const KnownFields known{.names = {}, .any = true, .topic_root = topic_root};
  auto table = match_table_of_text(*options.match, known);
  if (!table) return Error{.code = Code::invalid, .text = "--match: " + table.error().text};
  for (const MatchFault& doubt : compile_match(*table, known).doubts) log::warning("--match: " + to_string(doubt));
  return Json(std::move(table).value());
}

// The subscriptions that the options ask for, as lines.
Result<std::string> subscriptions(const TapOptions& options, const TapOutput& output, const std::string& topic_root) {
  const auto match = match_of(options, topic_root);
  if (!match) return match.error();
  std::vector<std::string> topics = options.topics;
  if (topics.empty()) topics.push_back(topic_root);
  std::string lines;
  for (const std::string& text : topics) {
    const TopicPattern topic(text, topic_root, Extent::beginning);
    warn_of(topic, topic_root);
    const WireTopic wire = on_the_wire(topic, topic_root);
    Json table = *match;
    if (!wire.pattern.empty()) {
      if (table.contains("topic")) {
        return Error{.code = Code::invalid,
                     .text = fmt::format("\"{}\" has a * in it, and --match names topics, too: name them in one of the "
                                         "two",
                                         text)};
      }
      table["topic"] = wire.pattern + '*';
    }
    Json line = {{"topic", "subscribe:" + wire.prefix},
                 {"value", ""},
                 {"format", output.format()},
                 {"marker", true},
                 {"answer", true}};
    if (!table.empty()) line["match"] = std::move(table);
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
