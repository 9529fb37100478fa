#include "file.hpp"

#include "../../lib/clock.hpp"
#include "../../lib/locked_file.hpp"
#include "tail.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <limits>
#include <system_error>
#include <utility>

namespace pcapsink {
namespace {

using nfbus::util::Descriptor;
using nfbus::util::OutputPlace;

class FileSource final : public ByteSource {
 public:
  explicit FileSource(int fd) : fd_(fd) {}

  std::size_t read(std::uint64_t offset, std::span<std::uint8_t> out) override {
    std::size_t filled = 0;
    while (filled < out.size()) {
      const ssize_t got = pread(fd_, out.data() + filled, out.size() - filled, static_cast<off_t>(offset + filled));
      if (got == 0) break;
      if (got > 0) {
        filled += static_cast<std::size_t>(got);
      } else if (errno != EINTR) {
        throw std::system_error(errno, std::generic_category());
      }
    }
    return filled;
  }

 private:
  const int fd_;
};

nfbus::Error failed(const std::string& what, const std::string& path, int error) {
  return {nfbus::Code::io, "cannot " + what + ' ' + path + ": " + nfbus::util::reason(error)};
}

// Gives the name that it has now.
nfbus::Result<std::string> set_aside(const OutputPlace& place) {
  for (unsigned number = 1; number != 0; ++number) {
    const std::string name = place.name + '.' + std::to_string(number);
    const int error = place.folder.rename_to_new(place.name, name);
    if (error == 0) return place.folder.path_of(name);
    if (error != EEXIST) return failed("set aside", place.path(), error);
  }
  return failed("set aside", place.path(), EEXIST);
}

nfbus::Result<Descriptor> open_capture(const OutputPlace& place, const std::string& path, nfbus::util::OutputLock& lock,
                                       struct stat& found) {
  nfbus::Result<Descriptor> opened = output::open_locked(place, path, O_RDWR, lock, found);
  if (!opened.ok() || S_ISREG(found.st_mode)) return opened;
  if (S_ISFIFO(found.st_mode)) {
    return nfbus::Error{nfbus::Code::invalid, "cannot open " + path + ": it is a FIFO; set fifo = true"};
  }
  return nfbus::Error{nfbus::Code::unsupported, "cannot open " + path + ": it is no file"};
}

}  // namespace

nfbus::Result<File::Opened> File::open(const std::string& path, const Encoding& encoding, Foreign foreign) {
  nfbus::Result<OutputPlace> place = nfbus::util::find_output(path);
  if (!place.ok()) return place.error();
  return open(*std::move(place), path, encoding, foreign);
}

nfbus::Result<File::Opened> File::open(OutputPlace place, const std::string& path, const Encoding& encoding,
                                       Foreign foreign) {
  Opened opened;
  for (;;) {
    struct stat found {};
    nfbus::Result<Descriptor> fd = open_capture(place, path, lock_, found);
    if (!fd.ok()) return fd.error();
    FileSource source(fd->get());
    Tail tail;
    try {
      tail = find_tail(source, encoding);
    } catch (const std::system_error& error) {
      return failed("read", path, error.code().value());
    }
    if (tail.state == Tail::State::foreign) {
      if (!opened.set_aside.empty()) {
        return nfbus::Error{nfbus::Code::busy, "cannot open " + path + ": somebody else writes there"};
      }
      opened.foreign = foreign == Foreign::left;
      if (opened.foreign) return opened;
      nfbus::Result<std::string> aside = set_aside(place);
      if (!aside.ok()) return aside.error();
      opened.set_aside = *aside;
      place.by_link = false;  // the link leads to nothing because we took it away: it may be made
      continue;
    }
    const auto size_bytes = static_cast<std::uint64_t>(found.st_size);
    if (size_bytes > tail.size_bytes && ftruncate(fd->get(), static_cast<off_t>(tail.size_bytes)) != 0) {
      return failed("cut a broken record off", path, errno);
    }
    opened.packets = tail.packets;
    opened.cut_bytes = size_bytes - tail.size_bytes;
    fd_ = std::move(*fd);
    path_ = path;
    size_bytes_ = tail.size_bytes;
    return opened;
  }
}

void File::close() noexcept { fd_.close(); }

bool File::was_touched() const noexcept {
  struct stat now {};
  return fstat(fd_.get(), &now) != 0 || now.st_nlink == 0 || static_cast<std::uint64_t>(now.st_size) != size_bytes_;
}

std::int64_t File::birth_ns() const noexcept { return output::birth_ns(fd_.get()); }

std::uint64_t File::free_bytes() const noexcept {
  struct statvfs found {};
  if (fstatvfs(fd_.get(), &found) != 0) return std::numeric_limits<std::uint64_t>::max();  // cannot say: do not stop
  return std::uint64_t{found.f_bavail} * found.f_frsize;
}

Progress File::write(const Gather& bytes) noexcept {
  std::size_t written = 0;
  iovec first{};  // the rest of a piece of which a part is out
  std::span<const iovec> pieces = bytes.pieces();
  while (written < bytes.size_bytes()) {
    const bool in_piece = first.iov_len != 0;
    const std::size_t count = in_piece ? 1 : std::min<std::size_t>(pieces.size(), IOV_MAX);
    const ssize_t got =
        pwritev(fd_.get(), in_piece ? &first : pieces.data(), static_cast<int>(count), static_cast<off_t>(size_bytes_));
    if (got <= 0) {
      const int error = got == 0 ? EIO : errno;
      if (error == EINTR) continue;
      return {written, error};
    }
    auto left = static_cast<std::size_t>(got);
    written += left;
    size_bytes_ += left;
    if (in_piece) {
      first = {static_cast<std::uint8_t*>(first.iov_base) + left, first.iov_len - left};
      continue;
    }
    while (!pieces.empty() && left >= pieces[0].iov_len) {
      left -= pieces[0].iov_len;
      pieces = pieces.subspan(1);
    }
    if (left != 0) {
      first = {static_cast<std::uint8_t*>(pieces[0].iov_base) + left, pieces[0].iov_len - left};
      pieces = pieces.subspan(1);
    }
  }
  return {written, 0};
}

bool File::cut(std::uint64_t size_bytes) noexcept {
  if (ftruncate(fd_.get(), static_cast<off_t>(size_bytes)) != 0) return false;
  size_bytes_ = size_bytes;
  return true;
}

nfbus::Result<void> File::sync() const {
  if (fdatasync(fd_.get()) != 0) return failed("sync", path_, errno);
  return {};
}

}  // namespace pcapsink
