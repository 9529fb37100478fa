// The instance's options, checked as far as it goes without a server.
#pragma once

#include "../../lib/http/client.hpp"
#include "../../lib/http/secret.hpp"
#include "facts.hpp"
#include "target.hpp"
#include "template.hpp"

#include <nfbus/options.hpp>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace webhook {

enum class BatchForm : std::uint8_t { array = 1, lines };

struct Settings {
  std::optional<Target> target;  // none: its url is in url_file
  std::string url_file;
  http::Method method = http::Method::post;
  std::vector<std::pair<std::string, Template>> headers;
  bool names_agent = false;  // one of them is User-Agent
  std::string content_type;
  std::optional<Template> body;  // none: the event as the host shows it
  Lookups lookups;
  bool with_payload = false;
  std::string device;
  http::Secret token;
  std::string token_header;
  std::string token_scheme;  // empty: the token alone
  std::string user;
  http::Secret password;
  http::Secret hmac_secret;
  std::string hmac_header;
  std::string hmac_time_header;  // empty: the body alone is signed
  std::size_t batch_events = 0;
  BatchForm batch_form = BatchForm::array;
  std::uint32_t batch_age_ms = 0;
  std::size_t max_in_flight = 0;
  http::Settings http;
};

// [control] Throws nfbus::OptionError, which names the option and the fix. Connects to nobody, reads no file.
[[nodiscard]] Settings settings_of(const nfbus::Options& options);

}  // namespace webhook
