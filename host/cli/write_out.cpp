#include "cli/write_out.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstddef>

namespace nfbus::host {

bool write_out(std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t size = ::write(STDOUT_FILENO, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(size));
  }
  return true;
}

}  // namespace nfbus::host
