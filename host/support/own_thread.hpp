// Starts a thread of the host that needs no rights.
#pragma once

#include <nfbus/result.hpp>

#include <functional>
#include <thread>

namespace nfbus::host {

// [control] `thread` runs `run`, under this name (15 bytes at most) and with every signal blocked. When this returns it
// has given up each capability that it inherits: whoever gives up the process's own looks at all threads, or forbids
// the call. Code::io: there are no threads or no memory left.
[[nodiscard]] Result<void> start_own_thread(std::thread& thread, const char* name, std::function<void()> run);

}  // namespace nfbus::host
