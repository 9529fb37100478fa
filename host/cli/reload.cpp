// `nfbus reload`: has a running host read its configuration anew.
#include "cli/commands.hpp"
#include "cli/wire_connection.hpp"
#include "event/topic.hpp"
#include "support/log.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <chrono>
#include <string>

namespace nfbus::host {

namespace {

using Json = nlohmann::json;

// The outcome as the host says it: {"ok","error","findings"}. Waits without an end, since sinks that are replaced
// deliver first what waits for them; not for a host that has ended.
Result<Json> ask_for_reload(const std::string& socket) {
  constexpr std::chrono::hours kLong{1};
  auto connection = WireConnection::open(socket);
  if (!connection) return connection.error();
  std::string request = wire_line(kReloadTopic, "");
  ask_for_answer(request);
  if (auto sent = connection->send(request); !sent) return sent.error();
  const auto line = connection->line(kLong);
  if (!line) return line.error();
  if (!*line) return Error{.code = Code::io, .text = "the host has ended, and did not say what became of the reload"};
  const Json message = util::is_nested_deeper(**line) ? Json() : Json::parse(**line, nullptr, false);
  Json answer;
  if (message.is_object() && message.contains("value") && message["value"].is_string()) {
    answer = Json::parse(message["value"].get<std::string>(), nullptr, false);
  }
  if (answer.is_object() && answer.contains("ok") && answer["ok"].is_boolean()) return answer;
  return Error{.code = Code::invalid, .text = "the host answers what this nfbus does not know"};
}

}  // namespace

int reload_command(const std::string& socket) {
  const auto answer = ask_for_reload(socket);
  if (!answer) {
    log::error(answer.error().text);
    return exit_status::kFailed;
  }
  const bool done = answer->at("ok").get<bool>();
  const Json findings = answer->value("findings", Json::array());
  for (const Json& finding : findings) {
    if (!finding.is_string()) continue;
    log::write(done ? log::Level::warning : log::Level::error, finding.get<std::string>());
  }
  if (done) {
    log::info("reloaded");
    return exit_status::kDone;
  }
  if (answer->contains("findings")) {
    log::error(answer->value("error", "the host does not say why"));
    return findings.empty() ? exit_status::kFailed : exit_status::kConfig;
  }
  // A host of before this command takes its request for a message.
  const std::string why = answer->value("error", "");
  const bool is_old = why.find("only the host publishes") != std::string::npos;
  log::error(is_old ? "the host is older than this command: send it SIGHUP" : why);
  return exit_status::kFailed;
}

}  // namespace nfbus::host
