#include "support/log.hpp"

#include "support/printable.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace nfbus::host::log {

namespace {

std::atomic<Level> least_level{Level::info};
std::atomic<Receiver*> the_receiver{nullptr};

std::string_view name_of(Level level) noexcept {
  switch (level) {
    case Level::error: return "error: ";
    case Level::warning: return "warning: ";
    case Level::info: return "info: ";
    case Level::debug: return "debug: ";
  }
  return "";
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

std::uint64_t dropped() noexcept {
  const Receiver* const receiver = the_receiver.load(std::memory_order_acquire);
  return receiver == nullptr ? 0 : receiver->dropped();
}

std::string_view make_line(Level level, std::string_view source, std::string_view line,
                           std::span<char, kMostLineBytes> room) noexcept {
  constexpr std::string_view kCut = "...\n";
  Cursor cursor(room, kCut);
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
