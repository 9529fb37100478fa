// Places of the segment protocol where tests end the process as a power cut or SIGKILL would.
#pragma once

namespace nfbus::host::spill {

#ifdef NFBUS_CRASH_POINTS
// [any] Kills the process (SIGKILL) where the environment's NFBUS_CRASH_AT=NAME[:COUNT] names this point, at its
// COUNT-th time (default: the first). Compiled into the presets dev, asan and tsan alone.
void crash_point(const char* name) noexcept;
#else
inline void crash_point(const char* /*name*/) noexcept {}
#endif

}  // namespace nfbus::host::spill
