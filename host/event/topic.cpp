#include "event/topic.hpp"

#include <algorithm>

namespace nfbus::host {

std::string_view trim_prefix(std::string_view prefix) noexcept {
  constexpr std::string_view kBlank = " \t\r\n\v\f";
  const auto first = prefix.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return prefix.substr(first, prefix.find_last_not_of(kBlank) - first + 1);
}

std::string normalize_prefix(std::string_view prefix) {
  std::string out(trim_prefix(prefix));
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

std::string make_topic(std::string_view topic_root, std::string_view prefix) {
  return std::string(topic_root) + normalize_prefix(prefix);
}

TopicTable::TopicTable(std::string topic_root) : topic_root_(std::move(topic_root)) {
  topics_.push_back({.id = 1, .prefix = {}, .normalized = {}, .topic = topic_root_});
}

const Topic& TopicTable::intern(std::string_view prefix) {
  const MutexLock lock(mutex_);
  if (const auto found = by_prefix_.find(prefix); found != by_prefix_.end()) return *found->second;
  if (topics_.size() > kMaxTopics) return topics_.front();
  std::string normalized = normalize_prefix(prefix);
  std::string topic = topic_root_ + normalized;
  topics_.push_back({.id = static_cast<TopicId>(topics_.size() + 1),
                     .prefix = std::string(prefix),
                     .normalized = std::move(normalized),
                     .topic = std::move(topic)});
  const Topic& made = topics_.back();
  by_prefix_.emplace(made.prefix, &made);
  return made;
}

}  // namespace nfbus::host
