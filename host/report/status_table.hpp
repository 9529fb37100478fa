// The status for people: tables of groups, sinks, filters and clients.
#pragma once

#include <nfbus/result.hpp>

#include <string>
#include <string_view>

namespace nfbus::host {

// [any] status: the JSON that a host made, maybe of another version: what it does not tell is "-". Characters that
// could steer a terminal show as escapes. An error: it is no status that can be read.
[[nodiscard]] Result<std::string> status_table(std::string_view status);

}  // namespace nfbus::host
