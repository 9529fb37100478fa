#include "formats/format.hpp"

#include "formats/json_cut.hpp"
#include "formats/packet.hpp"
#include "formats/ulogd.hpp"

namespace nfbus::host {

void Format::render_within(const Event& event, std::size_t max_bytes, TextBuffer& out) const {
  constexpr std::string_view kMark = R"(,"Truncated":true})";
  const std::size_t begin = out.size();
  render(event, out);
  if (out.size() == begin) return;
  const std::size_t line_end = out.size();
  append_fields(event, out);
  if (out.size() - begin <= max_bytes) return;
  out.truncate(line_end - 1);
  out.append("}");
  json::cut(out, begin, max_bytes - kMark.size());
  out.truncate(out.size() - 1);
  out.append(kMark);
  append_fields_within(event, begin + max_bytes, out);
}

void Format::append_fields_within(const nfbus_event& event, std::size_t end_bytes, TextBuffer& out) const {
  constexpr std::string_view kHead = R"(,"Fields":)";
  const std::size_t line_end = out.size();
  append_fields(event, out);
  if (out.size() <= end_bytes) return;
  const std::size_t object = line_end - 1 + kHead.size();
  if (end_bytes < object + std::string_view("{}}").size()) {
    out.truncate(line_end - 1);
  } else {
    out.truncate(out.size() - 1);
    json::cut(out, object, end_bytes - object - 1);
  }
  out.append("}");
}

FormatSet::FormatSet(std::string_view device) {
  formats_[kUlogdFormat] = std::make_unique<UlogdFormat>(device);
  formats_[kPacketFormat] = std::make_unique<PacketFormat>(PacketFormat::Payload::none);
  formats_[kPacketFullFormat] = std::make_unique<PacketFormat>(PacketFormat::Payload::full);
}

}  // namespace nfbus::host
