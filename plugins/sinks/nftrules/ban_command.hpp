// nfbus nft bans | ban ADDRESS [--ttl 10m] [--set NAME] [--reason TEXT] | unban ADDRESS [--set NAME] [--reason TEXT]
#pragma once

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <functional>
#include <span>
#include <string_view>

namespace nftrules {

// Asks the privileged part: that of the running host where there is one, else the command's own.
using AskPart = std::function<nfbus::Result<nlohmann::json>(const nlohmann::json& request)>;

// Whether the first argument is one of these.
bool is_ban_command(std::string_view word);

// Prints what became of it, and returns the exit status: 1 when the part refuses, 2 when the arguments are wrong.
int run_ban_command(std::span<const char* const> arguments, const AskPart& ask);

inline constexpr std::string_view kBanUsage =
    "nfbus nft bans | ban ADDRESS [--ttl 10m] [--set NAME] [--reason TEXT] | unban ADDRESS [--set NAME]";

}  // namespace nftrules
