// "did you mean ...?": the nearest of the names that would have been right.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// [any] The candidate that is most likely meant by `name`: few edits away (a swap of neighbours counts as one), case
// ignored. Empty when none is near. The result points into `candidates`.
[[nodiscard]] std::string_view nearest(std::string_view name, const std::vector<std::string>& candidates);

// [any] `; did you mean "file"?`, or nothing when no candidate is near.
[[nodiscard]] std::string did_you_mean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace nfbus::host
