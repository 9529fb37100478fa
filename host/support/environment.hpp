// The environment, out of sight of other processes.
#pragma once

#include <span>

namespace nfbus::host {

// [control] Moves the environment to the heap and wipes what the kernel shows in /proc/PID/environ, so that secrets in
// it are seen neither there nor in that of a fork. getenv(), setenv() and what is executed find it as before.
// arguments: main's. Call first in main(): what others kept of the old place reads as empty. Out of memory: all stays
// as it was.
void hide_environment(std::span<char*> arguments) noexcept;

}  // namespace nfbus::host
