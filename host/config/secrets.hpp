// Reads secrets from where they are: NAME_file = "PATH", or NAME = "${VARIABLE}".
#pragma once

#include "schema/schema.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

struct SecretFindings {
  std::vector<SchemaFinding> findings;
  std::vector<SchemaPath> unresolved;  // keys of secrets that were given in vain; they are not in the value any more
  std::vector<std::pair<SchemaPath, std::string>> files;  // those that secrets came from, by their keys
};

// [control] Puts the secrets themselves into `value`, for each x-secret key of `schema`, and takes NAME_file out of it.
// path: of `value`. folder: relative paths start there. started_as_root: then no link or name that others made leads to
// a file. No text of a finding holds a secret. Never throws.
[[nodiscard]] SecretFindings resolve_secrets(const nlohmann::json& schema, nlohmann::json& value,
                                             const SchemaPath& path, const std::string& folder, bool started_as_root);

}  // namespace nfbus::host
