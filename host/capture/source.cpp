#include "capture/source.hpp"

namespace nfbus::host {

std::string_view to_string(SourceState state) noexcept {
  switch (state) {
    case SourceState::running: return "running";
    case SourceState::ended: return "ended";
    case SourceState::failed: return "failed";
  }
  return "";
}

SourceSnapshot sum_of(std::string_view name, const std::vector<CaptureSnapshot>& groups) {
  SourceSnapshot sum{.name = std::string(name)};
  for (const CaptureSnapshot& group : groups) {
    sum.received += group.received;
    sum.published += group.published;
    sum.filtered += group.not_forwarded + group.filtered;
  }
  return sum;
}

}  // namespace nfbus::host
