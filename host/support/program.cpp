#include "support/program.hpp"

#include <system_error>

namespace nfbus::host {

std::filesystem::path program_prefix() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().parent_path();
}

}  // namespace nfbus::host
