// Which topics are meant, as users write it: one rule for `topics` of sinks, `nfbus tap` and matches.
//
// A packet's topic is topic_root + lower(trim(prefix)), so that neither case counts in it, nor blanks around what
// stands below the root. A message's topic is what its publisher wrote, byte for byte. In both `*` is any run of bytes.
#pragma once

#include "event/pattern.hpp"

#include <string>
#include <string_view>

namespace nfbus::host {

// Immutable. Thread safety: any thread.
class TopicPattern {
 public:
  // [any] topic_root: empty where it is not known; then blanks right behind it count.
  TopicPattern(std::string_view text, std::string_view topic_root, Extent extent);
  // [any] Topics of packets and messages that begin so, byte for byte: a `*` stands for itself.
  static TopicPattern beginning_with(std::string text);

  [[nodiscard]] bool fits_packet(std::string_view topic) const noexcept;
  [[nodiscard]] bool fits_message(std::string_view topic) const noexcept;

  // As it was written, and as packets' topics are compared with it: in lower case, without those blanks.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::string& of_packets() const noexcept { return of_packets_; }

  // Returns whether a topic that begins with `beginning`, in any case, may fit. false: none ever does.
  [[nodiscard]] bool may_fit_packet(std::string_view beginning) const;

  bool operator==(const TopicPattern&) const = default;

 private:
  TopicPattern(std::string text, Extent extent, bool is_literal);

  std::string text_;
  std::string of_packets_;
  Extent extent_;
  bool is_literal_ = false;
};

// [any] In lower case, without the blanks around it and around what stands below the root.
[[nodiscard]] std::string fold_topic(std::string_view text, std::string_view topic_root);

// [any] Returns whether a topic reads like a firewall rule's prefix: "drop:", "WAN in".
[[nodiscard]] bool sounds_like_rule(std::string_view topic);

}  // namespace nfbus::host
