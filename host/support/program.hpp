// Finds where the running program was installed.
#pragma once

#include <filesystem>

namespace nfbus::host {

// [any] <prefix> of <prefix>/bin/nfbus; the build tree, which mirrors an installed one, when the program runs from
// there.
[[nodiscard]] std::filesystem::path program_prefix();

}  // namespace nfbus::host
