// The instance's options, checked as far as it goes without opening anything.
#pragma once

#include "server/origin.hpp"
#include "server/server.hpp"

#include <nfbus/options.hpp>

#include <cstddef>
#include <string>

namespace websocket {

struct Settings {
  ServerSettings server = {};
  Sites sites = {};
  std::string token_file = {};     // empty: nobody needs a token
  std::string notifications = {};  // the file of rules; empty: they are in memory alone
  std::string state_file = {};     // likewise
  std::string names = {};          // of devices; empty: there are none
  std::size_t history_events = 0;
  std::size_t history_bytes = 0;
  std::size_t client_queue_bytes = 0;
};

// [control] Throws nfbus::OptionError, which names the option and the fix.
[[nodiscard]] Settings settings_of(const nfbus::Options& options);

}  // namespace websocket
