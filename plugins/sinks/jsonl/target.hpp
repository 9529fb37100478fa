// The one descriptor that lines go to: a file of ours, a FIFO, another device, or standard output.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/descriptor.hpp>
#include <nfbus/util/output_lock.hpp>
#include <nfbus/util/output_place.hpp>

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace jsonl {

// How far a write came.
struct Progress {
  std::size_t size_bytes;  // written
  int error;               // errno that stopped it; 0: all is written
};

// Thread safety: none. Never blocks, but for standard output and devices. Never raises SIGPIPE.
class Target {
 public:
  enum class Kind : std::uint8_t { regular = 1, fifo, device, standard_output };

  // path: "-" is standard output.
  explicit Target(std::string path);
  Target(const Target&) = delete;
  Target& operator=(const Target&) = delete;
  ~Target() { close(); }

  // Opens it unless it is open. A regular file is created with mode 0640, and is locked against other writers of its
  // kind; one that ends in the middle of a line gets the newline that is missing. On failure it stays closed, and the
  // text names the path, the reason and the fix.
  nfbus::Result<void> open();
  void close() noexcept;
  [[nodiscard]] bool is_open() const noexcept { return fd_ >= 0; }

  // Closes it when the path leads elsewhere by now, or, for a FIFO, when its reader left: what is still in the FIFO
  // goes with it, so that the next reader does not begin in the middle of a line. A file's lock is kept until open(),
  // which must follow, so that no other writer comes in between.
  void close_if_stale() noexcept;
  // The cheap part of it, for each batch: closes a regular file that was removed, as above.
  void close_if_removed() noexcept;

  // Puts another, empty, file of the same place in its place.
  void replace(nfbus::util::Descriptor fd) noexcept;
  [[nodiscard]] const nfbus::util::Descriptor& file() const noexcept { return file_; }

  // Writes whole lines, in one write(2) where the target takes them. A FIFO that is not empty gets them in pieces of
  // up to PIPE_BUF bytes, which it takes whole or not at all (pipe(7)), so that only a longer line is ever cut.
  Progress write(std::string_view lines) noexcept;
  // Takes the last bytes back, the cut line at the end of a full disk. False: cannot, they stay.
  [[nodiscard]] bool take_back(std::size_t size_bytes) noexcept;

  // As of the last open() that found the path, `regular` before.
  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  // A regular file's size, and when it came into being (CLOCK_REALTIME, ns; 0: unknown).
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return size_bytes_; }
  [[nodiscard]] std::int64_t birth_ns() const noexcept;

  // What a failure of writing means to the user, with the fix.
  [[nodiscard]] std::string explain(int error) const;

 private:
  [[nodiscard]] nfbus::Error cannot_open(const nfbus::util::Opening& failed) const;
  nfbus::Result<void> find_and_open();
  nfbus::Result<void> adopt();
  void leave() noexcept;
  nfbus::Result<void> end_broken_line();
  [[nodiscard]] std::size_t piece(std::string_view rest) const noexcept;

  std::string path_;
  Kind kind_ = Kind::regular;
  int fd_ = -1;  // file_, or standard output
  nfbus::util::Descriptor file_;
  nfbus::util::Descriptor left_;  // whose path leads elsewhere, and which is locked until the new one is
  nfbus::util::OutputLock lock_;
  std::uint64_t size_bytes_ = 0;
};

}  // namespace jsonl
