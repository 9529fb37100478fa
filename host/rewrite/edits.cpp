#include "rewrite/edits.hpp"

#include "decode/decode.hpp"
#include "rewrite/checksums.hpp"
#include "support/json_text.hpp"
#include "support/utf8.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

namespace nfbus::host {

namespace {

constexpr std::string_view kOwnTopics = "nfbus:";

// The part of an Ethernet header that stands the same in a frame with VLAN tags.
constexpr std::size_t kMacBytes = 12;

bool is_control(char c) noexcept { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; }

bool is_address(std::string_view text) noexcept {
  std::array<char, INET6_ADDRSTRLEN> terminated{};
  if (text.size() >= terminated.size()) return false;
  text.copy(terminated.data(), text.size());
  std::array<std::uint8_t, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, terminated.data(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, terminated.data(), address.data()) == 1;
}

// One line of JSON.
bool is_json_line(std::string_view text) { return std::none_of(text.begin(), text.end(), is_control) && is_json(text); }

bool is_number(std::string_view text, bool integer) {
  if (text.empty() || text.find_first_not_of(integer ? "-0123456789" : "-+.eE0123456789") != std::string_view::npos) {
    return false;
  }
  return is_json_line(text);
}

bool is_value(std::string_view text, std::uint32_t type) {
  switch (type) {
    case NFBUS_VALUE_TEXT: return true;
    case NFBUS_VALUE_INTEGER: return is_number(text, true);
    case NFBUS_VALUE_NUMBER: return is_number(text, false);
    case NFBUS_VALUE_BOOLEAN: return text == "true" || text == "false";
    case NFBUS_VALUE_ADDRESS: return is_address(text);
    case NFBUS_VALUE_JSON: return is_json_line(text);
    default: return false;
  }
}

nfbus_text keep(std::string_view from, EditRoom& room) {
  const std::span<std::uint8_t> bytes = room.allocate(from.size());
  if (!from.empty()) std::memcpy(bytes.data(), from.data(), from.size());
  return {reinterpret_cast<const char*>(bytes.data()), from.size()};
}

bool lies_in(const std::uint8_t* data, nfbus_bytes record) noexcept {
  return data >= record.data && data < record.data + record.size;
}

// Reads `record` anew. What only the host knows stays, and so does the length on the wire.
void decode_anew(Event& event, std::span<const std::uint8_t> record) noexcept {
  Event fresh{};
  fresh.struct_size = sizeof(nfbus_event);
  static_cast<void>(read_record(record, fresh));
  decode_packet(fresh);
  fresh.action = event.action;
  fresh.group = event.group;
  fresh.time_ns = event.time_ns;
  fresh.topic = event.topic;
  fresh.in_name = event.in_name;
  fresh.out_name = event.out_name;
  fresh.ports = event.ports;
  fresh.fields = event.fields;
  fresh.field_count = event.field_count;
  fresh.packet_size = event.packet_size;
  fresh.lost_before = event.lost_before;
  fresh.batch = event.batch;
  fresh.topic_id = event.topic_id;
  fresh.index = event.index;
  fresh.origin = event.origin;
  fresh.is_changed = true;
  event = fresh;
}

// What decoding did not take for a header, such as another packet's or this one's own first bytes, is of no use to
// anyone, and may hold what the filter is about to hide: its attribute becomes one of no meaning.
void blank_false_headers(std::span<std::uint8_t> record, const Event& event) noexcept {
  const auto blank = [&](std::uint16_t type) {
    const Bytes value = find_attribute(record, type);
    if (value.empty()) return;
    const auto at = static_cast<std::size_t>(value.data() - record.data());
    std::fill_n(record.begin() + static_cast<std::ptrdiff_t>(at), value.size(), std::uint8_t{0});
    constexpr std::uint16_t kNone = NFULA_UNSPEC;
    std::memcpy(record.data() + at - NLA_HDRLEN + offsetof(nlattr, nla_type), &kNone, sizeof kNone);
  };
  if (event.hw_header.size == 0) {
    blank(NFULA_HWHEADER);
    blank(NFULA_L2HDR);
  }
  if (event.hw_address.size == 0) blank(NFULA_HWADDR);
}

// The frame's header as a bridge logs it stands beside the hardware header, and has the same addresses.
void rewrite_bridge_copy(std::span<std::uint8_t> record, const Event& event, std::size_t offset, Bytes bytes) noexcept {
  const Bytes l2 = find_attribute(record, NFULA_L2HDR);
  if (l2.empty() || l2.data() == event.hw_header.data || offset >= kMacBytes) return;
  const std::size_t end = std::min({offset + bytes.size(), kMacBytes, l2.size()});
  if (end <= offset) return;
  std::memcpy(record.data() + (l2.data() - record.data()) + offset, bytes.data(), end - offset);
}

}  // namespace

bool annotate(Event& event, const nfbus_field& field, EditRoom& room) {
  const std::string_view name = view(field.name);
  const std::string_view value = view(field.value);
  if (name.empty() || name.size() > NFBUS_MAX_FIELD_NAME || value.size() > NFBUS_MAX_FIELD_VALUE) return false;
  if (!is_value(value, field.type)) return false;
  const std::span<const nfbus_field> before(event.fields, event.field_count);
  const auto same =
      std::find_if(before.begin(), before.end(), [&](const nfbus_field& other) { return view(other.name) == name; });
  const std::size_t count = before.size() + (same == before.end() ? 1 : 0);
  if (count > NFBUS_MAX_FIELDS) return false;
  const std::span<std::uint8_t> bytes = room.allocate(count * sizeof(nfbus_field));
  auto* fields = reinterpret_cast<nfbus_field*>(bytes.data());  // an implicit-lifetime aggregate
  if (!before.empty()) std::memcpy(bytes.data(), before.data(), before.size_bytes());
  fields[same - before.begin()] = {
      .name = keep(name, room), .value = keep(value, room), .type = field.type, .reserved = 0};
  event.fields = fields;
  event.field_count = static_cast<std::uint32_t>(count);
  return true;
}

bool set_topic(Event& event, std::string_view topic, EditRoom& room) {
  if (topic.empty() || topic.size() > NFBUS_MAX_TOPIC || topic.starts_with(kOwnTopics)) return false;
  if (std::any_of(topic.begin(), topic.end(), is_control) || !is_utf8(topic)) return false;
  event.topic = keep(topic, room);
  event.topic_id = 0;
  event.is_changed = true;
  return true;
}

bool rewrite(Event& event, std::uint32_t part, std::size_t offset, Bytes bytes, EditRoom& room) {
  if (event.kind != NFBUS_EVENT_PACKET) return false;
  const nfbus_bytes* target = nullptr;
  if (part == NFBUS_PART_PAYLOAD) target = &event.payload;
  if (part == NFBUS_PART_HW_HEADER) target = &event.hw_header;
  if (part == NFBUS_PART_HW_ADDRESS) target = &event.hw_address;
  if (target == nullptr || offset > target->size || bytes.size() > target->size - offset) return false;
  if (bytes.empty()) return true;
  if (!lies_in(target->data, event.record)) return false;
  const std::span<std::uint8_t> record = room.allocate(event.record.size);
  std::memcpy(record.data(), event.record.data, event.record.size);
  const std::span<std::uint8_t> changed =
      record.subspan(static_cast<std::size_t>(target->data - event.record.data), target->size);
  if (part == NFBUS_PART_PAYLOAD) {
    write_and_mend_checksums(event, changed, offset, bytes);
  } else {
    std::memcpy(changed.data() + offset, bytes.data(), bytes.size());
    if (part == NFBUS_PART_HW_HEADER) rewrite_bridge_copy(record, event, offset, bytes);
  }
  blank_false_headers(record, event);
  decode_anew(event, record);
  return true;
}

bool cut(Event& event, std::size_t size_bytes, EditRoom& room) {
  if (event.kind != NFBUS_EVENT_PACKET) return false;
  if (size_bytes >= event.payload.size) return true;
  if (!lies_in(event.payload.data, event.record)) return false;
  const Bytes before(event.record.data, event.record.size);
  // Tags before the network header stand in the attribute and not in the payload.
  const Bytes attribute = find_attribute(before, NFULA_PAYLOAD);
  const auto value_at = static_cast<std::size_t>(attribute.data() - before.data());
  const auto payload_at = static_cast<std::size_t>(event.payload.data - before.data());
  const std::size_t value_bytes = payload_at - value_at + size_bytes;
  const Bytes behind = before.subspan(std::min(value_at + NLA_ALIGN(attribute.size()), before.size()));
  const std::size_t new_end = value_at + NLA_ALIGN(value_bytes);
  const std::span<std::uint8_t> record = room.allocate(new_end + behind.size());
  std::fill(record.begin(), record.end(), std::uint8_t{0});
  std::memcpy(record.data(), before.data(), value_at + value_bytes);
  if (!behind.empty()) std::memcpy(record.data() + new_end, behind.data(), behind.size());
  const auto length = static_cast<std::uint16_t>(NLA_HDRLEN + value_bytes);
  std::memcpy(record.data() + value_at - NLA_HDRLEN + offsetof(nlattr, nla_len), &length, sizeof length);
  blank_false_headers(record, event);
  decode_anew(event, record);
  return true;
}

}  // namespace nfbus::host
