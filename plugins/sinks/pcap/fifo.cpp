#include "fifo.hpp"

#include "../../lib/clock.hpp"
#include "../../lib/output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <ctime>
#include <utility>

namespace pcapsink {
namespace {

using nfbus::util::Descriptor;
using nfbus::util::Opening;
using nfbus::util::OutputPlace;

constexpr std::uint32_t kTickMs = 20;  // so soon a new reader gets its header
constexpr int kPipeBytes = 1 << 20;    // what users may have by default: pipe(7)
constexpr std::size_t kMaxReaders = 64;
constexpr std::int64_t kMillisecondNs = 1'000'000;
// A reader that reads nothing for so long has stopped; and no call lasts longer, however slow readers are.
constexpr std::int64_t kPatienceNs = 100 * kMillisecondNs;
constexpr std::int64_t kLongestCallNs = 500 * kMillisecondNs;
// A path that leads elsewhere by now is noticed so soon.
constexpr std::int64_t kLookNs = 1000 * kMillisecondNs;
constexpr const char* kNext = ".next";

std::int64_t now_ns() noexcept { return output::clock_ns(CLOCK_MONOTONIC); }

void sleep_ms(long milliseconds) noexcept {
  const timespec time{0, milliseconds * kMillisecondNs};
  nanosleep(&time, nullptr);
}

std::size_t page_bytes() noexcept {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t pages_of(std::size_t size_bytes) noexcept { return (size_bytes + page_bytes() - 1) / page_bytes(); }

// In the pipe, not read yet.
std::size_t unread_bytes(int fd) noexcept {
  int unread = 0;
  return ioctl(fd, FIONREAD, &unread) == 0 && unread > 0 ? static_cast<std::size_t>(unread) : 0;
}

bool has_left(int fd) noexcept {
  pollfd reader{fd, 0, 0};
  return poll(&reader, 1, 0) == 1 && (reader.revents & POLLERR) != 0;
}

// Of the open file itself, whatever its path leads to by now.
std::string name_of(const Descriptor& fd) { return "/proc/self/fd/" + std::to_string(fd.get()); }

// Tells when somebody closes the pipe. None: what cannot be told is not told.
Descriptor watch_closings(const Descriptor& pipe) {
  Descriptor watch(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!watch.valid() || inotify_add_watch(watch.get(), name_of(pipe).c_str(), IN_CLOSE) < 0) return {};
  return watch;
}

bool has_seen_a_closing(const Descriptor& watch) noexcept {
  pollfd events{watch.get(), POLLIN, 0};
  return watch.valid() && poll(&events, 1, 0) == 1;
}

// What a reader left behind must not come before the next one's header.
void drain(const Descriptor& pipe) {
  const Descriptor fd(::open(name_of(pipe).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY));
  std::array<std::uint8_t, 4096> bytes{};
  while (fd.valid() && read(fd.get(), bytes.data(), bytes.size()) > 0) {
  }
}

nfbus::Error cannot_open(const std::string& path, int error) {
  return nfbus::util::cannot_open(path, {.fd = {}, .error = error, .refusal = {}});
}

void flatten(const Gather& from, std::vector<std::uint8_t>& to) {
  to.clear();
  to.reserve(from.size_bytes());
  for (const iovec& piece : from.pieces()) {
    const auto* const bytes = static_cast<const std::uint8_t*>(piece.iov_base);
    to.insert(to.end(), bytes, bytes + piece.iov_len);
  }
}

}  // namespace

void InPipe::add(std::uint32_t size_bytes, bool is_packet, std::uint32_t pages) {
  items_.push_back({size_bytes, pages, is_packet});
  bytes_ += size_bytes;
  pages_ += pages;
}

void InPipe::set_unread(std::uint64_t size_bytes) {
  while (first_ < items_.size() && bytes_ - items_[first_].size_bytes >= size_bytes) {
    bytes_ -= items_[first_].size_bytes;
    pages_ -= items_[first_].pages;
    ++first_;
  }
  if (first_ <= items_.size() / 2) return;
  items_.erase(items_.begin(), items_.begin() + static_cast<std::ptrdiff_t>(first_));
  first_ = 0;
}

std::uint64_t InPipe::packets() const {
  return static_cast<std::uint64_t>(std::count_if(items_.begin() + static_cast<std::ptrdiff_t>(first_), items_.end(),
                                                  [](const Item& item) { return item.is_packet; }));
}

Fifo::Fifo(nfbus::Host host, std::string path, const Encoding& encoding)
    : host_(host),
      path_(std::move(path)),
      encoder_(make_encoder(encoding)),
      missed_(host.counter("missed")),
      warning_(host) {
  encoder_->begin(false, extra_);
}

void Fifo::open(nfbus::Shape& shape) {
  look_after();
  shape.tick_ms = kTickMs;
}

nfbus::Result<void> Fifo::find() {
  const std::int64_t now = now_ns();
  if (now < found_until_ns_) return {};
  found_until_ns_ = 0;
  nfbus::Result<OutputPlace> place = nfbus::util::find_output(path_);
  if (!place.ok()) return std::move(place).error();
  place_ = std::move(place).value();
  found_until_ns_ = now + kLookNs;
  return {};
}

nfbus::Result<void> Fifo::accept() {
  if (readers_.size() >= kMaxReaders) {
    return nfbus::Error{nfbus::Code::busy, path_ + " has " + std::to_string(kMaxReaders) +
                                               " readers: no other gets in before one of them leaves"};
  }
  // The FIFO is that of a reader who is there.
  if (std::any_of(readers_.begin(), readers_.end(), [](const Reader& reader) { return !reader.owns_pipe; })) return {};
  if (nfbus::Result<void> found = find(); !found.ok()) return found;
  Opening opened = place_.open(O_WRONLY);
  if (opened.error == ENXIO) return {};  // nobody waits
  if (opened.error == ENOENT) {
    found_until_ns_ = 0;
    if (place_.by_link) return nfbus::util::cannot_open(path_, place_.make(O_WRONLY));
    const int error = place_.folder.make_fifo(place_.name, 0640);
    if (error != 0 && error != EEXIST) return cannot_open(path_, error);
    return {};
  }
  if (!opened.fd.valid()) return nfbus::util::cannot_open(path_, opened);
  Descriptor fd = std::move(opened.fd);
  struct stat found {};
  if (fstat(fd.get(), &found) != 0 || !S_ISFIFO(found.st_mode)) {
    return nfbus::Error{nfbus::Code::invalid, "cannot open " + path_ + ": it is there, and no FIFO; remove it"};
  }
  Reader reader;
  reader.fd = std::move(fd);
  left_pipe_.close();  // before its closing is watched
  if (shares_pipe_) drain(reader.fd);
  if (nfbus::Result<void> replaced = replace(reader.fd.get()); !replaced.ok()) {
    if (!std::exchange(shares_pipe_, true)) host_.warning(replaced.error().text);
    reader.owns_pipe = false;
    reader.closings = watch_closings(reader.fd);
  } else {
    shares_pipe_ = false;
  }
  take_in(std::move(reader));
  return {};
}

nfbus::Result<void> Fifo::replace(int fd) {
  const nfbus::util::OutputFolder& folder = place_.folder;
  const std::string next = place_.name + kNext;
  struct stat found {};
  if (fstat(fd, &found) != 0) return cannot_open(path_, errno);
  const auto failed = [&](const std::string& reason) {
    return nfbus::Error{nfbus::Code::io, "cannot give each reader of " + path_ + " a pipe of its own: " + reason +
                                             "; they share one, one after the other"};
  };
  const auto refused = [&](int error) {
    return failed(nfbus::util::reason(error) + ": let uid " + std::to_string(geteuid()) + " write to its folder " +
                  folder.path());
  };
  int error = folder.make_fifo(next, 0600);
  if (error == EEXIST) {
    struct stat left {};
    if (folder.stat_entry(next, left) == 0 && !S_ISFIFO(left.st_mode)) {
      return failed("remove " + folder.path_of(next) + ", which is in the way");
    }
    // A crash left it there.
    error = folder.remove(next);
    if (error == 0) error = folder.make_fifo(next, 0600);
  }
  if (error != 0) return refused(error);
  if (output::leads_elsewhere(fd, path_)) {
    (void)folder.remove(next);
    return {};  // somebody has replaced it already
  }
  // Who made the FIFO chose who may read it.
  if (error = folder.give_fifo_away(next, found); error == 0) error = folder.rename(next, place_.name);
  if (error == 0) return {};
  (void)folder.remove(next);
  return refused(error);
}

void Fifo::take_in(Reader reader) {
  (void)fcntl(reader.fd.get(), F_SETPIPE_SZ, kPipeBytes);  // a smaller one will do
  const int capacity = fcntl(reader.fd.get(), F_GETPIPE_SZ);
  reader.capacity_pages = capacity > 0 ? pages_of(static_cast<std::size_t>(capacity)) : 1;
  extra_.clear();
  encoder_->join(extra_);
  flatten(extra_, flat_);
  if (write_extra(reader, flat_) != Written::whole) return;
  reader.descriptions = encoder_->descriptions();
  readers_.push_back(std::move(reader));
}

// All or nothing; a part of it ends the stream, for what came behind it could not be read.
Fifo::Written Fifo::write_whole(const Reader& reader, Bytes bytes) {
  output::NoSigpipe no_sigpipe;
  for (;;) {
    const ssize_t written = ::write(reader.fd.get(), bytes.data(), bytes.size());
    if (written == static_cast<ssize_t>(bytes.size())) return Written::whole;
    if (written >= 0) return Written::left;
    if (errno == EAGAIN) return Written::full;
    if (errno == EPIPE) no_sigpipe.raised();
    if (errno != EINTR) return Written::left;
  }
}

Fifo::Written Fifo::write_extra(Reader& reader, Bytes bytes) {
  const std::size_t pages = pages_of(bytes.size());
  if (bytes.size() > PIPE_BUF && reader.in_pipe.pages() + pages > reader.capacity_pages) return Written::full;
  const Written written = write_whole(reader, bytes);
  if (written == Written::whole) {
    reader.in_pipe.add(static_cast<std::uint32_t>(bytes.size()), false, static_cast<std::uint32_t>(pages));
  }
  return written;
}

// A pipe takes up to PIPE_BUF bytes whole or not at all (pipe(7)), and what fits into its free pages: a write begins a
// page unless it fits into the last one.
std::size_t Fifo::end_of_piece(const Reader& reader, std::size_t first) const {
  const std::size_t begin = first == 0 ? 0 : run_.ends[first - 1];
  const std::size_t used = std::min(reader.in_pipe.pages(), reader.capacity_pages);
  const std::size_t room = std::max<std::size_t>((reader.capacity_pages - used) * page_bytes(), PIPE_BUF);
  const auto end =
      std::upper_bound(run_.ends.begin() + static_cast<std::ptrdiff_t>(first), run_.ends.end(), begin + room);
  return static_cast<std::size_t>(end - run_.ends.begin());
}

bool Fifo::describe(Reader& reader) {
  const std::size_t before_run = encoder_->descriptions_after(0);
  if (reader.descriptions >= before_run) return true;
  extra_.clear();
  encoder_->describe(reader.descriptions, before_run, extra_);
  std::vector<std::uint8_t> bytes;
  flatten(extra_, bytes);
  reader.in_pipe.set_unread(unread_bytes(reader.fd.get()));
  const Written written = write_extra(reader, bytes);
  if (written == Written::left) let_go(reader);
  if (written != Written::whole) return false;
  reader.descriptions = before_run;
  return true;
}

std::size_t Fifo::deliver(Reader& reader, std::int64_t until_ns) {
  const int fd = reader.fd.get();
  std::size_t at = 0;
  std::size_t unread = unread_bytes(fd);
  reader.in_pipe.set_unread(unread);
  std::int64_t patient_until_ns = now_ns() + kPatienceNs;
  while (at < run_.ends.size() && reader.fd.valid()) {
    const std::size_t begin = at == 0 ? 0 : run_.ends[at - 1];
    if (run_.ends[at] == begin) {
      ++at;  // refused: nothing to write
      continue;
    }
    const std::size_t end = end_of_piece(reader, at);
    if (end == at && unread == 0) break;  // more than the pipe holds at all
    const Written written =
        end == at ? Written::full : write_whole(reader, Bytes(flat_).subspan(begin, run_.ends[end - 1] - begin));
    if (written == Written::whole) {
      const std::size_t piece_end = run_.ends[end - 1];
      for (std::size_t packet = begin; at < end; packet = run_.ends[at++]) {
        if (run_.refusals[at] != nullptr) continue;
        const std::size_t pages = run_.ends[at] == piece_end ? pages_of(piece_end - begin) : 0;
        reader.in_pipe.add(static_cast<std::uint32_t>(run_.ends[at] - packet), true, static_cast<std::uint32_t>(pages));
      }
      unread = unread_bytes(fd);
      reader.in_pipe.set_unread(unread);
      reader.stopped = false;
      patient_until_ns = now_ns() + kPatienceNs;
      continue;
    }
    if (written == Written::left || has_left(fd)) {
      let_go(reader);
      break;
    }
    const std::int64_t now = now_ns();
    if (reader.stopped || now >= patient_until_ns || now >= until_ns) {
      if (!reader.stopped) host_.info("a reader of " + path_ + " does not read fast enough: it misses packets");
      reader.stopped = true;
      break;
    }
    sleep_ms(1);
    const std::size_t before = std::exchange(unread, unread_bytes(fd));
    reader.in_pipe.set_unread(unread);
    if (unread < before) patient_until_ns = now_ns() + kPatienceNs;
  }
  return at;
}

std::size_t Fifo::serve(Reader& reader, std::int64_t until_ns) {
  if (!describe(reader)) return 0;
  const std::size_t got = deliver(reader, until_ns);
  reader.descriptions = encoder_->descriptions_after(got);
  if (got < run_.ends.size() || !reader.fd.valid()) return got;
  // Statistics behind the last packet: nothing is lost without them.
  const Bytes rest = Bytes(flat_).subspan(run_.ends.back());
  if (!rest.empty()) (void)write_extra(reader, rest);
  return got;
}

Outcome Fifo::write(EventList events, Refusals& refusals) {
  look_after();
  if (events.empty()) return {};
  run_.clear();
  std::size_t reached = 0;
  if (!readers_.empty()) {
    encoder_->encode(events, Room{}, run_);
    flatten(run_.bytes, flat_);
    const std::int64_t until_ns = now_ns() + kLongestCallNs;
    for (Reader& reader : readers_) {
      const std::size_t got = serve(reader, until_ns);
      reached = std::max(reached, got);
      const auto missed = std::count(run_.refusals.begin() + static_cast<std::ptrdiff_t>(got), run_.refusals.end(),
                                     static_cast<const char*>(nullptr));
      reader.missed += static_cast<std::uint64_t>(missed);
      missed_.add(static_cast<std::uint64_t>(missed));
    }
    encoder_->commit(run_.ends.size());
    remove_departed();
  } else {
    // What the first packet says of its interface: libpcap opens a pcapng stream only when it has an interface.
    encoder_->encode(events.first(1), Room{}, run_);
    encoder_->commit(run_.ends.size());
    run_.clear();
  }
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (i < run_.refusals.size() && run_.refusals[i] != nullptr) {
      refusals.refused(i, run_.refusals[i]);
    } else if (i >= reached) {
      refusals.refused(i, "");  // nobody got it: that is no news
    }
  }
  return {.done = events.size(), .reason = {}};
}

void Fifo::remove_departed() {
  for (Reader& reader : readers_) {
    // One that closed a shared pipe, which still has a reader, was replaced within a moment.
    if (reader.fd.valid() && (has_left(reader.fd.get()) || has_seen_a_closing(reader.closings))) let_go(reader);
  }
  std::erase_if(readers_, [](const Reader& reader) { return !reader.fd.valid(); });
}

// What it left in its pipe goes with it.
void Fifo::let_go(Reader& reader) {
  reader.in_pipe.set_unread(unread_bytes(reader.fd.get()));
  const std::uint64_t unread = reader.in_pipe.packets();
  missed_.add(unread);
  reader.missed += unread;
  if (reader.missed != 0) {
    host_.info("a reader of " + path_ + " left and had missed " + std::to_string(reader.missed) + " packets");
  }
  left_pipe_.close();
  if (reader.owns_pipe || has_left(reader.fd.get())) {
    reader.fd.close();
  } else {
    left_pipe_ = std::move(reader.fd);
  }
}

void Fifo::look_after() {
  remove_departed();
  if (const nfbus::Result<void> accepted = accept(); !accepted.ok()) {
    warning_.met(accepted.error().text);
  } else {
    warning_.over();
  }
  left_pipe_.close();
}

void Fifo::close() {
  remove_departed();
  extra_.clear();
  encoder_->end(extra_);
  flatten(extra_, flat_);
  for (Reader& reader : readers_) {
    if (!flat_.empty()) (void)write_extra(reader, flat_);  // a slow reader ends without the statistics
  }
  readers_.clear();
  left_pipe_.close();
}

}  // namespace pcapsink
