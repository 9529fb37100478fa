#include "capture/intake.hpp"

#include "capture/egress.hpp"
#include "decode/decode.hpp"
#include "event/pattern.hpp"
#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <new>
#include <string_view>
#include <utility>

namespace nfbus::host {

namespace {

enum Forward : std::uint8_t { kForward = 1, kHold = 2 };

// Bounds a batch's events to well under a slab, whatever the size of the packets.
constexpr std::size_t kMaxBatchEvents = 1024;
static_assert(kMaxBatchEvents * sizeof(Event) < kSlabBytes);

// The kernel has just written a datagram, but not into the nearest cache: what decoding reads first is fetched in time.
constexpr std::size_t kAhead = 8;

void prefetch(Record record) noexcept {
  constexpr std::size_t kBytes = 192;  // attributes, and the headers of most packets
  for (std::size_t at = 0; at < std::min(record.size(), kBytes); at += 64) __builtin_prefetch(record.data() + at);
}

// No batch has it yet.
std::span<std::uint8_t> place_in(const SlabRef& slab, Record record) noexcept {
  const std::span<std::uint8_t> memory = slab->memory();
  return memory.subspan(static_cast<std::size_t>(record.data() - memory.data()), record.size());
}

bool matches(const CaptureConfig& config, std::string_view normalized) {
  return std::any_of(config.prefixes.begin(), config.prefixes.end(),
                     [&](const std::string& p) { return matches(p, normalized, Extent::beginning, false); });
}

}  // namespace

Intake::Intake(std::vector<CaptureSpec> captures, const SourceContext& context, Publish publish, Losses losses,
               InterfaceNames* names, Undeclared undeclared)
    : batches_(context.batches),
      publish_(std::move(publish)),
      losses_(losses),
      names_(names),
      undeclared_(undeclared),
      writer_(context.slabs),
      topics_(context.topics) {
  records_.reserve(kMaxBatchEvents);
  for (CaptureSpec& capture : captures) groups_.push_back(std::make_unique<Group>(std::move(capture)));
  ticking_.reserve(groups_.size());
  find_ticking();
}

void Intake::find_ticking() {
  ticking_.clear();
  for (const auto& group : own_groups()) {
    CaptureFilters* const filters = group->spec.filters.get();
    if (filters == nullptr || filters->next_tick() == CaptureFilters::Clock::time_point::max()) continue;
    ticking_.push_back(filters);
  }
}

// Groups may share filters: all of them say their last words before any is replaced, and each says them once.
void Intake::replace_filters(FiltersOfGroups& filters) noexcept {
  for (const auto& [number, next] : filters) {
    CaptureFilters* const before = group_of_number(number).spec.filters.get();
    if (before != nullptr) before->finish();
  }
  for (auto& [number, next] : filters) group_of_number(number).spec.filters.swap(next);
  find_ticking();
}

// Most packets are of the group of the one before, so that the search is seldom needed. Groups are added, never
// removed, and each has a place of its own: a reference stays good without the lock, which is for those who walk the
// list.
Intake::Group& Intake::group_of_number(std::uint16_t number) {
  if (last_group_ != nullptr && last_group_->spec.config.group == number) return *last_group_;
  const auto& groups = own_groups();
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group->spec.config.group == number; });
  if (found != groups.end()) return *(last_group_ = found->get());
  CaptureSpec capture;  // a file's group that the configuration does not name
  capture.config.group = number;
  if (undeclared_ == Undeclared::blocked && number != 0) {
    capture.config.action = Action::blocked;
    log::warning(fmt::format("group {} is not in the configuration: its packets count as blocked", number));
  }
  const MutexLock lock(mutex_);
  groups_.push_back(std::make_unique<Group>(std::move(capture)));
  return *(last_group_ = groups_.back().get());
}

ReadResult Intake::take(const SlabRef& slab, std::span<const Datagram> datagrams, std::int64_t now_ns,
                        std::span<const Beside> beside) {
  ReadResult taken;
  MessageCursor cursor(datagrams);
  while (Group* const group = next_run(cursor)) {
    publish_run(*group, slab, now_ns, beside.empty() ? beside : beside.subspan(taken.packets));
    taken.packets += records_.size();
  }
  taken.broken = cursor.broken();
  taken.answers = cursor.answers();
  taken.last_answer = cursor.last_answer();
  return taken;
}

// A batch is of one group, since its counters, action and filters are the group's. So a run ends where another group's
// record comes, which is read by then: it is kept as the first of the next run.
Intake::Group* Intake::next_run(MessageCursor& cursor) {
  records_.clear();
  Record record = pending_.data() != nullptr ? std::exchange(pending_, {}) : cursor.next();
  if (record.data() == nullptr) return nullptr;
  const Group* const likely =
      last_group_ == nullptr && !own_groups().empty() ? own_groups().front().get() : last_group_;
  // A record that is too broken to have a group is counted for the likeliest one.
  const std::uint16_t number = group_of(record, likely != nullptr ? likely->spec.config.group : 0);
  do {
    records_.push_back(record);
    record = cursor.next();
  } while (record.data() != nullptr && records_.size() < kMaxBatchEvents && group_of(record, number) == number);
  pending_ = record;
  return &group_of_number(number);
}

void Intake::publish_run(Group& group, const SlabRef& slab, std::int64_t now_ns, std::span<const Beside> beside) {
  const BatchRef batch = batches_.take();
  batch->keep(slab);
  ++batch_serial_;
  batch->reserve_events(writer_, records_.size());
  std::size_t decode_errors = 0;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    if (i + kAhead < records_.size()) prefetch(records_[i + kAhead]);
    Event& event = batch->add_event();
    if (may_be_egress(records_[i])) [[unlikely]]
      records_[i] = without_link_header(place_in(slab, records_[i]));
    if (!read_record(records_[i], event)) event.group = group.spec.config.group;
    // Before anything can leave the packet out: a gap in the sequence is a loss, whatever becomes of this packet.
    group.lost_before += count_gap(group, event);
    const Topic& topic = topics_.find(view(event.prefix));
    if (!forwarded(group, topic, view(event.prefix))) {
      batch->remove_last();
      continue;
    }
    // Only of what is forwarded: decoding is the dearest step here.
    decode_packet(event);
    if (!beside.empty()) {
      event.time_ns = beside[i].time_ns;
    } else if ((event.present & NFBUS_HAS_KERNEL_TIME) == 0) {
      event.time_ns = now_ns;
    }
    event.action = static_cast<std::uint8_t>(group.spec.config.action);
    event.topic = text(topic.topic);
    event.topic_id = topic.id;
    event.lost_before = std::exchange(group.lost_before, 0);
    decode_errors += event.decode_error.size != 0;
    if (names_ != nullptr) set_names(event, *batch);
    if (!beside.empty() && !beside[i].interface_name.empty()) {
      set_name_of_file(event, beside[i].interface_name, *batch);
    }
    // While the event is in the nearest cache; filters still change it, and then it is frozen with the others.
    if (!group.spec.filters) batch->freeze_next();
  }
  const std::size_t kept = batch->events().size();
  // Once for the batch, since each is a store that other threads see; the whole before its parts.
  group.received.add(records_.size());
  group.decode_errors.add(decode_errors);
  group.not_forwarded.add(records_.size() - kept);
  if (group.spec.filters && kept != 0) apply_filters(group, *batch);
  batch->freeze();
  const std::size_t published = batch->events().size();
  if (published == 0) return;
  publish_(batch);
  group.published.add(published);
}

void Intake::apply_filters(Group& group, Batch& batch) {
  // Filters drop events, and with an event what it says of losses before it. The sum before and after shows how much.
  const auto noted_losses = [&] {
    std::uint32_t lost = 0;
    for (const Event& event : batch.mutable_events()) lost += event.lost_before;
    return lost;
  };
  const std::uint32_t before = noted_losses();
  group.filtered.add(group.spec.filters->apply(batch, writer_));
  // What a dropped event would have told of losses, the first that stays tells, or one of the next batch.
  const std::uint32_t untold = before - noted_losses();
  if (batch.mutable_events().empty()) {
    group.lost_before += untold;
  } else {
    batch.mutable_events().front().lost_before += untold;
  }
}

int Intake::wait_ms(int most_ms) const noexcept {
  if (ticking_.empty()) return most_ms;
  auto next = CaptureFilters::Clock::time_point::max();
  for (const CaptureFilters* const filters : ticking_) next = std::min(next, filters->next_tick());
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(next - CaptureFilters::Clock::now()).count();
  const auto most = most_ms < 0 ? std::numeric_limits<int>::max() : most_ms;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, most));
}

void Intake::tick_filters() noexcept {
  if (ticking_.empty()) return;
  const auto now = CaptureFilters::Clock::now();
  for (CaptureFilters* const filters : ticking_) {
    if (filters->next_tick() <= now) filters->tick(now);
  }
}

void Intake::finish() noexcept {
  for (const auto& group : own_groups()) {
    if (group->spec.filters) group->spec.filters->finish();
  }
}

bool Intake::forwarded(Group& group, const Topic& topic, std::string_view prefix) {
  if (group.spec.config.prefixes.empty()) return true;
  // The table is full: the entry stands for many prefixes, so each packet's own one is judged.
  if (topic.prefix != prefix) return matches(group.spec.config, normalize_prefix(prefix));
  // Prefixes are compared once for each topic, not for each packet.
  if (group.forward.size() <= topic.id) group.forward.resize(topic.id + 1);
  std::uint8_t& judgement = group.forward[topic.id];
  if (judgement == 0) judgement = matches(group.spec.config, topic.normalized) ? kForward : kHold;
  return judgement == kForward;
}

std::uint32_t Intake::count_gap(Group& group, const Event& event) {
  if (losses_ == Losses::ignored || (event.present & NFBUS_HAS_SEQUENCE) == 0) return 0;
  const std::uint32_t gap = group.sequence.gap_before(event.sequence);
  if (gap == 0) return 0;
  group.lost.add(gap);
  group.gaps.add(1);
  return gap;
}

void Intake::set_names(Event& event, Batch& batch) {
  if ((event.present & NFBUS_HAS_IN) != 0) event.in_name = name_in_batch(event.in_index, batch);
  if ((event.present & NFBUS_HAS_OUT) != 0) event.out_name = name_in_batch(event.out_index, batch);
  if ((event.present & (NFBUS_HAS_PHYS_IN | NFBUS_HAS_PHYS_OUT)) != 0) [[unlikely]]
    set_port_names(event, batch);
}

void Intake::set_port_names(Event& event, Batch& batch) {
  nfbus_ports& ports = add_ports(event, batch);
  if ((event.present & NFBUS_HAS_PHYS_IN) != 0) ports.in_name = name_in_batch(event.phys_in_index, batch);
  if ((event.present & NFBUS_HAS_PHYS_OUT) != 0) ports.out_name = name_in_batch(event.phys_out_index, batch);
}

nfbus_ports& Intake::add_ports(Event& event, Batch& batch) {
  const std::span<std::uint8_t> room = batch.allocate(writer_, sizeof(nfbus_ports));
  auto* const ports = new (room.data()) nfbus_ports{};
  ports->struct_size = sizeof *ports;
  event.ports = ports;
  return *ports;
}

// A file has one name for a packet: that of a bridge's port rather than the bridge's.
void Intake::set_name_of_file(Event& event, std::string_view name, Batch& batch) {
  // Most packets are of the interface of the one before.
  if (file_name_copied_for_ != batch_serial_ || file_name_.data() != name.data()) {
    file_name_ = name;
    file_name_copied_for_ = batch_serial_;
    file_name_copy_ = {.data = copy_to(batch, name), .size = name.size()};
  }
  if ((event.present & NFBUS_HAS_PHYS_IN) != 0) {
    add_ports(event, batch).in_name = file_name_copy_;
  } else if ((event.present & NFBUS_HAS_IN) != 0) {
    event.in_name = file_name_copy_;
  } else if ((event.present & NFBUS_HAS_PHYS_OUT) != 0) {
    add_ports(event, batch).out_name = file_name_copy_;
  } else if ((event.present & NFBUS_HAS_OUT) != 0) {
    event.out_name = file_name_copy_;
  }
}

const char* Intake::copy_to(Batch& batch, std::string_view name) {
  const std::span<std::uint8_t> room = batch.allocate(writer_, name.size());
  std::memcpy(room.data(), name.data(), name.size());
  return reinterpret_cast<const char*>(room.data());
}

// Names change while batches live on, so each batch holds its own copy.
nfbus_text Intake::name_in_batch(std::uint32_t index, Batch& batch) {
  InterfaceNames::Name* const name = names_->find(index);
  if (name == nullptr) return {};
  if (name->copied_for != batch_serial_) {
    name->copy = copy_to(batch, {name->text, name->size});
    name->copied_for = batch_serial_;
  }
  return {.data = name->copy, .size = name->size};
}

void Intake::count_overrun(std::uint16_t group) { group_of_number(group).overruns.add(1); }

std::uint64_t Intake::gaps(std::uint16_t group) const {
  const MutexLock lock(mutex_);
  const auto found =
      std::find_if(groups_.begin(), groups_.end(), [&](const auto& g) { return g->spec.config.group == group; });
  return found == groups_.end() ? 0 : (*found)->gaps.get();
}

std::vector<CaptureSnapshot> Intake::snapshots() const {
  const MutexLock lock(mutex_);
  std::vector<CaptureSnapshot> rows;
  rows.reserve(groups_.size());
  for (const auto& group : groups_) {
    rows.push_back({.group = group->spec.config.group,
                    .action = group->spec.config.action,
                    .received = group->received.get(),
                    .lost = group->lost.get(),
                    .published = group->published.get(),
                    .not_forwarded = group->not_forwarded.get(),
                    .filtered = group->filtered.get(),
                    .decode_errors = group->decode_errors.get(),
                    .enobufs = group->gaps.get() + group->overruns.get(),
                    .unseen_drops = 0});
  }
  return rows;
}

}  // namespace nfbus::host
