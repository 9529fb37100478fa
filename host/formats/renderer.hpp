// Texts of events for one instance: from the batch's cache where the format is shared, else from its own scratch.
#pragma once

#include "formats/format.hpp"

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Thread safety: none; owned by the thread that serves the instance.
class Renderer {
 public:
  explicit Renderer(const FormatSet& formats) : formats_(formats) {}

  // The event's text, valid until release().
  [[nodiscard]] std::string_view render(const Event& event, FormatId id);
  // The call that handed the events over has returned: the scratch is reused.
  void release() noexcept;

 private:
  std::string_view keep(std::string_view text);

  const FormatSet& formats_;
  TextBuffer buffer_;                            // one event's text while it is made
  std::vector<std::unique_ptr<char[]>> chunks_;  // texts of this call; never moved, reused by the next call
  std::size_t chunk_ = 0;
  std::size_t used_ = 0;                        // of chunks_[chunk_]
  std::vector<std::unique_ptr<char[]>> large_;  // texts larger than a chunk; freed by release()
};

}  // namespace nfbus::host
