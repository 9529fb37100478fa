#include "ban_command.hpp"

#include "ban_settings.hpp"
#include "plan_text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <iostream>
#include <optional>
#include <utility>
#include <vector>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;

// "1h 2m 3s".
std::string duration_text(std::int64_t seconds) {
  std::string out;
  const auto add = [&](std::int64_t unit_s, char letter) {
    if (seconds < unit_s) return;
    out += (out.empty() ? "" : " ") + std::to_string(seconds / unit_s) + letter;
    seconds %= unit_s;
  };
  add(86'400, 'd');
  add(3600, 'h');
  add(60, 'm');
  add(1, 's');
  return out.empty() ? "0s" : out;
}

Error wrong(const std::string& what) { return {Code::invalid, what + "; usage: " + std::string(kBanUsage)}; }

Result<json> request_of(std::span<const char* const> arguments) {
  const std::string word = arguments.front();
  json request = {{"do", word}};
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (!argument.starts_with('-')) {
      if (request.contains("address") || word == "bans") return wrong("\"" + std::string(argument) + "\" is too much");
      request["address"] = argument;
      continue;
    }
    const bool is_ttl = argument == "--ttl" && word == "ban";
    if (word == "bans" || (!is_ttl && argument != "--set" && argument != "--reason")) {
      return wrong("there is no option " + std::string(argument));
    }
    if (i + 1 == arguments.size()) return wrong(std::string(argument) + " needs a value");
    const std::string_view value = arguments[++i];
    if (is_ttl) {
      const auto ttl_s = seconds_of(value);
      if (!ttl_s) return wrong("--ttl is 1s to 365d, as 10m");
      request["ttl_s"] = *ttl_s;
    } else {
      request[std::string(argument.substr(2))] = value;
    }
  }
  if (word != "bans" && !request.contains("address")) return wrong("which address is not said");
  return request;
}

std::string table_of(const json& answer) {
  const json& bans = answer.at("bans");
  std::vector<std::array<std::string, 5>> rows = {{"ADDRESS", "SET", "LEFT", "BY", "REASON"}};
  for (const json& ban : bans) {
    rows.push_back({ban.at("address").get<std::string>(), ban.at("set").get<std::string>(),
                    duration_text(ban.at("left_s").get<std::int64_t>()), ban.at("by").get<std::string>(),
                    printable(ban.at("reason").get<std::string>())});
  }
  std::array<std::size_t, 4> widths{};
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < widths.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i < widths.size()) line.append(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + '\n';
  }
  const auto count = answer.at("count").get<std::size_t>();
  if (count > bans.size()) out += "and " + std::to_string(count - bans.size()) + " more\n";
  return out;
}

std::string answer_text(const json& answer) {
  if (answer.contains("bans")) return answer.at("bans").empty() ? "nobody is banned\n" : table_of(answer);
  std::string out;
  for (const json& change : answer.at("changes")) {
    const auto word = change.at("change").get<std::string>();
    out += change.at("address").get<std::string>() + ' ' + (word == "removed" ? "unbanned from " : "banned in ") +
           change.at("set").get<std::string>();
    if (word != "removed") out += " for " + duration_text(change.at("ttl_s").get<std::int64_t>());
    if (word == "renewed") out += " from now";
    out += '\n';
  }
  return out;
}

int say(const Error& error, int status) {
  print_error(error.text);
  return status;
}

}  // namespace

bool is_ban_command(std::string_view word) { return word == "bans" || word == "ban" || word == "unban"; }

int run_ban_command(std::span<const char* const> arguments, const AskPart& ask) {
  const auto request = request_of(arguments);
  if (!request) return say(request.error(), 2);
  const auto answered = ask(*request);
  if (!answered) return say(answered.error(), 1);
  static_cast<void>(std::fputs(answer_text(*answered).c_str(), stdout));
  return 0;
}

}  // namespace nftrules
