// A failure that lasts, and is met again and again, in the log once.
#pragma once

#include <nfbus/host.hpp>

#include <string>
#include <utility>

namespace output {

// Thread safety: none.
class LastingWarning {
 public:
  explicit LastingWarning(nfbus::Host host) noexcept : host_(host) {}

  // Warns, unless the same was said last.
  void met(const std::string& text) {
    if (text == text_) return;
    text_ = text;
    host_.warning(text);
  }
  // All is well. False: it was.
  bool over() { return !std::exchange(text_, {}).empty(); }

 private:
  const nfbus::Host host_;
  std::string text_;  // empty: all is well
};

}  // namespace output
