// Running `ip` and `nft`.
#pragma once

#include <nfbus/result.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host::demo {

// [control] Runs a program from PATH with `input` on its standard input and waits for its end. Errors: not_found (no
// such program; names the package), io (it failed: what it said).
Result<void> run_program(const std::vector<std::string>& arguments, std::string_view input);

}  // namespace nfbus::host::demo
