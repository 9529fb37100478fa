#include "diagnosis.hpp"

#include "server/access.hpp"
#include "server/server.hpp"

#include "../../lib/small_file.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::size_t kMostNamesBytes = 4U << 20U;

}  // namespace

std::vector<std::string> unwritable_files(const Settings& settings) {
  std::vector<std::string> out;
  for (const auto& [key, path] :
       {std::pair("notifications", &settings.notifications), std::pair("state_file", &settings.state_file)}) {
    if (path->empty()) continue;
    const std::string folder = std::filesystem::path(*path).parent_path().string();
    // It is replaced by rename, so that its folder is what counts.
    if (eaccess(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) == 0) continue;
    out.push_back(std::string(key) + ": " + *path + " cannot be written: " + folder + ": " +
                  std::generic_category().message(errno) + "; make the folder, and let uid " +
                  std::to_string(geteuid()) + ", which nfbus runs as, write to it");
  }
  return out;
}

void diagnose(const Settings& settings, rules::RuleBook& rules, nfbus::Findings findings) {
  if (!settings.token_file.empty()) {
    if (auto tokens = Tokens::read(settings.token_file); !tokens) {
      findings.error("token_file: " + nfbus::to_string(tokens.error()),
                     "put a token on a line of it: TOKEN or USER:PASSWORD");
    }
  }
  if (auto good = Server::check_certificate(settings.server); !good) findings.error(good.error().text, {});
  if (!settings.names.empty()) {
    if (auto names = output::read_small_file(settings.names, kMostNamesBytes); !names) {
      findings.warning("names: " + names.error().text, "devices have no names until it can be read");
    }
  }
  for (const std::string& file : unwritable_files(settings)) findings.warning(file, {});
  rules.load();
  if (const std::string wrong = rules.file_error(); !wrong.empty()) findings.error("notifications: " + wrong, {});
  for (const json& rule : json::parse(rules.overview(), nullptr, false)) {
    if (!rule.is_object() || !rule.contains("error")) continue;
    findings.error("notifications: " + rule.value("shape", "") + ' ' + std::to_string(rule.value("index", 0)) + " (" +
                       rule.value("name", "") + "): " + rule.value("error", ""),
                   "until it is mended this rule tells of nothing");
  }
}

}  // namespace websocket
