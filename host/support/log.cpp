#include "support/log.hpp"

#include "support/printable.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <system_error>

namespace nfbus::host::log {

namespace {

std::atomic<Level> least_level{Level::info};
std::atomic<Receiver*> the_receiver{nullptr};
std::atomic<bool> is_for_journal{false};

std::string_view name_of(Level level) noexcept {
  switch (level) {
    case Level::error: return "error: ";
    case Level::warning: return "warning: ";
    case Level::info: return "info: ";
    case Level::debug: return "debug: ";
  }
  return "";
}

// Returns whether `stream`, as "DEVICE:INODE" in decimal, is what the descriptor is open for.
bool is_stream(int descriptor, std::string_view stream) noexcept {
  struct stat found {};
  if (::fstat(descriptor, &found) != 0) return false;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  const char* const end = stream.data() + stream.size();
  const auto [colon, bad_device] = std::from_chars(stream.data(), end, device);
  if (bad_device != std::errc() || colon == end || *colon != ':') return false;
  const auto [behind, bad_inode] = std::from_chars(colon + 1, end, inode);
  return bad_inode == std::errc() && behind == end && device == found.st_dev && inode == found.st_ino;
}

bool is_said(Level level) noexcept { return level <= least_level.load(std::memory_order_relaxed); }

void write_line(Level level, std::string_view source, std::string_view line) noexcept {
  std::array<char, kMostLineBytes> room;  // NOLINT(cppcoreguidelines-pro-type-member-init): as much as is used is set
  const std::string_view made = make_line(level, source, line, room);
  if (Receiver* const receiver = the_receiver.load(std::memory_order_acquire); receiver != nullptr) {
    receiver->take(level, made);
    return;
  }
  // A log that cannot be written has nobody to tell.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, made.data(), made.size());
}

// Fills `room` from its beginning.
class Cursor {
 public:
  Cursor(std::span<char> room, std::string_view ending) noexcept : room_(room), ending_(ending) {}

  // False: it does not fit beside the ending, and nothing was added.
  bool add(std::string_view text) noexcept {
    if (text.size() + ending_.size() > room_.size() - used_) return false;
    std::copy(text.begin(), text.end(), room_.begin() + static_cast<std::ptrdiff_t>(used_));
    used_ += text.size();
    return true;
  }
  // False: it was cut.
  bool add_shown(std::string_view text) noexcept {
    while (!text.empty()) {
      const ShownCharacter shown = shown_character(text);
      if (!add(shown.view())) return false;
      text.remove_prefix(shown.taken);
    }
    return true;
  }
  std::string_view end(std::string_view ending) noexcept {
    std::copy(ending.begin(), ending.end(), room_.begin() + static_cast<std::ptrdiff_t>(used_));
    return {room_.data(), used_ + ending.size()};
  }

 private:
  const std::span<char> room_;
  const std::string_view ending_;
  std::size_t used_ = 0;
};

// The line without its numbers and without what stands in quotes, cut to `room`.
std::string_view kind_of(std::string_view line, std::span<char> room) noexcept {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  std::size_t used = 0;
  for (std::size_t i = 0; i < line.size() && used < room.size(); ++i) {
    if (i > 0 && is_digit(line[i]) && is_digit(line[i - 1])) continue;
    room[used++] = is_digit(line[i]) ? '0' : line[i];
    if (line[i] != '"') continue;
    const std::size_t closing = line.find('"', i + 1);
    if (closing != std::string_view::npos) i = closing;
  }
  return {room.data(), used};
}

}  // namespace

void set_level(Level level) noexcept { least_level.store(level, std::memory_order_relaxed); }

void set_receiver(Receiver* receiver) noexcept { the_receiver.store(receiver, std::memory_order_release); }

void set_journal_stream(const char* journal_stream) noexcept {
  const bool is_it = journal_stream != nullptr && is_stream(STDERR_FILENO, journal_stream);
  is_for_journal.store(is_it, std::memory_order_relaxed);
}

std::string_view priority(Level level) noexcept {
  if (!is_for_journal.load(std::memory_order_relaxed)) return "";
  switch (level) {
    case Level::error: return "<3>";
    case Level::warning: return "<4>";
    case Level::info: return "<6>";
    case Level::debug: return "<7>";
  }
  return "";
}

std::uint64_t dropped() noexcept {
  const Receiver* const receiver = the_receiver.load(std::memory_order_acquire);
  return receiver == nullptr ? 0 : receiver->dropped();
}

std::string_view make_line(Level level, std::string_view source, std::string_view line,
                           std::span<char, kMostLineBytes> room) noexcept {
  constexpr std::string_view kCut = "...\n";
  Cursor cursor(room, kCut);
  cursor.add(priority(level));
  cursor.add("nfbus: ");
  cursor.add(name_of(level));
  bool whole = cursor.add_shown(source);
  if (whole && !source.empty()) whole = cursor.add(": ");
  if (whole) whole = cursor.add_shown(line);
  return cursor.end(whole ? "\n" : kCut);
}

void write(Level level, std::string_view line) noexcept {
  if (is_said(level)) write_line(level, {}, line);
}

void repeated(Level level, std::string_view source, std::string_view kind, std::string_view line) noexcept {
  if (!is_said(level)) return;
  if (Receiver* const receiver = the_receiver.load(std::memory_order_acquire); receiver != nullptr) {
    return receiver->take_repeated(level, source, kind, line);
  }
  write_line(level, source, line);
}

void repeated(Level level, std::string_view source, std::string_view line) noexcept {
  if (!is_said(level)) return;
  std::array<char, 256> room;  // NOLINT(cppcoreguidelines-pro-type-member-init): as much as is used is set
  repeated(level, source, kind_of(line, room), line);
}

}  // namespace nfbus::host::log
