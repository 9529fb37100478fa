#include "formats/renderer.hpp"

#include "event/batch.hpp"

#include <cstdint>
#include <cstring>
#include <span>

namespace nfbus::host {

std::string_view Renderer::render(const Event& event, FormatId id) {
  const Format& format = formats_[id];
  const Event& origin = *event.origin;
  buffer_.clear();
  // Before its batch is frozen (a capture's filter asks), an event has no place in the cache; nor has one whose sink's
  // filters changed what the format shows outside of "Fields".
  const bool shows_another = event.is_changed && &event != &origin;
  if (origin.batch == nullptr || shows_another || !formats_.shared(id) || !format.renders_alike(event, origin)) {
    format.render(event, buffer_);
  } else {
    // The cached text is the one without fields, so that it also serves those whose filters added some.
    TextCache& cache = origin.batch->texts();
    std::string_view cached = cache.find(id, origin.index);
    if (cached.data() == nullptr) {
      format.render(origin, buffer_);
      cached = cache.insert(id, origin.index, origin.batch->events().size(), buffer_.view());
    }
    if (event.field_count == 0) return cached;
    buffer_.clear();
    buffer_.append(cached);
  }
  if (event.field_count != 0 && buffer_.size() != 0) format.append_fields(event, buffer_);
  return keep(buffer_.view());
}

std::string_view Renderer::keep(std::string_view text) {
  const std::span<std::uint8_t> room = kept_.allocate(text.size());
  if (!text.empty()) std::memcpy(room.data(), text.data(), text.size());
  return {reinterpret_cast<const char*>(room.data()), text.size()};
}

}  // namespace nfbus::host
