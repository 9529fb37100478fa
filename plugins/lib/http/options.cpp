#include "options.hpp"

#include "place.hpp"

#include "../options.hpp"

#include <chrono>
#include <stdexcept>

namespace http {

using output::text_or_empty;

Secret secret_of(const nfbus::Options& options, const std::string& name) {
  const std::string file = name + "_file";
  Secret out{.value = text_or_empty(options, name), .file = text_or_empty(options, file)};
  if (!out.value.empty() && !out.file.empty()) {
    throw nfbus::OptionError(file, "give either " + name + " or " + file + ", not both");
  }
  return out;
}

Settings settings_of(const nfbus::Options& options) {
  const std::string proxy = text_or_empty(options, "proxy");
  try {
    if (!proxy.empty()) check_proxy(proxy);
  } catch (const std::invalid_argument& error) {
    throw nfbus::OptionError("proxy", error.what());
  }
  return {.proxy = proxy,
          .ca_file = text_or_empty(options, "ca_file"),
          .cert_file = text_or_empty(options, "cert_file"),
          .key_file = text_or_empty(options, "key_file"),
          .connect_timeout = std::chrono::milliseconds(options.integer("connect_timeout_ms")),
          .request_timeout = std::chrono::milliseconds(options.integer("request_timeout_ms"))};
}

}  // namespace http
