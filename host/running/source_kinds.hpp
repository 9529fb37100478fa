// Lists what `run` takes its packets from: a row for each kind, chosen by the command line.
#pragma once

#include "capture/source.hpp"
#include "privileged/helper.hpp"

#include <nfbus/result.hpp>

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace nfbus::host {

// Holds what the command line says of it.
struct SourceRequest {
  std::optional<std::string> replay_file;
  bool started_as_root = false;
};

struct SourceKind {
  // This machine's packets, as they come: they need the helper and a configuration that says what to do with them, and
  // whoever runs them is served by default: with a socket, and after a reload. All that a replay goes without. What
  // differs once the source is open, it is asked itself.
  bool live;
  // [control] helper: null unless it is live; outlives the source. Errors as of open_nflog(), open_file_to_replay() and
  // open_replay().
  Result<std::unique_ptr<Source>> (*open)(const SourceRequest& request, PrivilegedHelper* helper,
                                          std::vector<CaptureSpec> captures, const SourceContext& context);
};

// [any]
[[nodiscard]] const SourceKind& source_kind(const SourceRequest& request) noexcept;

}  // namespace nfbus::host
