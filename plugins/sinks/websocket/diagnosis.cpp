#include "diagnosis.hpp"

#include "server/access.hpp"
#include "server/server.hpp"

#include "../../lib/small_file.hpp"

#include <nlohmann/json.hpp>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <memory>
#include <system_error>

namespace websocket {
namespace {

using nlohmann::json;

constexpr std::size_t kMostNamesBytes = 4U << 20U;

// Empty: it lasts for some time, or there is none that can be read, which others tell.
std::string end_of_certificate(const std::string& path) {
  constexpr int kSoonDays = 14;
  if (path.empty()) return {};
  const std::unique_ptr<BIO, decltype(&BIO_free)> file(BIO_new_file(path.c_str(), "r"), &BIO_free);
  if (!file) return {};
  const std::unique_ptr<X509, decltype(&X509_free)> read(PEM_read_bio_X509(file.get(), nullptr, nullptr, nullptr),
                                                         &X509_free);
  if (!read) ERR_clear_error();  // of this thread, for whoever asks next
  int days = 0;
  int seconds = 0;
  if (!read || ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(read.get())) != 1) return {};
  const std::string what = "cert_file: the certificate in " + path;
  if (days < 0 || seconds < 0) {
    return what + " is no longer valid, and browsers will not take it: renew it, then send SIGHUP";
  }
  if (days >= kSoonDays) return {};
  return what + " is valid for " + std::to_string(days) + " days more: renew it, then send SIGHUP";
}

}  // namespace

std::vector<std::string> warnings_of(const Settings& settings) {
  std::vector<std::string> out;
  if (const std::string end = end_of_certificate(settings.server.cert_file); !end.empty()) out.push_back(end);
  const std::string& key_file = settings.server.key_file;
  for (const auto& [key, path] :
       {std::pair("token_file", &settings.token_file),
        key_file.empty() ? std::pair("cert_file", &settings.server.cert_file) : std::pair("key_file", &key_file)}) {
    struct stat found {};
    if (path->empty() || stat(path->c_str(), &found) != 0 || (found.st_mode & S_IROTH) == 0) continue;
    out.push_back(std::string(key) + ": everybody on this machine can read " + *path + "; chmod o-r it");
  }
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
  for (const std::string& warning : warnings_of(settings)) findings.warning(warning, {});
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
