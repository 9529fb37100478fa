#include "rotation.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace jsonl {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kHoldOffNs = 10 * kSecondNs;

std::string numbered(const std::string& path, unsigned number) { return path + '.' + std::to_string(number); }

}  // namespace

// A clock that was set back ends it, too.
bool Rotation::held_off(std::int64_t now_ns) const noexcept {
  return failed_ns_ != 0 && now_ns >= failed_ns_ && now_ns - failed_ns_ < kHoldOffNs;
}

std::size_t Rotation::fit(std::string_view lines, std::uint64_t file_size_bytes, std::int64_t now_ns) const noexcept {
  if (limits_.size_bytes == 0 || held_off(now_ns)) return lines.size();
  const std::uint64_t room = limits_.size_bytes > file_size_bytes ? limits_.size_bytes - file_size_bytes : 0;
  if (lines.size() <= room) return lines.size();
  const std::size_t last = room == 0 ? std::string_view::npos : lines.rfind('\n', room - 1);
  if (last != std::string_view::npos) return last + 1;
  return file_size_bytes == 0 ? lines.find('\n') + 1 : 0;
}

bool Rotation::too_old(std::uint64_t file_size_bytes, std::int64_t now_ns) const noexcept {
  return by_age() && file_size_bytes != 0 && now_ns - birth_ns_ >= limits_.age_s * kSecondNs && !held_off(now_ns);
}

nfbus::Result<void> Rotation::rotate(const std::string& path, std::int64_t now_ns) {
  // The chain moves up to its first gap; without one the oldest file goes.
  unsigned last = 1;
  while (last < limits_.keep && access(numbered(path, last).c_str(), F_OK) == 0) ++last;
  for (unsigned to = last; to >= 1; --to) {
    const std::string from = to == 1 ? path : numbered(path, to - 1);
    if (std::rename(from.c_str(), numbered(path, to).c_str()) == 0) continue;
    failed_ns_ = now_ns;
    return nfbus::Error{nfbus::Code::io, "cannot rotate " + path + ": " + std::generic_category().message(errno) +
                                             "; let uid " + std::to_string(geteuid()) + " write to its folder"};
  }
  failed_ns_ = 0;
  return {};
}

}  // namespace jsonl
