// A folder that nfbus keeps for itself.
#pragma once

#include <nfbus/result.hpp>

#include <string>

namespace nfbus::host {

// [control] Makes the folder, mode 0700, where it is missing, and those above it, mode 0750. While the host starts as
// root this uses root's right to make folders where root alone may, as output_folder.hpp says; they belong to the user
// that it has become. A folder that is there stays as it is. Code::refused, Code::not_found: with the fix.
[[nodiscard]] Result<void> make_private_folder(const std::string& path);

}  // namespace nfbus::host
