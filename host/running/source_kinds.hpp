// Lists what `run` takes its packets from: a row for each kind, chosen by the command line.
#pragma once

#include "capture/source.hpp"
#include "privileged/helper.hpp"
#include "running/pipeline.hpp"

#include <nfbus/result.hpp>

#include <string>
#include <vector>

namespace nfbus::host {

// Holds what the command line says of it.
struct SourceRequest {
  std::vector<std::string> replay_files;  // empty: the kernel's groups
  std::string replay_prefix;
  bool started_as_root = false;
};

struct SourceKind {
  // This machine's packets, as they come: they need the helper and a configuration that says what to do with them, and
  // whoever runs them is served by default: with a socket, and after a reload. All that a replay goes without. What
  // differs once the source is open, it is asked itself.
  bool live;
  // [control] Opens what can be wrong before anything else is; what it returns is called once at most. helper: null
  // unless it is live; outlives the source. Errors as of open_captures(); what it returns has those of open_nflog().
  Result<OpenSource> (*prepare)(const SourceRequest& request, PrivilegedHelper* helper);
};

// [any]
[[nodiscard]] const SourceKind& source_kind(const SourceRequest& request) noexcept;

}  // namespace nfbus::host
