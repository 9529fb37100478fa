// The names that other programs have for our options.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// [any] The option, among `known`, that goes by `name` in ulogd2, tcpdump, Vector and the like; empty: none.
[[nodiscard]] std::string_view our_word(std::string_view name, const std::vector<std::string>& known);

}  // namespace nfbus::host
