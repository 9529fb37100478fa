// The host's log: one line per call on standard error.
#pragma once

#include <cstdint>
#include <string_view>

namespace nfbus::host::log {

enum class Level : std::uint8_t { error = 1, warning = 2, info = 3, debug = 4 };  // values of NFBUS_LOG_*

// Writes "LEVEL line" in one write(2), so that lines of several threads never mix; control bytes in `line` are
// escaped. Never throws, never blocks on anything but standard error. Thread safety: any thread.
void write(Level level, std::string_view line) noexcept;

// Lines below this level are dropped. Default: info. Thread safety: any thread.
void set_level(Level level) noexcept;

inline void error(std::string_view line) noexcept { write(Level::error, line); }
inline void warning(std::string_view line) noexcept { write(Level::warning, line); }
inline void info(std::string_view line) noexcept { write(Level::info, line); }
inline void debug(std::string_view line) noexcept { write(Level::debug, line); }

}  // namespace nfbus::host::log
