#include "formats/packet.hpp"

#include "formats/json_cut.hpp"
#include "formats/json_writer.hpp"
#include "formats/message.hpp"
#include "formats/packet_dhcp.hpp"
#include "formats/packet_dns.hpp"
#include "formats/time_text.hpp"

#include <algorithm>

namespace nfbus::host {

namespace {

using json::put;
using json::put_text;
using json::put_u32;
using json::put_u8;

constexpr std::string_view kDomainOfSource = "RecentDomainSrc";
constexpr std::string_view kDomainOfDestination = "RecentDomainDst";

// How one line is made.
struct Line {
  PacketLimits limits;
  bool full;                                       // with Contents and Payload
  bool truncated = false;                          // say so
  std::size_t message_bytes = PacketLimits::kAll;  // of the DNS or DHCP object
};

// More than all keys and numbers behind the layers.
constexpr std::size_t kTailRoom = 512;

bool stands_outside_of_fields(std::string_view name) noexcept {
  return name == kDomainOfSource || name == kDomainOfDestination;
}

// Null when the event does not have it.
const nfbus_text* find_field(const nfbus_event& event, std::string_view name) noexcept {
  for (std::uint32_t i = 0; i < event.field_count; ++i) {
    if (view(event.fields[i].name) == name) return &event.fields[i].value;
  }
  return nullptr;
}

// The first bytes of a text, not cut within a character.
std::string_view beginning(nfbus_text text, std::size_t max_bytes) noexcept {
  const std::string_view whole = view(text);
  if (whole.size() <= max_bytes) return whole;
  std::size_t size = max_bytes;
  while (size != 0 && (static_cast<unsigned char>(whole[size]) & 0xc0U) == 0x80U) --size;
  return whole.substr(0, size);
}

// What stands behind the layers, but for the fields: its texts as long as the line lets them be.
struct Tail {
  Tail(const nfbus_event& event, const PacketLimits& limits, std::string_view broken) noexcept
      : prefix(beginning(event.prefix, limits.text_bytes)),
        in_name(beginning(event.in_name, limits.text_bytes)),
        out_name(beginning(event.out_name, limits.text_bytes)),
        phys_in_name(beginning(port_in_name(event), limits.text_bytes)),
        phys_out_name(beginning(port_out_name(event), limits.text_bytes)),
        decode_error(event.decode_error.size != 0 ? beginning(event.decode_error, limits.text_bytes) : broken) {
    if (event.field_count == 0) return;
    source_field = find_field(event, kDomainOfSource);
    destination_field = find_field(event, kDomainOfDestination);
    if (source_field != nullptr) source_domain = beginning(*source_field, limits.text_bytes);
    if (destination_field != nullptr) destination_domain = beginning(*destination_field, limits.text_bytes);
  }

  [[nodiscard]] std::size_t room_bytes() const noexcept {
    return kTailRoom + json::kMaxEscapedByte * (prefix.size() + in_name.size() + out_name.size() + phys_in_name.size() +
                                                phys_out_name.size() + decode_error.size() + source_domain.size() +
                                                destination_domain.size());
  }

  std::string_view prefix;
  std::string_view in_name;
  std::string_view out_name;
  std::string_view phys_in_name;
  std::string_view phys_out_name;
  std::string_view decode_error;
  const nfbus_text* source_field = nullptr;
  const nfbus_text* destination_field = nullptr;
  std::string_view source_domain;
  std::string_view destination_domain;
};

char* put_tail(char* out, const nfbus_event& event, const Tail& tail, bool truncated) noexcept {
  if (tail.source_field != nullptr) {
    out = put(put_text(put(out, R"("RecentDomainSrc":")"), tail.source_domain), R"(",)");
  }
  if (tail.destination_field != nullptr) {
    out = put(put_text(put(out, R"("RecentDomainDst":")"), tail.destination_domain), R"(",)");
  }
  out = put_text(put(out, R"("Prefix":")"), tail.prefix);
  out = event.action == NFBUS_ACTION_BLOCKED ? put(out, R"(","Action":"blocked","Timestamp":")")
                                             : put(out, R"(","Action":"allowed","Timestamp":")");
  out = put_rfc3339(out, event.time_ns);
  out = put_text(put(out, R"(","InDev":")"), tail.in_name);
  out = put_text(put(out, R"(","OutDev":")"), tail.out_name);
  if ((event.present & NFBUS_HAS_PHYS_IN) != 0) {
    out = put_text(put(out, R"(","PhysInDev":")"), tail.phys_in_name);
  }
  if ((event.present & NFBUS_HAS_PHYS_OUT) != 0) {
    out = put_text(put(out, R"(","PhysOutDev":")"), tail.phys_out_name);
  }
  out = put_u32(put(out, R"(","Group":)"), event.group);
  if ((event.present & NFBUS_HAS_MARK) != 0) out = put_u32(put(out, R"(,"Mark":)"), event.mark);
  if ((event.present & NFBUS_HAS_UID) != 0) out = put_u32(put(out, R"(,"UID":)"), event.uid);
  if ((event.present & NFBUS_HAS_GID) != 0) out = put_u32(put(out, R"(,"GID":)"), event.gid);
  out = put_u8(put(out, R"(,"Hook":)"), event.hook);
  if ((event.present & NFBUS_HAS_SEQUENCE) != 0) out = put_u32(put(out, R"(,"Seq":)"), event.sequence);
  if (!tail.decode_error.empty()) {
    out = put(put_text(put(out, R"(,"DecodeError":")"), tail.decode_error), "\"");
  }
  if (truncated) out = put(out, R"(,"Truncated":true)");
  return put(out, "}");
}

// Appends the DNS or DHCP object, with a comma behind it; returns what is wrong with a broken one.
std::string_view append_message(const nfbus_event& event, bool full, std::size_t max_bytes, TextBuffer& out) {
  const std::size_t begin = out.size();
  std::string_view broken = append_dns(event, full, out);
  if (const std::string_view more = append_dhcp(event, full, out); broken.empty()) broken = more;
  if (out.size() - begin <= max_bytes) return broken;
  const std::size_t name_bytes = out.view().find('{', begin) - begin;
  if (max_bytes < name_bytes + std::string_view("{},").size()) {
    out.truncate(begin);
    return broken;
  }
  out.truncate(out.size() - 1);
  json::cut(out, begin + name_bytes, max_bytes - name_bytes - 1);
  out.append(",");
  return broken;
}

// How much of each of two payloads fits into `room` characters of base64, of both equally much unless one is shorter.
std::size_t equal_share(std::size_t one, std::size_t other, std::size_t room) noexcept {
  const std::size_t shorter = std::min(one, other);
  if (2 * json::base64_bytes(shorter) > room) return room / 8 * 3;
  return (room - json::base64_bytes(shorter)) / 4 * 3;
}

void render_line(const Event& event, const Line& line, TextBuffer& out) {
  PacketLayers layers(event, line.full, line.limits);
  char* at = out.room(layers.room_bytes() + kTailRoom);
  out.commit(layers.put_layers(put(at, "{")));
  std::string_view broken = layers.error();
  const std::string_view broken_message = append_message(event, line.full, line.message_bytes, out);
  if (broken.empty()) broken = broken_message;
  const Tail tail(event, line.limits, broken);
  at = out.room(tail.room_bytes());
  out.commit(put_tail(at, event, tail, line.truncated));
}

}  // namespace

void PacketFormat::render(const Event& event, TextBuffer& out) const {
  if (event.kind == NFBUS_EVENT_MESSAGE) return render_message(event, out);
  render_line(event, {.limits = {}, .full = full_}, out);
}

void PacketFormat::append_fields(const nfbus_event& event, TextBuffer& out) const {
  append_fields_object(
      event, out,
      event.kind == NFBUS_EVENT_MESSAGE ? [](std::string_view) { return true; }
                                        : [](std::string_view name) { return !stands_outside_of_fields(name); });
}

bool PacketFormat::renders_alike(const nfbus_event& event, const nfbus_event& other) const noexcept {
  if (event.kind == NFBUS_EVENT_MESSAGE || event.fields == other.fields) return true;
  return std::ranges::all_of(std::array{kDomainOfSource, kDomainOfDestination}, [&](std::string_view name) {
    const nfbus_text* const one = find_field(event, name);
    const nfbus_text* const two = find_field(other, name);
    return one == nullptr || two == nullptr ? one == two : view(*one) == view(*two);
  });
}

void PacketFormat::render_within(const Event& event, std::size_t max_bytes, TextBuffer& out) const {
  if (event.kind == NFBUS_EVENT_MESSAGE) return Format::render_within(event, max_bytes, out);
  const std::size_t begin = out.size();
  // A packet that alone is too long is not written out first.
  if (!full_ || json::base64_bytes(event.payload.size) < max_bytes) {
    render(event, out);
    append_fields(event, out);
    if (out.size() - begin <= max_bytes) return;
    out.truncate(begin);
  }
  if (full_ && render_with_shorter_payloads(event, max_bytes, out)) return;
  out.truncate(begin);
  // With the least that is allowed, 4,096 bytes, this leaves 32 bytes of each text and 8 options of each header.
  Line line{.limits = {.payload_bytes = 0, .options = max_bytes / 512, .text_bytes = max_bytes / 128},
            .full = false,
            .truncated = true,
            .message_bytes = 0};
  render_line(event, line, out);
  const std::size_t used_bytes = out.size() - begin;
  line.message_bytes = (max_bytes - std::min(used_bytes, max_bytes)) / (event.field_count == 0 ? 1 : 2);
  out.truncate(begin);
  render_line(event, line, out);
  append_fields_within(event, begin + max_bytes, out);
}

// False when the line is too long even without any payload; `out` then holds more than it did.
bool PacketFormat::render_with_shorter_payloads(const Event& event, std::size_t max_bytes, TextBuffer& out) const {
  const std::size_t begin = out.size();
  Line line{.limits = {.payload_bytes = 0}, .full = true, .truncated = true};
  render_line(event, line, out);
  append_fields(event, out);
  const std::size_t used_bytes = out.size() - begin;
  if (used_bytes > max_bytes) return false;
  const PacketLayers layers(event, true, {});
  line.limits.payload_bytes =
      equal_share(layers.network_payload_bytes(), layers.transport_payload_bytes(), max_bytes - used_bytes);
  out.truncate(begin);
  render_line(event, line, out);
  append_fields(event, out);
  return true;
}

}  // namespace nfbus::host
