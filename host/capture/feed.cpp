#include "capture/feed.hpp"

#include "event/batch.hpp"
#include "support/clock.hpp"

#include <linux/netfilter/nfnetlink.h>
#include <unistd.h>

#include <utility>

namespace nfbus::host {

Feed::Feed(std::string name, bool lossless, const SourceContext& context)
    : name_(std::move(name)),
      topic_root_(context.topics.topic_root()),
      publish_(lossless ? context.publish_when_room : context.publish),
      intake_({}, context, publish_, Intake::Losses::ignored, nullptr),
      chunk_(intake_) {}

void Feed::take(std::span<const FedRecord> records) {
  const std::int64_t now = realtime_ns();
  for (const FedRecord& record : records) {
    if (record.bytes.size() < sizeof(nfgenmsg) || record.bytes.size() > RecordChunk::kMaxFrameBytes) {
      malformed_.add(1);
      continue;
    }
    chunk_.append({.bytes = record.bytes, .time_ns = record.time_ns == 0 ? now : record.time_ns});
  }
  chunk_.publish();
}

void Feed::take(std::span<const FedMessage> messages) {
  for (const FedMessage& message : messages) {
    if (message.topic.empty() || message.topic.size() > kMostTopicBytes) {
      malformed_.add(1);
    } else if (message.topic.starts_with(topic_root_) || message.topic.starts_with(kOwnTopics)) {
      refused_.add(1);
    } else {
      received_.add(1);
      publish_(make_message(message.topic, message.text, message.time_ns == 0 ? realtime_ns() : message.time_ns,
                            ::getuid()));
      published_.add(1);
    }
  }
}

// What waits for room has been received, and is not published yet.
SourceSnapshot Feed::counters() const {
  SourceSnapshot all = sum_of(name_, intake_.snapshots());
  all.published += published_.get();
  all.malformed = malformed_.get();
  all.refused = refused_.get();
  all.received += received_.get() + all.malformed + all.refused;
  return all;
}

}  // namespace nfbus::host
