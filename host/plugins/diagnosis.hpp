// Gathers what the instances of plugins find wrong around them, for `nfbus doctor`.
#pragma once

#include "support/log.hpp"

#include <nfbus/abi.h>

#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Texts are valid UTF-8 of bounded length.
struct Finding {
  log::Level level;  // error, warning, or info: nothing is wrong
  std::string text;
  std::string fix;  // what the user can do; may be empty
};

using DiagnoseFunction = void (*)(void* instance, const nfbus_findings* findings);

// [control] Calls a plugin's diagnose() behind the barrier: an exception is a finding, too. Nothing is found by a null
// function. name: "sink.archive".
[[nodiscard]] std::vector<Finding> diagnose_instance(std::string_view name, DiagnoseFunction diagnose, void* instance);

}  // namespace nfbus::host
