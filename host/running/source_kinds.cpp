#include "running/source_kinds.hpp"

#include "capture/nflog.hpp"
#include "capture/replay.hpp"
#include "running/way_down.hpp"

#include <unistd.h>

#include <memory>
#include <utility>

namespace nfbus::host {

namespace {

Result<OpenSource> prepare_groups(const SourceRequest& /*request*/, PrivilegedHelper* helper) {
  return OpenSource([helper](std::vector<CaptureSpec> captures, const SourceContext& context) {
    return open_nflog(std::move(captures), *helper, context);
  });
}

Result<OpenSource> prepare_files(const SourceRequest& request, PrivilegedHelper* /*helper*/) {
  auto opened = open_captures(request.replay_files, request.started_as_root);
  if (!opened) return std::move(opened).error();
  // Shared, since a std::function is copied.
  auto files = std::make_shared<std::vector<CaptureFile>>(std::move(opened).value());
  ReplaySettings settings{.prefix = request.replay_prefix, .progress = ::isatty(STDERR_FILENO) != 0};
  return OpenSource([files, settings](std::vector<CaptureSpec> captures, const SourceContext& context) {
    return Result(make_replay(std::move(*files), std::move(captures), settings, context));
  });
}

constexpr SourceKind kGroups{.live = true, .prepare = prepare_groups};
constexpr SourceKind kReplay{.live = false, .prepare = prepare_files};

}  // namespace

const SourceKind& source_kind(const SourceRequest& request) noexcept {
  return request.replay_files.empty() ? kGroups : kReplay;
}

}  // namespace nfbus::host
