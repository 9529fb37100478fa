// The kernel as a source: one socket per NFLOG group, read by one thread.
#pragma once

#include "capture/source.hpp"
#include "privileged/helper.hpp"

#include <memory>
#include <vector>

namespace nfbus::host {

// [control] Binds every group through `helper` and seals it; fails as PrivilegedHelper::bind_group does, with the place
// in the configuration. `helper` outlives the source.
Result<std::unique_ptr<Source>> open_nflog(std::vector<CaptureSpec> captures, PrivilegedHelper& helper,
                                           const SourceContext& context);

}  // namespace nfbus::host
