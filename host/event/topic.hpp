// Topics: each distinct log prefix is interned once, with the topic made from it.
#pragma once

#include "event/event.hpp"
#include "support/mutex.hpp"

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

namespace nfbus::host {

// Under which the host alone speaks, and what it says there to everybody.
inline constexpr std::string_view kOwnTopics = "nfbus:";
inline constexpr std::string_view kStatusTopic = "nfbus:status";
inline constexpr std::string_view kReloadTopic = "nfbus:reload";  // what clients send to have the host reload
inline constexpr std::string_view kLossTopic = "nfbus:loss";
inline constexpr std::string_view kSinkTopic = "nfbus:sink";

// topic_root + lower(trim(prefix)); spaces and tabs are trimmed, A-Z are lowered, other bytes stay as they are.
[[nodiscard]] std::string make_topic(std::string_view topic_root, std::string_view prefix);

// Without the blanks around it.
[[nodiscard]] std::string_view trim_prefix(std::string_view prefix) noexcept;

// Lower-cased and trimmed, as [[capture]] prefixes are written.
[[nodiscard]] std::string normalize_prefix(std::string_view prefix);

struct Topic {
  TopicId id;
  std::string prefix;      // raw
  std::string normalized;  // lower(trim(prefix))
  std::string topic;       // topic_root + normalized
};

// Interns prefixes. Entries live and keep their address as long as the table. Prefixes come from firewall rules, so
// there are few; a replayed file could bring any number, so past kMaxTopics new ones share one entry whose topic is
// the bare topic root (their events still carry their own raw prefix). Thread safety: any thread; a caller that keeps
// the Topic of the last few prefixes takes the lock only for new ones.
class TopicTable {
 public:
  static constexpr std::size_t kMaxTopics = 16384;

  explicit TopicTable(std::string topic_root);

  [[nodiscard]] const Topic& intern(std::string_view prefix);
  [[nodiscard]] const std::string& topic_root() const noexcept { return topic_root_; }

 private:
  const std::string topic_root_;
  Mutex mutex_;
  std::deque<Topic> topics_ NFBUS_GUARDED_BY(mutex_);  // [0] is the overflow entry
  std::unordered_map<std::string_view, const Topic*> by_prefix_ NFBUS_GUARDED_BY(mutex_);
};

}  // namespace nfbus::host
