#include "support/log.hpp"

#include <unistd.h>

#include <atomic>
#include <string>

namespace nfbus::host::log {

namespace {

std::atomic<Level> least_level{Level::info};

std::string_view name_of(Level level) noexcept {
  switch (level) {
    case Level::error: return "error: ";
    case Level::warning: return "warning: ";
    case Level::info: return "info: ";
    case Level::debug: return "debug: ";
  }
  return "";
}

}  // namespace

void set_level(Level level) noexcept { least_level.store(level, std::memory_order_relaxed); }

void write(Level level, std::string_view line) noexcept {
  if (level > least_level.load(std::memory_order_relaxed)) return;
  try {
    std::string out = "nfbus: ";
    out += name_of(level);
    unsigned char before = 0;
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      const bool is_c1 = before == 0xc2 && byte >= 0x80 && byte < 0xa0;  // U+0080 to U+009F: controls, too
      before = byte;
      if (byte >= 0x20 && byte != 0x7f && !is_c1) {
        out += c;
        continue;
      }
      constexpr std::string_view kHex = "0123456789abcdef";
      out += "\\x";
      out += kHex[byte >> 4U];
      out += kHex[byte & 0xfU];
    }
    out += '\n';
    // A log that cannot be written has nobody to tell.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, out.data(), out.size());
  } catch (const std::bad_alloc&) {
    return;
  }
}

}  // namespace nfbus::host::log
