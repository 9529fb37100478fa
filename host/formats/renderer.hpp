// Texts of events for one instance: from the batch's cache where the format is shared, else from its own scratch.
#pragma once

#include "formats/format.hpp"
#include "support/kept_memory.hpp"

#include <string_view>

namespace nfbus::host {

// Thread safety: none; owned by the thread that serves the instance.
class Renderer {
 public:
  explicit Renderer(const FormatSet& formats) : formats_(formats) {}

  // The event's text, valid until release().
  [[nodiscard]] std::string_view render(const Event& event, FormatId id);
  // The call that handed the events over has returned: the scratch is reused.
  void release() noexcept { kept_.clear(); }

 private:
  std::string_view keep(std::string_view text);

  const FormatSet& formats_;
  TextBuffer buffer_;              // one event's text while it is made
  KeptMemory kept_{256UL * 1024};  // the texts of this call
};

}  // namespace nfbus::host
