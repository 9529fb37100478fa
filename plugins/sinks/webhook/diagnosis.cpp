#include "diagnosis.hpp"

#include "facts.hpp"
#include "secrets.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>

namespace webhook {
namespace {

constexpr std::chrono::milliseconds kTime{5000};

}  // namespace

void diagnose(const Settings& settings, http::Client& client, nfbus::Findings findings) {
  Secrets secrets(settings);
  bool changed = false;
  if (const std::string wrong = secrets.read(changed); !wrong.empty()) {
    findings.error(wrong, {});
    if (!settings.target) return;
  }
  const Target& target = secrets.target();
  const std::string place = secrets.place();
  if (target.sends_in_clear && (settings.token.is_given() || !settings.user.empty() || !settings.url_file.empty())) {
    findings.warning("a secret goes to " + place + " in clear: whoever is on the way can read it",
                     "use https, if that network is not yours alone");
  }
  http::Exchange exchange{.request = {.url = target.shown + '/', .method = http::Method::connect}};
  if (!target.unix_socket.empty()) {
    exchange.request.url = "http://localhost/";
    exchange.request.unix_socket = target.unix_socket;
  }
  const auto end = std::chrono::steady_clock::now() + kTime;
  client.perform({&exchange, 1}, [&] {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    return static_cast<std::uint32_t>(std::max<std::int64_t>(left.count(), 0));
  });
  if (exchange.answer.ending != http::Ending::answered) {
    findings.error(place + ": " + exchange.answer.error, "start the server, or mend url");
    return;
  }
  findings.info(place + " takes connections; whether it takes events, the first one shows");
}

}  // namespace webhook
