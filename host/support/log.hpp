// The host's log: one line per call on standard error.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host::log {

enum class Level : std::uint8_t { error = 1, warning = 2, info = 3, debug = 4 };  // values of NFBUS_LOG_*

// Longer lines are cut.
inline constexpr std::size_t kMostLineBytes = 8192;

// Writes "nfbus: LEVEL: line", escaped as printable() does. While a LogThread lives, the line waits for it and nobody
// waits for a reader; else it is one write(2), which waits as the program's other writes do. Lines of several threads
// never mix. Never throws, allocates nothing. Thread safety: any thread.
void write(Level level, std::string_view line) noexcept;

// The same for "source: line" where it may come again and again: for each packet, retry or line of a client. Of one
// kind and source the first is written at once. Those that follow are counted, and the LogThread says how many they
// were: after ten seconds, then later and later. `kind`: what is the same in all of them. Thread safety: any thread.
void repeated(Level level, std::string_view source, std::string_view kind, std::string_view line) noexcept;
// The kind is the line, but for its numbers and for what stands in quotes.
void repeated(Level level, std::string_view source, std::string_view line) noexcept;

// Lines below this level are dropped. Default: info. Thread safety: any thread.
void set_level(Level level) noexcept;

// [control] The environment's JOURNAL_STREAM, or null. Where it names what standard error is open for, the journal
// reads there: each line begins with its priority from then on, as sd-daemon(3) has it. systemd.exec(5).
void set_journal_stream(const char* journal_stream) noexcept;
// "<3>" to "<7>" for the journal, else "". Thread safety: any thread, and signal handlers.
[[nodiscard]] std::string_view priority(Level level) noexcept;

inline void error(std::string_view line) noexcept { write(Level::error, line); }
inline void warning(std::string_view line) noexcept { write(Level::warning, line); }
inline void info(std::string_view line) noexcept { write(Level::info, line); }
inline void debug(std::string_view line) noexcept { write(Level::debug, line); }

// Takes the lines instead of standard error. Thread safety: any thread calls.
class Receiver {
 public:
  Receiver() = default;
  Receiver(const Receiver&) = delete;
  Receiver& operator=(const Receiver&) = delete;
  // line: whole, with its newline.
  virtual void take(Level level, std::string_view line) noexcept = 0;
  virtual void take_repeated(Level level, std::string_view source, std::string_view kind,
                             std::string_view line) noexcept = 0;
  [[nodiscard]] virtual std::uint64_t dropped() const noexcept = 0;

 protected:
  ~Receiver() = default;
};

// Lines that had no room since the log's reader is too slow, ever. Thread safety: any thread.
[[nodiscard]] std::uint64_t dropped() noexcept;

// null: none. Whoever sets one sets null before it dies, when no thread logs any more.
void set_receiver(Receiver* receiver) noexcept;

// "nfbus: LEVEL: source: line\n" in `room`, escaped, cut to fit; without a source "nfbus: LEVEL: line\n". Behind the
// priority, for the journal.
[[nodiscard]] std::string_view make_line(Level level, std::string_view source, std::string_view line,
                                         std::span<char, kMostLineBytes> room) noexcept;

}  // namespace nfbus::host::log
