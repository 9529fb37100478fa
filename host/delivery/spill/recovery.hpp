// What open() finds in a folder, and what a crash or damage left there to be put right.
#pragma once

#include "delivery/spill/cursor.hpp"
#include "delivery/spill/files.hpp"
#include "delivery/spill/format.hpp"
#include "delivery/spill/store.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace nfbus::host::spill {

// A segment on disk. A few tens of bytes: all of a folder's are in memory.
struct Segment {
  std::uint64_t id = 0;
  std::uint64_t first = 0;     // the number of its first record; it ends where the next one begins
  std::uint64_t bytes = 0;     // of the file
  std::uint64_t data_end = 0;  // in the file, behind its last record; 0: to be looked up there
  std::int64_t created_ns = 0;
  std::int64_t newest_ns = 0;  // when its last record was written, about
};

struct Names {
  std::vector<std::uint64_t> segments;  // ids, ascending
  std::uint64_t set_aside = 0;          // how many segments are
  std::uint64_t highest = 0;            // id of all of those
};
// [any] `path`: the folder's, for the error.
[[nodiscard]] Result<Names> names_in(Files& files, int folder, const std::string& path);

// [any] Where the good part of a segment that nobody completed ends, of which `cursor` has seen all up to `size`. Cut
// off by a crash are: a record or a head that the file's end cuts, and what a power cut left as zeros behind the border
// of a page. All else is damage: it stays, and where no head in it checks it sets lost_one.
[[nodiscard]] std::uint64_t end_of_torn(Files& files, const OpenSegment& segment, const Cursor& cursor,
                                        std::uint64_t size, bool& lost_one);

struct Recovered {
  StateSlot state;  // as it is to be written; next_segment is above all that is there
  std::deque<Segment> segments;
  std::uint64_t end = kFirstNumber;    // the next record's number
  std::uint64_t start = kFirstNumber;  // where reading begins: what lies between it and the first segment is lost
  std::vector<std::string> notes;
};

// [control] Whether the folder may be touched at all: it is empty, or this owner's and of this version. Reads alone.
[[nodiscard]] Result<void> refuse_foreign(Files& files, int folder, const Settings& settings);

// [control] With the folder's lock held. Removes what was deleted before a crash, sets aside what cannot be read, and
// completes the newest segment; never writes the state.
[[nodiscard]] Result<Recovered> recover(Files& files, int folder, const Settings& settings);

}  // namespace nfbus::host::spill
