#include "target.hpp"

#include "../../lib/clock.hpp"
#include "../../lib/locked_file.hpp"
#include "../../lib/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <optional>
#include <utility>

namespace jsonl {
namespace {

using nfbus::util::Descriptor;
using nfbus::util::Opening;

Opening failure() { return {.fd = {}, .error = errno, .refusal = {}}; }

Target::Kind kind_of(mode_t mode) {
  if (S_ISREG(mode)) return Target::Kind::regular;
  return S_ISFIFO(mode) ? Target::Kind::fifo : Target::Kind::device;
}

}  // namespace

Target::Target(std::string path) : path_(std::move(path)) {
  // The kernel would open standard output anew, which the user that nfbus runs as may not.
  if (path_ == "-" || path_ == "/dev/stdout") kind_ = Kind::standard_output;
}

nfbus::Error Target::cannot_open(const Opening& failed) const {
  if (failed.error != ENXIO) return nfbus::util::cannot_open(path_, failed);
  if (kind_ != Kind::fifo) {
    return {nfbus::Code::unsupported, "cannot open " + path_ + ": it is neither a file nor a FIFO"};
  }
  return {nfbus::Code::io,
          "cannot open " + path_ + ": nobody reads this FIFO; lines wait in the queue until a reader opens it"};
}

std::string Target::explain(int error) const {
  std::string text = "cannot write to " + (kind_ == Kind::standard_output ? "standard output" : path_) + ": ";
  switch (error) {
    case ENOSPC:
    case EDQUOT: return text + nfbus::util::reason(error) + "; free some space, or set rotate_bytes and rotate_keep";
    case EAGAIN: return text + "its reader is too slow";
    case EPIPE: return text + "its reader has left";
    default: return text + nfbus::util::reason(error);
  }
}

nfbus::Result<void> Target::open() {
  if (is_open()) return {};
  if (kind_ == Kind::standard_output) {
    if (fcntl(STDOUT_FILENO, F_GETFD) < 0) return cannot_open(failure());
    fd_ = STDOUT_FILENO;
    return {};
  }
  nfbus::Result<void> opened = find_and_open();
  if (opened.ok()) opened = adopt();
  if (!opened.ok()) close();
  left_.close();
  return opened;
}

nfbus::Result<void> Target::find_and_open() {
  nfbus::Result<nfbus::util::OutputPlace> place = nfbus::util::find_output(path_);
  if (!place.ok()) return std::move(place).error();
  struct stat found {};
  const int error = place->stat_entry(found);
  if (error == 0) {
    kind_ = kind_of(found.st_mode);
  } else if (error == ENOENT && kind_ != Kind::regular) {
    return nfbus::Error{nfbus::Code::not_found, "cannot open " + path_ + ": it is gone; make it again"};
  }
  // Reading is for the look at a file's last byte; it would make the host a reader of its own FIFO.
  if (kind_ == Kind::regular) {
    nfbus::Result<Descriptor> locked = output::open_locked(*place, path_, O_RDWR | O_APPEND, lock_, found);
    if (!locked.ok()) return std::move(locked).error();
    file_ = std::move(locked).value();
    return {};
  }
  Opening opened = place->open(O_WRONLY | O_APPEND);
  if (!opened.fd.valid()) return cannot_open(opened);
  file_ = std::move(opened.fd);
  return {};
}

// Makes sure that what was opened is what was seen, and looks at its end.
nfbus::Result<void> Target::adopt() {
  struct stat opened {};
  if (fstat(file_.get(), &opened) != 0) return cannot_open(failure());
  if (kind_of(opened.st_mode) != kind_) {
    kind_ = kind_of(opened.st_mode);
    return output::replaced_meanwhile(path_);
  }
  size_bytes_ = 0;
  if (kind_ != Kind::fifo) {
    // Only a FIFO has a reader worth not waiting for.
    if (fcntl(file_.get(), F_SETFL, O_APPEND) != 0) return cannot_open(failure());
  }
  fd_ = file_.get();
  if (kind_ != Kind::regular) return {};
  size_bytes_ = static_cast<std::uint64_t>(opened.st_size);
  return end_broken_line();
}

nfbus::Result<void> Target::end_broken_line() {
  if (size_bytes_ == 0) return {};
  char last = 0;
  if (pread(fd_, &last, 1, static_cast<off_t>(size_bytes_ - 1)) != 1) return cannot_open(failure());
  if (last == '\n') return {};
  const Progress progress = write("\n");
  if (progress.error != 0) return nfbus::Error{nfbus::Code::io, explain(progress.error)};
  return {};
}

void Target::close() noexcept {
  file_.close();
  fd_ = -1;
}

void Target::replace(Descriptor fd) noexcept {
  file_ = std::move(fd);
  (void)fcntl(file_.get(), F_SETFL, O_APPEND);
  fd_ = file_.get();
  size_bytes_ = 0;
}

void Target::close_if_stale() noexcept {
  if (!is_open() || kind_ == Kind::standard_output) return;
  if (kind_ == Kind::fifo) {
    pollfd reader{fd_, 0, 0};
    if (poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0) return close();
  }
  if (output::leads_elsewhere(fd_, path_)) leave();
}

void Target::leave() noexcept {
  left_ = std::move(file_);
  fd_ = -1;
}

void Target::close_if_removed() noexcept {
  if (!is_open() || kind_ != Kind::regular) return;
  struct stat opened {};
  if (fstat(fd_, &opened) != 0 || opened.st_nlink == 0) leave();
}

// How much of it to write at once.
std::size_t Target::piece(std::string_view rest) const noexcept {
  if (kind_ != Kind::fifo || rest.size() <= PIPE_BUF) return rest.size();
  int waiting = 0;
  const int capacity = fcntl(fd_, F_GETPIPE_SZ);
  if (ioctl(fd_, FIONREAD, &waiting) == 0 && waiting == 0 && capacity > 0 &&
      rest.size() <= static_cast<std::size_t>(capacity)) {
    return rest.size();
  }
  const std::size_t last = rest.rfind('\n', PIPE_BUF - 1);
  const std::size_t end = last != std::string_view::npos ? last : rest.find('\n');
  return end != std::string_view::npos ? end + 1 : rest.size();
}

Progress Target::write(std::string_view lines) noexcept {
  std::optional<output::NoSigpipe> no_sigpipe;
  if (kind_ != Kind::regular) no_sigpipe.emplace();
  std::size_t at = 0;
  while (at < lines.size()) {
    const std::string_view rest = lines.substr(at);
    const ssize_t written = ::write(fd_, rest.data(), piece(rest));
    if (written > 0) {
      at += static_cast<std::size_t>(written);
      size_bytes_ += static_cast<std::uint64_t>(written);
      continue;
    }
    const int error = written == 0 ? EIO : errno;
    if (error == EINTR) continue;
    if (error == EPIPE && no_sigpipe) no_sigpipe->raised();
    return {at, error};
  }
  return {at, 0};
}

bool Target::take_back(std::size_t size_bytes) noexcept {
  if (kind_ != Kind::regular) return false;
  struct stat now {};
  if (fstat(fd_, &now) != 0 || now.st_size < static_cast<off_t>(size_bytes)) return false;
  if (ftruncate(fd_, now.st_size - static_cast<off_t>(size_bytes)) != 0) return false;
  size_bytes_ -= size_bytes;
  return true;
}

std::int64_t Target::birth_ns() const noexcept { return output::birth_ns(fd_); }

}  // namespace jsonl
