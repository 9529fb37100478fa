// The one place that calls the dynamic loader.
#pragma once

#include "plugins/trust.hpp"

#include <nfbus/result.hpp>

namespace nfbus::host {

// [control] Maps the library and runs its constructors, so `file` must have passed every check that can be made from
// the outside. Returns the address of its `symbol`. Once mapped, the code stays mapped and the descriptor
// open until the process ends, also when the symbol is missing. A file that an earlier call mapped is not mapped (and
// its descriptor not kept) a second time. Code::unsupported: the loader refuses it, or the symbol is missing.
[[nodiscard]] Result<const void*> load_library(Trusted file, const char* symbol);

}  // namespace nfbus::host
