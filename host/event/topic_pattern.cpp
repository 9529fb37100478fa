#include "event/topic_pattern.hpp"

#include "event/topic.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace nfbus::host {

namespace {

std::string lowered(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

}  // namespace

std::string fold_topic(std::string_view text, std::string_view topic_root) {
  const std::string root = lowered(topic_root);
  for (const std::string& topic : {lowered(text), normalize_prefix(text)}) {
    if (topic.starts_with(root)) return root + std::string(trim_prefix(std::string_view(topic).substr(root.size())));
  }
  return normalize_prefix(text);
}

TopicPattern::TopicPattern(std::string_view text, std::string_view topic_root, Extent extent)
    : text_(text), of_packets_(fold_topic(text, topic_root)), extent_(extent) {}

TopicPattern::TopicPattern(std::string text, Extent extent, bool is_literal)
    : text_(std::move(text)), of_packets_(text_), extent_(extent), is_literal_(is_literal) {}

TopicPattern TopicPattern::beginning_with(std::string text) { return {std::move(text), Extent::beginning, true}; }

bool TopicPattern::fits_packet(std::string_view topic) const noexcept {
  if (is_literal_) return topic.starts_with(text_);
  return matches(of_packets_, topic, extent_, true);
}

bool TopicPattern::fits_message(std::string_view topic) const noexcept {
  if (is_literal_) return topic.starts_with(text_);
  return matches(text_, topic, extent_, false);
}

bool TopicPattern::may_fit_packet(std::string_view beginning) const {
  if (extent_ == Extent::whole) return may_begin_with(of_packets_, lowered(beginning));
  return may_begin_with(of_packets_ + '*', lowered(beginning));
}

bool sounds_like_rule(std::string_view topic) {
  constexpr std::array<std::string_view, 41> kWords = {
      "accept", "accepted", "acc",      "allow", "allowed",  "block",   "blocked", "blk",  "deny",   "denied", "dmz",
      "drop",   "dropped",  "drp",      "fail",  "firewall", "forward", "fw",      "fwd",  "guest",  "in",     "inp",
      "input",  "iptables", "lan",      "log",   "mac",      "nft",     "out",     "outp", "output", "pass",   "passed",
      "pfw",    "reject",   "rejected", "rej",   "ufw",      "vpn",     "wan",     "wifi"};
  const std::string folded = normalize_prefix(topic);
  const std::size_t begin = std::min(folded.find_first_not_of("*[("), folded.size());
  const std::string word = folded.substr(begin, folded.find_first_not_of("abcdefghijklmnopqrstuvwxyz", begin) - begin);
  return std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

}  // namespace nfbus::host
