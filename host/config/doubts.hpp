// Finds what is no mistake, and yet can hardly be meant: a filter that nobody names, a topic that no packet has.
#pragma once

#include "config/config.hpp"
#include "plugins/registry.hpp"

#include <nlohmann/json_fwd.hpp>

namespace nfbus::host {

class Findings;

// [control] Texts that look as if a shell were to expand them: "~/out", "${HOME}/out". root: the file as it was
// written.
void find_unexpanded(const nlohmann::json& root, Findings& doubts);

// [control] All else. root: the file as it was written. config: what was read of it, which may lack what was wrong.
void find_doubts(const nlohmann::json& root, const Config& config, const PluginRegistry& plugins, Findings& doubts);

}  // namespace nfbus::host
