// Secrets of users, which stand in the environment or in files.
#pragma once

#include <nfbus/result.hpp>

#include <string>

namespace http {

// Where a secret is. Both empty: there is none.
struct Secret {
  std::string value = {};
  std::string file = {};  // path; empty: `value` is it

  [[nodiscard]] bool is_given() const noexcept { return !value.empty() || !file.empty(); }
};

// The secret as it is now; empty: there is none. A file holds one line, and is read with this process's own rights,
// which are those of the user that nfbus runs as. Waits for nobody, a FIFO's writer included. Errors: io, with the
// path, the cause and where known the fix; never the secret.
[[nodiscard]] nfbus::Result<std::string> read_secret(const Secret& secret);

}  // namespace http
