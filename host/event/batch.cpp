#include "event/batch.hpp"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>
#include <string>

namespace nfbus::host {

void Batch::reserve_events(SlabWriter& writer, std::size_t most) {
  const std::span<std::uint8_t> room = allocate(writer, most * sizeof(Event));
  events_ = reinterpret_cast<Event*>(room.data());  // Event is an implicit-lifetime aggregate
}

void Batch::adopt_events(Event* events, std::size_t count) noexcept {
  events_ = events;
  count_ = count;
}

std::span<std::uint8_t> Batch::allocate(SlabWriter& writer, std::size_t size_bytes) {
  if (size_bytes > writer.slab_bytes()) {
    keep(make_slab(size_bytes));
    return slabs_.back()->memory();
  }
  keep(writer.reserve(size_bytes));
  const std::span<std::uint8_t> room = writer.room().first(size_bytes);
  writer.commit(size_bytes);
  return room;
}

void Batch::keep(const SlabRef& slab) {
  for (const SlabRef& known : slabs_) {
    if (known.get() == slab.get()) return;
  }
  slabs_.push_back(slab);
}

void Batch::remove_dropped(std::span<const std::uint8_t> verdicts) {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < count_; ++i) {
    if (verdicts[i] == NFBUS_DROP) continue;
    if (kept != i) events_[kept] = events_[i];
    ++kept;
  }
  count_ = kept;
}

void Batch::find_topic(const Event& event) {
  const auto found =
      std::find_if(topics_.begin(), topics_.end(), [&](const TopicCount& topic) { return has_topic(event, topic); });
  last_topic_ = static_cast<std::size_t>(found - topics_.begin());
  if (found != topics_.end()) return;
  topics_.push_back({.topic_id = event.topic_id, .events = 0, .topic = view(event.topic)});
}

void Batch::freeze() {
  while (frozen_ != count_) freeze_next();
}

void Batch::clear() noexcept {
  texts_.clear();
  slabs_.clear();
  topics_.clear();
  events_ = nullptr;
  count_ = 0;
  frozen_ = 0;
  last_topic_ = 0;
  content_bytes_ = 0;
  set_origin({});
}

void BatchRef::reset() noexcept {
  Batch* batch = std::exchange(batch_, nullptr);
  if (batch == nullptr || batch->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (batch->pool_ != nullptr) {
    batch->pool_->give_back(batch);
  } else {
    delete batch;
  }
}

BatchPool::BatchPool(std::size_t keep_free) : keep_free_(keep_free) { free_.reserve(keep_free); }

BatchPool::~BatchPool() {
  for (Batch* batch : free_) delete batch;
}

BatchRef BatchPool::take() {
  {
    const MutexLock lock(mutex_);
    if (!free_.empty()) {
      Batch* batch = free_.back();
      free_.pop_back();
      return BatchRef(batch);
    }
  }
  auto batch = std::make_unique<Batch>();
  batch->pool_ = this;
  return BatchRef(batch.release());
}

void BatchPool::give_back(Batch* batch) noexcept {
  batch->clear();  // outside the lock: slabs go home here
  {
    const MutexLock lock(mutex_);
    if (free_.size() < keep_free_) {
      free_.push_back(batch);
      return;
    }
  }
  delete batch;
}

namespace {

constexpr std::size_t align_up(std::size_t size) noexcept {
  return (size + SlabWriter::kAlign - 1) & ~(SlabWriter::kAlign - 1);
}

// Copies what events point to into one exactly sized slab.
class Packer {
 public:
  explicit Packer(std::span<std::uint8_t> room) : room_(room) {}

  const std::uint8_t* bytes(const void* data, std::size_t size) {
    std::uint8_t* out = room_.data() + used_;
    if (size != 0) std::memcpy(out, data, size);
    used_ += align_up(size);
    return out;
  }
  nfbus_text pack(nfbus_text text) {
    return text.size == 0 ? nfbus_text{}
                          : nfbus_text{reinterpret_cast<const char*>(bytes(text.data, text.size)), text.size};
  }

 private:
  std::span<std::uint8_t> room_;
  std::size_t used_ = 0;
};

// A packet's payload, hardware header and prefix lie in its record; texts made elsewhere are copied one by one.
bool lies_in(const void* data, nfbus_bytes record) noexcept {
  const auto* at = static_cast<const std::uint8_t*>(data);
  return at != nullptr && at >= record.data && at < record.data + record.size;
}

std::size_t packed_bytes(const Event& event) noexcept {
  std::size_t size = align_up(event.record.size) + align_up(event.topic.size) + align_up(event.prefix.size) +
                     align_up(event.in_name.size) + align_up(event.out_name.size) + align_up(event.payload.size) +
                     align_up(event.hw_header.size) + align_up(event.hw_address.size) +
                     align_up(event.field_count * sizeof(nfbus_field));
  if (event.ports != nullptr) {
    size += align_up(sizeof *event.ports) + align_up(event.ports->in_name.size) + align_up(event.ports->out_name.size);
  }
  for (std::size_t i = 0; i < event.field_count; ++i) {
    size += align_up(event.fields[i].name.size) + align_up(event.fields[i].value.size);
  }
  return size;
}

void pack_event(Event& event, Packer& packer) {
  const nfbus_bytes old = event.record;
  const auto move = [&](const std::uint8_t* data, std::size_t size) -> const std::uint8_t* {
    if (size == 0) return nullptr;
    return lies_in(data, old) ? event.record.data + (data - old.data) : packer.bytes(data, size);
  };
  if (old.size != 0) event.record.data = packer.bytes(old.data, old.size);
  event.payload.data = move(event.payload.data, event.payload.size);
  event.hw_header.data = move(event.hw_header.data, event.hw_header.size);
  event.hw_address.data = move(event.hw_address.data, event.hw_address.size);
  event.topic = packer.pack(event.topic);
  event.prefix = packer.pack(event.prefix);
  event.in_name = packer.pack(event.in_name);
  event.out_name = packer.pack(event.out_name);
  if (event.ports != nullptr) {
    auto* ports =
        reinterpret_cast<nfbus_ports*>(const_cast<std::uint8_t*>(packer.bytes(event.ports, sizeof *event.ports)));
    ports->in_name = packer.pack(ports->in_name);
    ports->out_name = packer.pack(ports->out_name);
    event.ports = ports;
  }
  if (event.field_count == 0) return;
  auto* fields = reinterpret_cast<nfbus_field*>(
      const_cast<std::uint8_t*>(packer.bytes(event.fields, event.field_count * sizeof(nfbus_field))));
  for (std::size_t i = 0; i < event.field_count; ++i) {
    fields[i].name = packer.pack(fields[i].name);
    fields[i].value = packer.pack(fields[i].value);
  }
  event.fields = fields;
}

}  // namespace

BatchRef copy_events(std::span<const Event* const> events) {
  std::size_t size = align_up(events.size() * sizeof(Event));
  for (const Event* event : events) size += packed_bytes(*event);
  const SlabRef slab = make_slab(std::max(size, SlabWriter::kAlign));
  BatchRef batch(new Batch);
  batch->keep(slab);
  const auto memory = slab->memory();
  Packer packer(memory.subspan(align_up(events.size() * sizeof(Event))));
  auto* copies = reinterpret_cast<Event*>(memory.data());
  for (std::size_t i = 0; i < events.size(); ++i) {
    std::memcpy(static_cast<void*>(&copies[i]), events[i], sizeof(Event));
    pack_event(copies[i], packer);
  }
  batch->adopt_events(copies, events.size());
  batch->freeze();
  return batch;
}

BatchRef make_message(std::string_view topic, std::string_view text_view, std::int64_t time_ns, std::uint32_t uid,
                      const MessageOrigin& origin) {
  Event event{};
  event.struct_size = sizeof(nfbus_event);
  event.kind = NFBUS_EVENT_MESSAGE;
  event.time_ns = time_ns;
  event.uid = uid;
  event.present = NFBUS_HAS_UID;
  event.topic = text(topic);
  event.payload = {.data = reinterpret_cast<const std::uint8_t*>(text_view.data()), .size = text_view.size()};
  event.transport_offset = NFBUS_NO_OFFSET;
  event.data_offset = NFBUS_NO_OFFSET;
  const Event* const one = &event;
  BatchRef batch = copy_events({&one, 1});
  batch->set_origin(origin);
  return batch;
}

}  // namespace nfbus::host
