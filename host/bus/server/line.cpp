#include "bus/server/line.hpp"

#include <cstring>
#include <new>

namespace nfbus::host {

void LineRef::reset() noexcept {
  Line* line = std::exchange(line_, nullptr);
  if (line == nullptr || --line->references != 0) return;
  line->store->live_bytes_ -= line->size + kLineOverheadBytes;
  ::operator delete(line);
}

LineRef LineStore::make(std::size_t size_bytes, char*& out) {
  auto* line = new (::operator new(sizeof(LineRef::Line) + size_bytes))
      LineRef::Line{.store = this, .references = 0, .size = static_cast<std::uint32_t>(size_bytes)};
  live_bytes_ += size_bytes + kLineOverheadBytes;
  LineRef made(line);
  out = made.text();
  return made;
}

LineRef LineStore::make(std::string_view text) {
  char* out = nullptr;
  LineRef line = make(text.size() + 1, out);
  std::memcpy(out, text.data(), text.size());
  out[text.size()] = '\n';  // NOLINT(*-pointer-arithmetic)
  return line;
}

}  // namespace nfbus::host
