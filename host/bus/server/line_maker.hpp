// Makes the lines that the host itself sends: packets in every form, messages, markers.
#pragma once

#include "bus/server/line.hpp"
#include "bus/server/wire_form.hpp"
#include "formats/format.hpp"
#include "formats/renderer.hpp"
#include "formats/text_buffer.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Lines in a text form, messages and markers have at most kMostMadeBytes: what does not fit is shortened and marked.
// Thread safety: none.
class LineMaker {
 public:
  LineMaker(const FormatSet& formats, LineStore& store);
  LineMaker(const LineMaker&) = delete;
  LineMaker& operator=(const LineMaker&) = delete;

  // An event of a frozen batch, or what filters made of it.
  [[nodiscard]] LineRef packet(const Event& event, FormId form);
  [[nodiscard]] LineRef message(std::string_view topic, std::string_view text);
  // missed: lines that the client did not get since the last marker; total: ever.
  [[nodiscard]] LineRef marker(std::uint64_t missed, std::uint64_t total);

 private:
  [[nodiscard]] std::string_view event_text(const Event& event, FormatId format);
  [[nodiscard]] LineRef text_line(std::string_view topic, std::string_view value);
  [[nodiscard]] LineRef nflog_line(const Event& event);
  [[nodiscard]] LineRef record_line(const Event& event);
  // Ends the line that was begun with the value's key.
  [[nodiscard]] LineRef line_with_bytes(std::span<const std::uint8_t> value);
  void append(std::string_view text);
  void append_escaped(std::string_view text);

  const FormatSet& formats_;
  LineStore& store_;
  Renderer renderer_;
  TextBuffer line_;
  TextBuffer text_;
  std::vector<std::uint8_t> record_;
  std::array<FormatUse, kMaxFormats> uses_;
};

}  // namespace nfbus::host
