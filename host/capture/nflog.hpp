// The kernel as a source: one socket per NFLOG group, read by one thread.
#pragma once

#include "capture/filters.hpp"
#include "capture/settings.hpp"
#include "capture/source.hpp"
#include "event/batch.hpp"
#include "event/topic.hpp"
#include "privileged/helper.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace nfbus::host {

// What a source hands its batches to: frozen, never empty. Never blocks for the kernel's source; may wait for room for
// a replay.
using Publish = std::function<void(const BatchRef& batch)>;

// What every source works with. All of it outlives the source.
struct SourceContext {
  TopicTable& topics;
  SlabPool& slabs;
  BatchPool& batches;
  Publish publish;
};

// Size of the slabs in SourceContext.slabs: room for a full datagram of small packets and their events, or several of
// large ones. Not more, since slabs that are in use at one time should fit a core's cache together.
inline constexpr std::size_t kSlabBytes = 1U << 19U;

struct CaptureSpec {
  CaptureConfig config;
  std::unique_ptr<CaptureFilters> filters;  // null: none
};

// [control] Binds every group through `helper` and seals it; fails as PrivilegedHelper::bind_group does, with the place
// in the configuration. `helper` outlives the source.
Result<std::unique_ptr<Source>> open_nflog(std::vector<CaptureSpec> captures, PrivilegedHelper& helper,
                                           SourceContext context);

}  // namespace nfbus::host
