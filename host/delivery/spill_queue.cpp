#include "delivery/spill_queue.hpp"

#include "record/record.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

namespace nfbus::host {

namespace {

// Read at once: as much as a call of a sink takes, about, since it all lies in memory beside what the queue may hold.
constexpr std::size_t kMostReadBytes = 1UL << 20U;

// A moment: until another thread has counted what it did.
constexpr std::chrono::milliseconds kJustNow{1};

// Written at once, as one that fails as a whole: a part of a segment, so that these fill up.
constexpr std::uint64_t kPortionsOfSegment = 4;

// A disk that refused a write is tried again so often.
constexpr std::chrono::seconds kRetryInterval{1};

// What time asks for, forcing to disk and the age of records, is looked at so often.
constexpr std::chrono::milliseconds kTickInterval{250};

// An event for which max_bytes is too small.
bool is_too_large(const Error& error, std::span<const spill::Draft> drafts) noexcept {
  return drafts.size() == 1 && error.code == Code::invalid;
}

}  // namespace

SpillQueue::SpillQueue(std::shared_ptr<MemoryQueue> memory, std::unique_ptr<spill::Store> store, spill::Mode mode,
                       std::string name)
    : memory_owner_(std::move(memory)),
      memory_(*memory_owner_),
      store_(std::move(store)),
      mode_(mode),
      name_(std::move(name)),
      portion_bytes_(store_->segment_bytes() / kPortionsOfSegment) {}

void SpillQueue::start(std::function<void()> wake) {
  for (const std::string& note : store_->notes()) log::warning(fmt::format("{}: spill: {}", name_, note));
  const std::uint64_t found = store_->snapshot().records;
  if (found != 0) log::info(fmt::format("{}: {} events of before are on disk, and are delivered first", name_, found));
  memory_.begin_spilling(found, store_->next_to_read(), mode_ == spill::Mode::always, std::move(wake));
}

bool SpillQueue::pull(std::vector<const QueueEntry*>& out, PullSize size, std::chrono::milliseconds age,
                      Clock::time_point deadline) {
  switch (memory_.pull_or_spilled(out, size, age, deadline)) {
    case Spilling::Pulled::over: return false;
    case Spilling::Pulled::taken: return true;
    case Spilling::Pulled::spilled: return read(out, std::max(size.most, size.enough));
  }
  return true;
}

bool SpillQueue::read(std::vector<const QueueEntry*>& out, std::size_t most) {
  const MutexLock reading(reader_mutex_);
  if (finished_) return true;
  const std::uint64_t damaged = store_->read(records_, most, kMostReadBytes);
  if (damaged != 0) {
    memory_.count_corrupted(damaged);
    log::repeated(log::Level::warning, name_,
                  fmt::format("spill: {} events on disk cannot be read: they are counted as corrupted", damaged));
  }
  if (!records_.empty()) return lease_records(out);
  // Nothing behind the damage will tell that it is done with. Else they had to go for newer ones just now, which is
  // about to be counted.
  if (damaged != 0) {
    note_progress(memory_.spill_progress(), store_->next_to_read());
  } else {
    std::this_thread::sleep_for(kJustNow);
  }
  return true;
}

// Entries of one kind each, with numbers one behind the other. False: the lease is over.
bool SpillQueue::lease_records(std::vector<const QueueEntry*>& out) {
  if (decoded_.size() < records_.size()) decoded_.resize(records_.size());
  std::size_t first = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    const bool is_event = decode(records_[i], i);
    const bool ends_run = !is_event || records_[i].kind != records_[first].kind;
    if (ends_run && !lease_run(std::exchange(first, i), i, out)) return false;
    if (is_event) continue;
    memory_.count_corrupted(1);
    first = i + 1;
  }
  return lease_run(first, records_.size(), out);
}

bool SpillQueue::decode(const spill::Record& record, std::size_t slot) {
  Decoded& into = decoded_[slot];
  into.event = {};
  into.event.struct_size = sizeof(nfbus_event);
  const auto decoded = record::decode(record.body, into.event, into.fields, into.ports);
  if (!decoded) {
    log::repeated(
        log::Level::warning, name_,
        fmt::format("spill: an event on disk cannot be read, and is counted as corrupted: {}", decoded.error().text));
  }
  return decoded.ok();
}

bool SpillQueue::lease_run(std::size_t first, std::size_t end, std::vector<const QueueEntry*>& out) {
  if (first == end) return true;
  run_.clear();
  for (std::size_t i = first; i < end; ++i) run_.push_back(&decoded_[i].event);
  const QueueEntry* const leased = memory_.lease_spilled({.batch = copy_events(run_),
                                                          .wanted = {},
                                                          .begin = 0,
                                                          .end = run_.size(),
                                                          .pushed_at = Clock::now(),
                                                          .first_record = records_[first].number});
  if (leased != nullptr) out.push_back(leased);
  return leased != nullptr;
}

bool SpillQueue::settle(const Settled& settled) {
  const MutexLock reading(reader_mutex_);
  // Before the progress is known: what is written for the reader's sake meanwhile is not in it.
  const std::uint64_t read_end = finished_ ? 0 : store_->next_to_read();
  SpillProgress progress;
  if (!memory_.settle_and_tell(settled, progress)) return false;
  if (progress.holds_records || progress_is_lost_) note_progress(progress, read_end);
  return true;
}

// read_end: the number behind the last record that was read.
void SpillQueue::note_progress(const SpillProgress& progress, std::uint64_t read_end) {
  if (finished_ || !progress.is_known) return;
  const auto noted = store_->settle(progress.frontier != 0 ? progress.frontier : read_end, progress.done);
  progress_is_lost_ = !noted.ok();
  if (noted) return;
  log::repeated(log::Level::warning, name_,
                fmt::format("spill: {}; what is delivered now may come again after a restart", noted.error().text));
}

void SpillQueue::let_go() { memory_.let_go(); }
void SpillQueue::interrupt() { memory_.interrupt(); }
QueueCounters SpillQueue::counters() const { return memory_.counters(); }

SpillSnapshot SpillQueue::spill() const {
  const spill::Snapshot now = store_->snapshot();
  SpillSnapshot out{.size_bytes = now.bytes};
  // The clock may have been set back.
  if (now.records != 0 && now.oldest_ns != 0) {
    out.oldest_age = std::chrono::nanoseconds(std::max<std::int64_t>(realtime_ns() - now.oldest_ns, 0));
  }
  return out;
}

void SpillQueue::fail() {
  const MutexLock reading(reader_mutex_);
  end_reading();
  memory_.fail();
}

// What was read and is not settled is on disk, and nowhere else, once the lease has ended.
void SpillQueue::end_reading() {
  if (finished_) return;
  const std::uint64_t read_end = store_->next_to_read();
  note_progress(memory_.spill_progress(), read_end);
  store_->rewind();
}

SpillQueue::Clock::time_point SpillQueue::step() {
  const auto now = Clock::now();
  if (now >= retry_at_ && !write_due(Spilling::Amount::excess)) retry_at_ = Clock::now() + kRetryInterval;
  tick();
  const auto next = Clock::now() + kTickInterval;
  return retry_at_ > now ? std::min(next, retry_at_) : next;
}

void SpillQueue::tick() {
  for (const std::string& news : store_->take_news()) log::warning(fmt::format("{}: spill: {}", name_, news));
  const auto ticked = store_->tick();
  if (!ticked) {
    say_failure(ticked.error());
  } else if (*ticked != 0) {
    memory_.evicted(*ticked);
  }
}

bool SpillQueue::write_due(Spilling::Amount amount) {
  for (;;) {
    entries_.clear();
    switch (memory_.next_to_spill(entries_, amount)) {
      case Spilling::Next::nothing: return true;
      case Spilling::Next::lent:
        if (!write_lent()) return false;
        break;
      case Spilling::Next::taken:
        if (!write_taken()) return false;
        break;
    }
  }
}

void SpillQueue::encode_entries() {
  bytes_.clear();
  ends_.clear();
  for (const QueueEntry& entry : entries_) {
    for (std::size_t i = entry.begin; i < entry.end; ++i) {
      // The only failure is an event of 4 GiB, which no slab holds.
      static_cast<void>(record::encode(entry[i], bytes_));
      ends_.emplace_back(bytes_.size(), entry[i].kind);
    }
  }
  drafts_.clear();
  std::size_t begin = 0;
  for (const auto& [end, kind] : ends_) {
    drafts_.push_back({.kind = kind, .body = std::span(bytes_).subspan(begin, end - begin)});
    begin = end;
  }
}

std::span<const spill::Draft> SpillQueue::portion(std::size_t first) const {
  std::size_t bytes = drafts_[first].body.size();
  std::size_t end = first + 1;
  while (end < drafts_.size() && bytes + drafts_[end].body.size() <= portion_bytes_)
    bytes += drafts_[end++].body.size();
  return std::span(drafts_).subspan(first, end - first);
}

// The worker has them already. Where a part cannot be written, all come again, and that part twice after a crash.
bool SpillQueue::write_lent() {
  encode_entries();
  std::uint64_t first_record = 0;
  for (std::size_t at = 0; at < drafts_.size();) {
    const auto some = portion(at);
    auto appended = store_->append(some, spill::Reader::has_them);
    if (!appended && is_too_large(appended.error(), some)) {
      // Its number is taken by a record that is no event: after a restart it would count as corrupted.
      drafts_[at].body = {};
      appended = store_->append(some, spill::Reader::has_them);
    }
    if (!appended) {
      say_failure(appended.error());
      memory_.lent_are_back();
      return false;
    }
    if (at == 0) first_record = appended->first;
    memory_.evicted(appended->evicted);
    at += some.size();
  }
  memory_.lent_are_spilled(entries_, first_record);
  return true;
}

bool SpillQueue::write_taken() {
  encode_entries();
  std::size_t written = 0;
  std::uint64_t evicted = 0;
  while (written < drafts_.size()) {
    const auto some = portion(written);
    const auto appended = store_->append(some);
    if (!appended && is_too_large(appended.error(), some)) {
      // It would keep all that is behind it from the disk.
      log::repeated(log::Level::warning, name_, fmt::format("spill: {}; the event is dropped", appended.error().text));
      ++evicted;
      ++written;
      continue;
    }
    if (!appended) {
      say_failure(appended.error());
      memory_.spilled(written, evicted, rest_of_entries(written));
      return false;
    }
    evicted += appended->evicted;
    written += some.size();
  }
  say_success();
  memory_.spilled(written, evicted, {});
  return true;
}

std::vector<QueueEntry> SpillQueue::rest_of_entries(std::size_t written) {
  std::vector<QueueEntry> rest;
  for (QueueEntry& entry : entries_) {
    const std::size_t gone = std::min(written, entry.size());
    written -= gone;
    entry.begin += gone;
    if (entry.size() != 0) rest.push_back(std::move(entry));
  }
  return rest;
}

void SpillQueue::say_failure(const Error& error) {
  if (std::exchange(failing_, true)) return;
  log::error(fmt::format("{}: spill: {}; what the memory has no room for is dropped meanwhile", name_, error.text));
}

void SpillQueue::say_success() {
  if (std::exchange(failing_, false)) log::info(fmt::format("{}: spill: it can be written to again", name_));
}

void SpillQueue::finish() {
  const MutexLock reading(reader_mutex_);
  if (finished_) return;
  end_reading();
  memory_.end_lease();
  tick();  // of what the worker held, some may have had to go for newer ones
  static_cast<void>(write_due(Spilling::Amount::all));
  const std::uint64_t left = memory_.counters().spilled;
  if (left != 0) log::info(fmt::format("{}: {} events stay on disk for the next start", name_, left));
  if (const auto closed = store_->close(); !closed)
    log::error(fmt::format("{}: spill: {}", name_, closed.error().text));
  finished_ = true;
}

}  // namespace nfbus::host
