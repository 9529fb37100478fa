#include "delivery/spill/store.hpp"

#include "delivery/spill/crash_point.hpp"
#include "delivery/spill/store_impl.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

namespace nfbus::host::spill {

namespace {

constexpr const char* kLockName = "lock";
constexpr std::size_t kMostNews = 64;

Error of_folder(const std::string& folder) {
  const int reason = errno;
  std::string text = fmt::format("cannot use the folder {}: {}", folder, error_reason(reason));
  if (reason == EPERM)
    text = fmt::format("the folder {} is not this user's: chown it to the user that nfbus runs as", folder);
  if (reason == ELOOP || reason == ENOTDIR)
    text = fmt::format("{} is a link or no folder: name the folder itself", folder);
  const bool forbidden = reason == EPERM || reason == EACCES || reason == EROFS;
  return {.code = forbidden ? Code::refused : Code::io, .text = std::move(text)};
}

}  // namespace

Store::Impl::Impl(Settings settings, Files& files, Handle folder, Handle lock, Recovered recovered,
                  StateFile state_file)
    : notes(std::move(recovered.notes)),
      settings_(std::move(settings)),
      files_(files),
      folder_(std::move(folder)),
      lock_(std::move(lock)),
      expected_(recovered.start),
      state_file_(std::move(state_file)),
      slot_(std::move(recovered.state)),
      segments_(std::move(recovered.segments)),
      next_id_(slot_.next_segment),
      oldest_free_id_(slot_.next_segment),
      begin_(recovered.start),
      end_(recovered.end),
      read_to_(recovered.start),
      frontier_(recovered.start),
      hint_{.number = slot_.hint_number, .segment = slot_.hint_segment, .offset = slot_.hint_offset} {
  for (const Segment& segment : segments_) bytes_ += segment.bytes;
  for (std::size_t i = 0; i < slot_.done_count; ++i) done_.add(slot_.done[i]);
  frontier_ = done_.end_of(frontier_);
  done_.drop_before(frontier_);
  expected_ = read_to_ = frontier_;
}

Result<std::unique_ptr<Store>> Store::open(Settings settings) {
  static RealFiles files;
  return open(std::move(settings), files);
}

Result<std::unique_ptr<Store>> Store::open(Settings settings, Files& files) {
  if (settings.owner.size() > kMaxOwnerBytes) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("the sink's name has {} bytes, a spill's owner {} at most", settings.owner.size(),
                                     kMaxOwnerBytes)};
  }
  Handle folder(files, files.open_folder(settings.folder, true));
  if (!folder.valid()) return of_folder(settings.folder);
  if (auto ours = refuse_foreign(files, folder.get(), settings); !ours) return std::move(ours).error();
  Handle lock(files, files.open(folder.get(), kLockName, Open::take));
  if (!lock.valid()) return system_error("cannot open " + settings.folder + "/" + kLockName);
  if (files.lock(lock.get()) != 0) {
    if (errno != EWOULDBLOCK) return system_error("cannot lock " + settings.folder + "/" + kLockName);
    return Error{.code = Code::busy,
                 .text = fmt::format("the spill in {} is in use by another nfbus, or by another sink of this one: stop "
                                     "that, or give each sink its own dir",
                                     settings.folder)};
  }
  auto recovered = recover(files, folder.get(), settings);
  if (!recovered) return std::move(recovered).error();
  auto state = StateFile::open(files, folder.get(), settings.folder, recovered->state);
  if (!state) return std::move(state).error();
  if (settings.sync != Sync::never) {
    if (auto synced = state->sync(); !synced) return std::move(synced).error();
    if (files.fsync_folder(folder.get()) != 0) return system_error("cannot force " + settings.folder + " to the disk");
  }
  auto impl = std::make_unique<Impl>(std::move(settings), files, std::move(folder), std::move(lock),
                                     std::move(recovered).value(), std::move(state).value());
  impl->drop_settled();
  return std::unique_ptr<Store>(new Store(std::move(impl)));
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Store::~Store() { static_cast<void>(impl_->close()); }
const std::vector<std::string>& Store::notes() const noexcept { return impl_->notes; }
Result<Appended> Store::append(std::span<const Draft> drafts, Reader reader) { return impl_->append(drafts, reader); }
Result<std::uint64_t> Store::tick() { return impl_->tick(); }
std::uint64_t Store::read(std::vector<Record>& out, std::size_t most, std::size_t most_bytes) {
  return impl_->read(out, most, most_bytes);
}
Result<void> Store::settle(std::uint64_t frontier, std::span<const Range> done) {
  return impl_->settle(frontier, done);
}
void Store::rewind() { impl_->rewind(); }
Snapshot Store::snapshot() const { return impl_->snapshot(); }
std::uint64_t Store::end() const { return impl_->end(); }
std::uint64_t Store::segment_bytes() const { return impl_->segment_limit(); }
std::uint64_t Store::next_to_read() const { return impl_->next_to_read(); }
std::vector<std::string> Store::take_news() { return impl_->take_news(); }
Result<void> Store::close() { return impl_->close(); }

std::uint64_t Store::Impl::end() const {
  const MutexLock lock(mutex_);
  return end_;
}

std::uint64_t Store::Impl::next_to_read() const {
  const MutexLock lock(mutex_);
  return read_to_;
}

Snapshot Store::Impl::snapshot() const {
  const MutexLock lock(mutex_);
  const std::uint64_t next = done_.end_of(std::max(read_to_, begin_));
  Snapshot out{.records = done_.missing({.first = next, .end = end_}), .bytes = bytes_, .corrupted = corrupted_};
  if (out.records == 0) return out;
  for (const Segment& segment : segments_) {
    if (segment.first > next && out.oldest_ns != 0) break;
    out.oldest_ns = segment.created_ns;
  }
  for (const Time& time : times_) {
    if (time.number > next) break;
    out.oldest_ns = std::max(out.oldest_ns, time.ns);
  }
  return out;
}

std::vector<std::string> Store::Impl::take_news() {
  const MutexLock lock(mutex_);
  return std::exchange(news_, {});
}

void Store::Impl::add_news(std::string text) {
  const MutexLock lock(mutex_);
  if (news_.size() < kMostNews) news_.push_back(std::move(text));
}

std::uint64_t Store::Impl::end_of_segment(std::size_t index) const {
  return index + 1 < segments_.size() ? segments_[index + 1].first : end_;
}

Result<void> Store::Impl::write_state(bool force) {
  {
    const MutexLock lock(mutex_);
    slot_.oldest_segment = segments_.empty() ? oldest_free_id_ : segments_.front().id;
    slot_.next_segment = next_id_;
    slot_.begin = begin_;
    slot_.frontier = frontier_;
    slot_.end = end_;
    slot_.hint_number = hint_.number;
    slot_.hint_segment = hint_.segment;
    slot_.hint_offset = hint_.offset;
    const std::vector<Numbers>& done = done_.ranges();
    slot_.done_count = std::min(done.size(), kMaxStateRanges);
    std::copy_n(done.begin(), slot_.done_count, slot_.done.begin());
  }
  if (auto written = state_file_.write(slot_); !written) return written;
  return force && settings_.sync != Sync::never ? state_file_.sync() : Result<void>();
}

// Takes segments from the front for as long as `which` says so, and removes their files. That they go is in the state
// before it is true: a crash between the two must not make their records look lost.
Result<void> Store::Impl::drop_front(const Which& which, bool evicts) {
  const MutexLock publishing(publishing_);
  std::vector<std::uint64_t> gone;
  {
    const MutexLock lock(mutex_);
    while (!segments_.empty() && segments_.front().id != active_id_) {
      const Segment& front = segments_.front();
      const std::uint64_t end = end_of_segment(0);
      if (!evicts && done_.end_of(std::max(frontier_, front.first)) < end) break;
      if (which && !which(front)) break;
      const Numbers unread{.first = std::max({front.first, read_to_, begin_}), .end = end};
      evicted_ += done_.missing(unread);
      evicted_unread_.add(unread);
      gone.push_back(front.id);
      bytes_ -= front.bytes;
      begin_ = std::max(begin_, end);
      segments_.pop_front();
    }
    while (times_.size() > 1 && times_[1].number <= begin_) times_.pop_front();
  }
  if (gone.empty()) return {};
  auto written = write_state(true);
  crash_point("deletion_published");
  for (const std::uint64_t id : gone) {
    if (files_.unlink(folder_.get(), segment_name(id)) != 0 && errno != ENOENT && written) {
      written = system_error(fmt::format("cannot remove {}/{}", settings_.folder, segment_name(id)));
    }
  }
  crash_point("unlinked");
  if (settings_.sync != Sync::never && files_.fsync_folder(folder_.get()) != 0 && written)
    written = system_error("cannot force " + settings_.folder + " to the disk");
  return written;
}

void Store::Impl::drop_settled() {
  if (const auto dropped = drop_front({}, false); !dropped) add_news(to_string(dropped.error()));
}

Result<void> Store::Impl::close() {
  if (std::exchange(closed_, true)) return {};
  retire_active();
  auto dropped = drop_front({}, false);
  Result<void> written;
  {
    const MutexLock publishing(publishing_);
    written = write_state(true);
  }
  crash_point("closed");
  reading_.reset();
  files_.unlock(lock_.get());
  lock_.close();
  return written ? dropped : written;
}

}  // namespace nfbus::host::spill
