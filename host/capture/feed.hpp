// Takes what a source hands over that is neither the kernel nor a file: batches of records or of messages, all
// accounted for under its name.
#pragma once

#include "capture/chunk.hpp"
#include "capture/intake.hpp"
#include "capture/source.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace nfbus::host {

// An NFLOG message without its netlink header: nfgenmsg and attributes, which is a frame of DLT_NFLOG.
struct FedRecord {
  std::span<const std::uint8_t> bytes;
  std::int64_t time_ns;  // 0: now
};

struct FedMessage {
  std::string_view topic;
  std::string_view text;
  std::int64_t time_ns = 0;  // 0: now
};

// Its packets are published as allowed, whatever their group; its gaps are nobody's loss. What it is given is copied.
// Thread safety: take() on the source's thread, counters() from any.
class Feed {
 public:
  // lossless: take() waits until each subscriber has room. name: the source's.
  Feed(std::string name, bool lossless, const SourceContext& context);

  // Publishes the records in their order; one that is none, or larger than any can be, is malformed.
  void take(std::span<const FedRecord> records);
  // Publishes the messages in their order. Refused: under the topic root, which is that of packets, and what is the
  // host's own; malformed: without a topic, or with one beyond kMostTopicBytes.
  void take(std::span<const FedMessage> messages);

  [[nodiscard]] SourceSnapshot counters() const;

  static constexpr std::size_t kMostTopicBytes = 1024;

 private:
  const std::string name_;
  const std::string topic_root_;
  const Publish publish_;
  Intake intake_;
  RecordChunk chunk_;
  Counter received_, published_;  // messages that were taken
  Counter malformed_, refused_;   // of both kinds
};

}  // namespace nfbus::host
