#include "cli/colour.hpp"

#include <unistd.h>

#include <cstdlib>

namespace nfbus::host {

bool stdout_wants_colour() { return ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr; }

}  // namespace nfbus::host
