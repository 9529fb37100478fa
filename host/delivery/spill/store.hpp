// A sink's disk queue: records appended at one end, read once at the other, in files of their own folder.
#pragma once

#include "delivery/spill/settings.hpp"
#include "support/record_range.hpp"

#include <nfbus/result.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nfbus::host::spill {

class Files;

// What append() takes. The store knows nothing of what is in it.
struct Draft {
  std::uint8_t kind;
  std::span<const std::uint8_t> body;
};

// Numbers of records are consecutive over the life of a folder, and begin high above 0: 0 is none.
struct Record {
  std::uint64_t number;
  std::uint8_t kind;
  std::span<const std::uint8_t> body;  // valid until the next read() or rewind()
};

using Range = RecordRange;

// Whether the reader still wants what is appended, or has it already: then it need only be there after a restart.
enum class Reader : std::uint8_t { wants_them = 1, has_them };

struct Appended {
  std::uint64_t first = 0;    // the number of the first one
  std::uint64_t evicted = 0;  // records that nobody had read and that had to go for these, or were too old
};

struct Snapshot {
  std::uint64_t records = 0;    // nobody has read them yet
  std::uint64_t bytes = 0;      // of all segments on disk, in use or not
  std::int64_t oldest_ns = 0;   // since 1970-01-01 UTC: when the oldest of them was written (its segment's last look at
                                // the clock is near enough); 0: none
  std::uint64_t corrupted = 0;  // records that could not be read, ever since open()
};

// Three threads share it: the writer's append() and tick(), the reader's read(), rewind() and settle(), and whoever
// owns it. Files are written and read without the lock that guards what all of them see.
class Store {
 public:
  // Takes the folder for itself (flock). Reads the state and the heads of segments, never all of them: the time it
  // takes does not grow with what is there. Code::invalid: the folder is another's, or of another version, with what
  // to do about it; it is left as it is. Code::busy: another process or sink has it; Code::refused: not this user's.
  // Unreadable segments are set aside and told of in notes().
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(Settings settings);
  // The same through another file layer, which outlives the store.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(Settings settings, Files& files);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  ~Store();  // as close(), without its error

  // What open() had to do, a sentence each: for the log.
  [[nodiscard]] const std::vector<std::string>& notes() const noexcept;
  // [any] What happened since the last call, or since open(), that the log should say: a sentence each, 64 at most.
  [[nodiscard]] std::vector<std::string> take_news();

  // [writer] Adds records at the end, all or none; has_them: the reader has read all before them, too. A process
  // that is killed behind it finds them. Code::no_space-like failures (disk full, min_free, a record larger than
  // max_bytes) and I/O errors leave nothing of them behind, and the next call tries anew; its text says what was tried
  // and the fix. What a failed call evicted is in the answer of the next append() or tick() that succeeds. A batch is
  // never split: it may be larger than a segment, but not larger than max_bytes (Code::invalid).
  [[nodiscard]] Result<Appended> append(std::span<const Draft> drafts, Reader reader = Reader::wants_them);
  // [writer] What time asks for: fdatasync when due, records that are too old. Returns how many unread ones went.
  [[nodiscard]] Result<std::uint64_t> tick();

  // [reader] Replaces `out` by the next records behind the last one read, up to `most` and about `most_bytes` of bodies
  // (one at least where there is one), all of consecutive numbers: behind damage the next call goes on. Returns how
  // many records before the first of them are lost to damage; `out` may be empty then. A segment that cannot be read is
  // set aside, its records counted as corrupted, and told of in take_news().
  [[nodiscard]] std::uint64_t read(std::vector<Record>& out, std::size_t most, std::size_t most_bytes);
  // [reader] All before `frontier` is done with, and so is what `done` names behind it (ascending). Segments of which
  // all is done go. Writes the state, so that a killed process does not read them again.
  [[nodiscard]] Result<void> settle(std::uint64_t frontier, std::span<const Range> done);
  // [reader] The number behind the last record that was read.
  [[nodiscard]] std::uint64_t next_to_read() const;
  // [reader, or the owner when there is none any more] What was read and is not settled will be read again. What of it
  // has been evicted meanwhile counts as evicted now: the next append() or tick() tells it.
  void rewind();

  // [any]
  [[nodiscard]] Snapshot snapshot() const;
  // [any] What goes into one segment, about, heads included; constant.
  [[nodiscard]] std::uint64_t segment_bytes() const;
  // [any] The number that the next record gets: all before it are written.
  [[nodiscard]] std::uint64_t end() const;

  // [owner, when no other thread uses it] Completes the open segment and the state, forces them to the disk unless
  // sync is never, removes what is done with, and lets go of the folder. An empty store leaves no segment.
  [[nodiscard]] Result<void> close();

 private:
  class Impl;
  explicit Store(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nfbus::host::spill
