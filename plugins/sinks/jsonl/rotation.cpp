#include "rotation.hpp"

#include "../../lib/output.hpp"

#include <nfbus/util/output_lock.hpp>

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <utility>

namespace jsonl {
namespace {

using nfbus::Result;
using nfbus::util::Descriptor;
using nfbus::util::Opening;
using nfbus::util::OutputPlace;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kHoldOffNs = 10 * kSecondNs;

std::string numbered(const std::string& name, unsigned number) { return name + '.' + std::to_string(number); }

nfbus::Error cannot_rotate(const OutputPlace& place, int error) {
  return output::cannot_change("rotate " + place.path(), place.folder, error);
}

nfbus::Error cannot_rotate(const OutputPlace& place, const std::string& why) {
  return {nfbus::Code::busy, "cannot rotate " + place.path() + ": " + why};
}

// An empty file that is to take the place. A crash may have left one, which nobody holds.
Result<Descriptor> make_next(const OutputPlace& place, const std::string& name) {
  Opening made = place.folder.make(name, O_RDWR | O_APPEND);
  if (made.error == EEXIST) {
    struct stat found {};
    const Opening left = place.folder.open(name, O_RDONLY);
    const bool is_leftover = left.fd.valid() && fstat(left.fd.get(), &found) == 0 && S_ISREG(found.st_mode) &&
                             found.st_size == 0 && !nfbus::util::is_held(left.fd.get());
    if (!is_leftover) return cannot_rotate(place, place.folder.path_of(name) + " is in the way: remove it");
    if (const int error = place.folder.remove(name); error != 0) return cannot_rotate(place, error);
    made = place.folder.make(name, O_RDWR | O_APPEND);
  }
  if (!made.fd.valid()) return cannot_rotate(place, made.error);
  (void)nfbus::util::hold(made.fd.get());  // nobody else knows it yet
  return std::move(made.fd);
}

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

// The chain moves up to its first gap; without one the oldest file goes. What another sink writes to stays.
Result<void> Rotation::move_up(const OutputPlace& place) const {
  unsigned last = 0;
  for (bool taken = true; taken && last < limits_.keep;) {
    const std::string name = numbered(place.name, ++last);
    struct stat found {};
    taken = place.folder.stat_entry(name, found) == 0;
    const Opening old = taken && S_ISREG(found.st_mode) ? place.folder.open(name, O_RDONLY) : Opening();
    if (old.fd.valid() && nfbus::util::is_held(old.fd.get())) {
      return cannot_rotate(place, nfbus::util::holder_of(old.fd.get()) + " writes to " + place.folder.path_of(name) +
                                      ", which is to be an old file of this one; each sink needs names of its own");
    }
  }
  for (unsigned to = last; to >= 1; --to) {
    const std::string from = to == 1 ? place.name : numbered(place.name, to - 1);
    const int error = place.folder.rename(from, numbered(place.name, to));
    if (error != 0 && error != ENOENT) return cannot_rotate(place, error);  // ENOENT: logrotate was faster
  }
  return {};
}

Result<Descriptor> Rotation::rotate(const std::string& path, const Descriptor& current, std::int64_t now_ns) {
  failed_ns_ = now_ns;
  const Result<OutputPlace> found = nfbus::util::find_output(path);
  if (!found.ok()) return found.error();
  const OutputPlace& place = *found;
  struct stat opened {};
  struct stat named {};
  const int look = place.folder.stat_entry(place.name, named);
  const bool was_moved_away = look == ENOENT;
  if (!was_moved_away && (look != 0 || fstat(current.get(), &opened) != 0 || !nfbus::util::same_file(opened, named))) {
    return cannot_rotate(place, "somebody replaced it at that moment");
  }
  const std::string next = place.name + ".new";
  Result<Descriptor> made = make_next(place, next);
  if (!made.ok()) return made;
  Result<void> moved;
  if (!was_moved_away) moved = move_up(place);
  if (!moved.ok()) {
    (void)place.folder.remove(next);
    return std::move(moved).error();
  }
  // Whoever made a file there in between keeps it.
  if (const int error = place.folder.rename_to_new(next, place.name); error != 0) {
    (void)place.folder.remove(next);
    // If somebody moved the file away, the first old one is his.
    if (error != EEXIST && !was_moved_away) (void)place.folder.rename_to_new(numbered(place.name, 1), place.name);
    return cannot_rotate(place, error);
  }
  failed_ns_ = 0;
  return made;
}

}  // namespace jsonl
