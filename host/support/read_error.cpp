#include "support/read_error.hpp"

#include "support/system_error.hpp"

#include <unistd.h>

#include <cerrno>
#include <string>

namespace nfbus::host {

Error read_error(int error_number) {
  switch (error_number) {
    case ENOENT:
    case ENOTDIR: return {.code = Code::not_found, .text = "no such file"};
    case EACCES:
    case EPERM:
      return {.code = Code::refused,
              .text = "may not be read by this user (uid " + std::to_string(::geteuid()) + "): permission denied"};
    default: return system_error("cannot be read", error_number);
  }
}

Error read_error(std::string_view text) { return {.code = Code::invalid, .text = std::string(text)}; }

}  // namespace nfbus::host
