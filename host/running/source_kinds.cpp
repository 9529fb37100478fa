#include "running/source_kinds.hpp"

#include "capture/nflog.hpp"
#include "capture/replay.hpp"
#include "running/way_down.hpp"

#include <utility>

namespace nfbus::host {

namespace {

Result<std::unique_ptr<Source>> open_groups(const SourceRequest& /*request*/, PrivilegedHelper* helper,
                                            std::vector<CaptureSpec> captures, const SourceContext& context) {
  return open_nflog(std::move(captures), *helper, context);
}

Result<std::unique_ptr<Source>> open_file(const SourceRequest& request, PrivilegedHelper* /*helper*/,
                                          std::vector<CaptureSpec> captures, const SourceContext& context) {
  auto file = open_file_to_replay(*request.replay_file, request.started_as_root);
  if (!file) return std::move(file).error();
  return open_replay(std::move(file).value(), std::move(captures), context);
}

constexpr SourceKind kGroups{.live = true, .open = open_groups};
constexpr SourceKind kReplay{.live = false, .open = open_file};

}  // namespace

const SourceKind& source_kind(const SourceRequest& request) noexcept { return request.replay_file ? kReplay : kGroups; }

}  // namespace nfbus::host
