// The writer's side of a store: records at its end, and what has to go for them.
#include "delivery/spill/crash_point.hpp"
#include "delivery/spill/store_impl.hpp"
#include "support/clock.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

namespace nfbus::host::spill {

namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kSyncBytes = 4 * kMiB;
constexpr std::chrono::seconds kSyncTime{1};
constexpr std::uint64_t kSpaceCheckBytes = kMiB;
constexpr std::size_t kKeepScratchBytes = kMiB;
constexpr std::uint64_t kSegmentsAtLeast = 4;  // of max_bytes: what goes at once is a part of it
constexpr int kMostTakenIds = 8;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::int64_t kAgeParts = 8;  // a segment takes records for so small a part of max_age
constexpr std::size_t kMostTimes = 512;

Result<std::uint64_t> random_seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, 0) != sizeof seed) return system_error("cannot get random bytes");
  return seed;
}

std::uint64_t batch_bytes(std::span<const Draft> drafts) {
  std::uint64_t bytes = 0;
  for (const Draft& draft : drafts) bytes += kRecordHeadBytes + draft.body.size();
  return bytes;
}

}  // namespace

std::uint64_t Store::Impl::segment_limit() const {
  return std::min(settings_.segment_bytes, settings_.max_bytes / kSegmentsAtLeast);
}

Result<Appended> Store::Impl::append(std::span<const Draft> drafts, Reader reader) {
  if (drafts.empty()) return Appended{.first = end(), .evicted = take_evicted()};
  const std::uint64_t bytes = batch_bytes(drafts);
  const bool too_large = std::ranges::any_of(
      drafts, [](const Draft& draft) { return draft.body.size() > std::numeric_limits<std::uint32_t>::max(); });
  if (too_large || kHeadBytes + bytes + kFooterBytes > settings_.max_bytes) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("{} records of {} bytes do not fit into the spill {}: its max_bytes is {}",
                                     drafts.size(), bytes, settings_.folder, settings_.max_bytes)};
  }
  const bool full = active_ && !active_->empty() && active_->offset() + bytes + kFooterBytes > segment_limit();
  if (active_ && (full || active_->spoiled())) retire_active();
  make_room(bytes + (active_ ? 0 : kHeadBytes + kFooterBytes));
  if (auto room = check_space(bytes); !room) return std::move(room).error();
  if (!active_) {
    if (auto begun = begin_segment(); !begun) return std::move(begun).error();
  }
  auto written = write_batch(drafts, bytes);
  if (!written && active_->spoiled()) {
    // What is in hand goes into a new segment at once, if that is all that is wrong.
    retire_active();
    if (settings_.sync != Sync::always) return std::move(written).error();
    if (auto begun = begin_segment(); !begun) return std::move(begun).error();
    written = write_batch(drafts, bytes);
  }
  if (!written) return std::move(written).error();
  const std::uint64_t first = active_->next() - drafts.size();
  publish(bytes, drafts.size(), reader);
  if (settings_.sync == Sync::interval && active_->unsynced() >= kSyncBytes) {
    if (const auto synced = active_->sync(); !synced) suspect(synced.error());
    synced_at_ = Clock::now();
  }
  return Appended{.first = first, .evicted = take_evicted()};
}

// min_free is looked at before each segment, and each kSpaceCheckBytes.
Result<void> Store::Impl::check_space(std::uint64_t bytes) {
  if (active_ && space_checked_bytes_ >= bytes) return {};
  std::uint64_t free = 0;
  if (files_.free_bytes(folder_.get(), free) != 0)
    return system_error("cannot tell what is free in " + settings_.folder);
  if (free >= settings_.min_free_bytes && free - settings_.min_free_bytes >= bytes) {
    space_checked_bytes_ = std::min(bytes + kSpaceCheckBytes, free - settings_.min_free_bytes);
    return {};
  }
  space_checked_bytes_ = 0;
  return Error{
      .code = Code::io,
      .text = fmt::format("the file system of {} has {} MiB free, of which min_free keeps {} MiB: make room, or "
                          "lower min_free",
                          settings_.folder, free / kMiB, settings_.min_free_bytes / kMiB)};
}

// The id is taken in the state before the file is there, so that no file is ever written over.
Result<void> Store::Impl::begin_segment() {
  const auto seed = random_seed();
  if (!seed) return seed.error();
  const MutexLock publishing(publishing_);
  for (int i = 1;; ++i) {
    SegmentHead head{.created_ns = realtime_ns(), .seed = *seed, .owner = settings_.owner};
    {
      const MutexLock lock(mutex_);
      head.id = next_id_++;
      oldest_free_id_ = head.id;
      head.first = end_;
    }
    if (auto reserved = write_state(true); !reserved) return reserved;
    crash_point("id_reserved");
    auto begun = SegmentWriter::begin(files_, folder_.get(), settings_.folder, head, settings_.sync != Sync::never);
    if (!begun && begun.error().code == Code::busy && i < kMostTakenIds) continue;
    if (!begun) return std::move(begun).error();
    active_ = std::move(begun).value();
    const MutexLock lock(mutex_);
    active_id_ = head.id;
    oldest_free_id_ = next_id_;
    segments_.push_back({.id = head.id,
                         .first = head.first,
                         .bytes = kHeadBytes + kFooterBytes,
                         .data_end = kHeadBytes,
                         .created_ns = head.created_ns,
                         .newest_ns = head.created_ns});
    bytes_ += kHeadBytes + kFooterBytes;
    return {};
  }
}

// One write. Small bodies are cheaper copied than gathered.
Result<void> Store::Impl::write_batch(std::span<const Draft> drafts, std::uint64_t bytes) {
  const std::uint64_t offset = active_->offset();
  const std::uint64_t first = active_->next();
  scratch_.resize(static_cast<std::size_t>(bytes));
  std::uint8_t* to = scratch_.data();
  std::uint64_t number = first;
  for (const Draft& draft : drafts) {
    put_record(active_->seed(), draft.kind, number++, draft.body, to);
    to += kRecordHeadBytes + draft.body.size();
  }
  auto written = active_->append(scratch_, drafts.size());
  if (scratch_.capacity() > kKeepScratchBytes) scratch_ = {};
  if (!written || settings_.sync != Sync::always) return written;
  auto synced = active_->sync();
  if (!synced) {
    suspect(synced.error());
    static_cast<void>(active_->take_back(offset, first));
  }
  return synced;
}

// The reader may have what was written.
void Store::Impl::publish(std::uint64_t bytes, std::size_t count, Reader reader) {
  const std::int64_t now = realtime_ns();
  space_checked_bytes_ -= std::min(space_checked_bytes_, bytes);
  const MutexLock lock(mutex_);
  Segment& segment = segments_.back();
  segment.data_end = active_->offset();
  segment.bytes += bytes;
  segment.newest_ns = now;
  bytes_ += bytes;
  if (times_.empty() || now - times_.back().ns >= kNsPerSecond || now < times_.back().ns) {
    if (times_.size() >= kMostTimes) {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < times_.size(); i += 2) times_[kept++] = times_[i];
      times_.erase(times_.begin() + static_cast<std::ptrdiff_t>(kept), times_.end());
    }
    times_.push_back({.number = end_, .ns = now});
  }
  // Where it has not read all before them it reads these when it gets there.
  const bool has_them = reader == Reader::has_them && read_to_ == end_;
  if (has_them && marks_.size() < kMostMarks)
    marks_.push_back({.number = end_, .segment = segment.id, .offset = active_->offset() - bytes});
  end_ += count;
  if (has_them) read_to_ = end_;
}

void Store::Impl::suspect(const Error& error) {
  add_news(to_string(error) + "; what it wrote is read as usual, but a power cut may take it; a new segment is begun");
}

// Completes the active segment, if there is one; without records it goes.
void Store::Impl::retire_active() {
  if (!active_) return;
  const bool empty = active_->empty();
  const std::uint64_t id = active_->id();
  std::uint64_t size = active_->offset();
  if (!empty) {
    if (const auto sealed = active_->seal(realtime_ns()); !sealed) {
      add_news(to_string(sealed.error()));
    } else if (!active_->spoiled()) {
      size += kFooterBytes;
    }
    if (settings_.sync != Sync::never) {
      if (const auto synced = active_->sync(); !synced) suspect(synced.error());
    }
    crash_point("segment_sealed");
  }
  active_.reset();
  if (empty) static_cast<void>(files_.unlink(folder_.get(), segment_name(id)));
  const MutexLock lock(mutex_);
  active_id_ = 0;
  Segment& segment = segments_.back();
  bytes_ -= segment.bytes;
  if (empty) {
    segments_.pop_back();
    return;
  }
  segment.bytes = size;
  bytes_ += size;
}

void Store::Impl::make_room(std::uint64_t bytes) {
  const auto dropped = drop_front(
      [&](const Segment& /*front*/) NFBUS_OWNERS_VIEW { return bytes_ + bytes > settings_.max_bytes; }, true);
  if (!dropped) add_news(to_string(dropped.error()));
}

void Store::Impl::drop_old(std::int64_t before_ns) {
  const auto dropped = drop_front([&](const Segment& front) { return front.newest_ns < before_ns; }, true);
  if (!dropped) add_news(to_string(dropped.error()));
}

std::uint64_t Store::Impl::take_evicted() {
  const MutexLock lock(mutex_);
  return evicted_ - std::exchange(told_evicted_, evicted_);
}

Result<std::uint64_t> Store::Impl::tick() {
  if (settings_.max_age.count() != 0) {
    const std::int64_t age = settings_.max_age.count() * kNsPerSecond;
    const std::int64_t now = realtime_ns();
    if (active_ && !active_->empty() && now - active_->created_ns() > std::max(age / kAgeParts, kNsPerSecond))
      retire_active();
    drop_old(now - age);
  }
  if (settings_.sync != Sync::never && Clock::now() - synced_at_ >= kSyncTime) {
    synced_at_ = Clock::now();
    if (active_) {
      if (const auto synced = active_->sync(); !synced) suspect(synced.error());
    }
    const MutexLock publishing(publishing_);
    if (const auto synced = state_file_.sync(); !synced) add_news(to_string(synced.error()));
  }
  return take_evicted();
}

}  // namespace nfbus::host::spill
