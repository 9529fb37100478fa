// Frozen batches for tests, without a kernel: packets whose records are filled with a byte each.
#pragma once

#include "event/batch.hpp"
#include "event/topic.hpp"

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host::test {

// Pools and one writer, as a capture has them.
class Events {
 public:
  explicit Events(std::size_t slab_bytes = 64UL * 1024) : slabs_(slab_bytes, 4), writer_(slabs_) {}

  // One packet of `record_bytes` for each prefix.
  BatchRef packets(const std::vector<std::string>& prefixes, std::size_t record_bytes = 100) {
    BatchRef batch = batches_.take();
    const auto records = batch->allocate(writer_, prefixes.size() * record_bytes);
    batch->reserve_events(writer_, prefixes.size());
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      std::uint8_t* record = records.data() + i * record_bytes;
      std::memset(record, static_cast<int>(next_ & 0xffU), record_bytes);
      const Topic& topic = topics_.intern(prefixes[i]);
      Event& event = batch->add_event();
      event.kind = NFBUS_EVENT_PACKET;
      event.record = {.data = record, .size = record_bytes};
      event.payload = {.data = record + record_bytes / 2, .size = record_bytes / 2};
      event.topic = text(topic.topic);
      event.prefix = text(topic.prefix);
      event.topic_id = topic.id;
      event.sequence = next_++;
    }
    batch->freeze();
    return batch;
  }
  BatchRef packets(std::size_t count, const std::string& prefix = "lan:in ", std::size_t record_bytes = 100) {
    return packets(std::vector<std::string>(count, prefix), record_bytes);
  }

  TopicTable& topics() { return topics_; }
  SlabPool& slabs() { return slabs_; }
  BatchPool& batches() { return batches_; }
  SlabWriter& writer() { return writer_; }

 private:
  TopicTable topics_{"nft:"};
  SlabPool slabs_;
  BatchPool batches_{16};
  SlabWriter writer_;
  std::uint32_t next_ = 0;
};

}  // namespace nfbus::host::test
