// Where secrets come from: NAME_file = "PATH", or NAME = "${VARIABLE}".
#pragma once

#include "plugins/schema.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nfbus::host {

struct SecretFindings {
  std::vector<SchemaFinding> findings;
  std::vector<SchemaPath> unresolved;  // keys of secrets that were given in vain; they are not in the value any more
};

// [control] Puts the secrets themselves into `value`, for each x-secret key of `schema`, and takes NAME_file out of it.
// path: of `value`. folder: relative paths start there. No text of a finding holds a secret. Never throws.
[[nodiscard]] SecretFindings resolve_secrets(const nlohmann::json& schema, nlohmann::json& value,
                                             const SchemaPath& path, const std::string& folder);

}  // namespace nfbus::host
