#include "formats/json_cut.hpp"

#include <array>
#include <string_view>

namespace nfbus::host::json {

namespace {

constexpr std::size_t kMaxDepth = 2;

// A place to cut at, and what is open there.
struct Cut {
  std::size_t size = 0;
  std::size_t depth = 0;
  std::array<char, kMaxDepth> closers{};
};

}  // namespace

void cut(TextBuffer& out, std::size_t begin, std::size_t max_bytes) {
  const std::string_view text = out.view().substr(begin);
  if (text.size() <= max_bytes) return;
  Cut here;
  Cut last;
  bool in_string = false;
  const auto note = [&](std::size_t size) {
    here.size = size;
    if (size + here.depth <= max_bytes) last = here;
  };
  std::size_t depth = 0;
  for (std::size_t i = 0; i < text.size() && i < max_bytes; ++i) {
    const char byte = text[i];
    if (in_string) {
      if (byte == '\\') ++i;
      if (byte == '"') in_string = false;
      continue;
    }
    switch (byte) {
      case '"': in_string = true; break;
      case '{':
      case '[':
        if (++depth > kMaxDepth) break;
        here.depth = depth;
        here.closers[depth - 1] = byte == '{' ? '}' : ']';
        note(i + 1);
        break;
      case '}':
      case ']':
        if (depth-- <= kMaxDepth) here.depth = depth;
        break;
      case ',':
        if (depth <= kMaxDepth) note(i);
        break;
      default: break;
    }
  }
  if (last.depth == 0) return;
  out.truncate(begin + last.size);
  for (std::size_t depth_left = last.depth; depth_left != 0; --depth_left) {
    out.append(std::string_view(&last.closers[depth_left - 1], 1));
  }
}

}  // namespace nfbus::host::json
