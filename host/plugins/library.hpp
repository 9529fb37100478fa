// The one place that calls the dynamic loader.
#pragma once

#include "plugins/trust.hpp"

#include <nfbus/result.hpp>

namespace nfbus::host {

// [control] Maps the library and runs its constructors, so `file` must have passed every check that can be made from
// the outside. It is opened by its real path, which debuggers and core files need, and what that leads to is compared
// with `file` afterwards; by its descriptor, which then stays open, where the effective user may not go that way.
// Returns the address of its `symbol`. Once mapped, the code stays mapped until the process ends, also when the symbol
// is missing. A file that an earlier call mapped is not mapped a second time; another one that has its name by now is.
// Errors: unsupported (the loader refuses it, or the symbol is missing), refused (it was mapped, and overwritten
// since), busy (another file took its place meanwhile).
[[nodiscard]] Result<const void*> load_library(Trusted file, const char* symbol);

}  // namespace nfbus::host
