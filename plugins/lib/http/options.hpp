// The options that plugins which speak HTTP have in common.
#pragma once

#include "client.hpp"
#include "secret.hpp"

#include <nfbus/options.hpp>

#include <string>

namespace http {

// [control] Of the options NAME, from the environment, and NAME_file. Throws nfbus::OptionError when both are given.
[[nodiscard]] Secret secret_of(const nfbus::Options& options, const std::string& name);

// [control] Of proxy, ca_file, cert_file, key_file, connect_timeout_ms and request_timeout_ms.
[[nodiscard]] Settings settings_of(const nfbus::Options& options);

}  // namespace http
