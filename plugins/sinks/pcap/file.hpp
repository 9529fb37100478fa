// One capture file of ours, opened for writing at its end.
#pragma once

#include "../../lib/output.hpp"
#include "encoder.hpp"

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/output_lock.hpp>
#include <nfbus/util/output_place.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace pcapsink {

// How far a write came.
struct Progress {
  std::size_t size_bytes;  // written
  int error;               // errno that stopped it; 0: all is written
};

// Thread safety: none.
class File {
 public:
  // A file that was there, and that we could not have written so.
  enum class Foreign : std::uint8_t {
    set_aside = 1,  // is renamed to PATH.1 or the next free number
    left,           // stays, and nothing is opened
  };
  struct Opened {
    std::uint64_t packets = 0;    // that it has already
    std::uint64_t cut_bytes = 0;  // of a record that a crash left behind, which are gone now
    std::string set_aside;        // where a foreign file went; empty: there was none
    bool foreign = false;         // it was left, and the File is closed
  };

  // Opens or creates it (mode 0640) and locks it against other writers of its kind. A file that we could have written
  // is continued after its last whole record: what a crash left of one record behind that is cut off. On failure it
  // stays closed, and what was there is there, maybe under another name. path: for the user, and to see that it leads
  // here.
  nfbus::Result<Opened> open(nfbus::util::OutputPlace place, const std::string& path, const Encoding& encoding,
                             Foreign foreign);
  // The path is looked for first.
  nfbus::Result<Opened> open(const std::string& path, const Encoding& encoding, Foreign foreign);
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_.valid(); }

  // Whether somebody removed it, cut it or added to it.
  [[nodiscard]] bool was_touched() const noexcept;
  // Whether the path leads elsewhere by now, or nowhere.
  [[nodiscard]] bool is_elsewhere() const { return output::leads_elsewhere(fd_.get(), path_); }
  // When it came into being (CLOCK_REALTIME, ns); 0: unknown.
  [[nodiscard]] std::int64_t birth_ns() const noexcept;
  // Free for the likes of us on its file system.
  [[nodiscard]] std::uint64_t free_bytes() const noexcept;

  // Writes at the end.
  Progress write(const Gather& bytes) noexcept;
  // Takes back what is behind so many bytes. False: cannot; then it must be closed, and open() will cut it.
  [[nodiscard]] bool cut(std::uint64_t size_bytes) noexcept;
  // Brings it to the disk.
  nfbus::Result<void> sync() const;

  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // Whoever held it when it could not be opened (Code::busy).
  [[nodiscard]] const std::string& holder() const noexcept { return lock_.holder(); }
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }

 private:
  nfbus::util::Descriptor fd_;
  nfbus::util::OutputLock lock_;
  std::string path_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace pcapsink
