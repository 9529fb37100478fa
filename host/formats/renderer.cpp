#include "formats/renderer.hpp"

#include "event/batch.hpp"

#include <cstring>

namespace nfbus::host {

namespace {

constexpr std::size_t kChunkBytes = 256UL * 1024;

}  // namespace

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

void Renderer::release() noexcept {
  chunk_ = 0;
  used_ = 0;
  large_.clear();
}

std::string_view Renderer::keep(std::string_view text) {
  if (text.size() > kChunkBytes) {
    large_.emplace_back(new char[text.size()]);
    std::memcpy(large_.back().get(), text.data(), text.size());
    return {large_.back().get(), text.size()};
  }
  if (chunks_.empty() || kChunkBytes - used_ < text.size()) {
    if (!chunks_.empty()) ++chunk_;
    if (chunk_ == chunks_.size()) chunks_.emplace_back(new char[kChunkBytes]);
    used_ = 0;
  }
  char* out = chunks_[chunk_].get() + used_;
  if (!text.empty()) std::memcpy(out, text.data(), text.size());
  used_ += text.size();
  return {out, text.size()};
}

}  // namespace nfbus::host
