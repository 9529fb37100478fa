#include "record/record.hpp"

#include "decode/decode.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nfbus::host::record {

namespace {

// The fixed part. What belongs to the other kind of event is 0.
struct Header {
  std::uint8_t version = kVersion;
  std::uint8_t kind = 0;    // NFBUS_EVENT_*
  std::uint8_t flags = 0;   // Flag
  std::uint8_t action = 0;  // NFBUS_ACTION_* of a packet
  std::uint32_t field_count = 0;
  std::int64_t time_ns = 0;
  std::uint32_t lost_before = 0;  // of a packet
  std::uint32_t uid = 0;          // of a message
  std::uint16_t group = 0;        // of a packet, whose own bytes may be too short to tell
  std::uint8_t phys_in_name_bytes = 0;
  std::uint8_t phys_out_name_bytes = 0;
  std::uint32_t topic_bytes = 0;
  std::uint32_t in_name_bytes = 0;
  std::uint32_t out_name_bytes = 0;
  std::uint32_t fields_bytes = 0;  // with the three numbers before each
  std::uint32_t body_bytes = 0;
};

enum Flag : std::uint8_t {
  kBigEndianAttributes = 1,  // of a packet: netlink lengths and types are in the order of the machine that logged it
  kHasUid = 2,               // of a message
};
constexpr std::uint8_t kNativeAttributes = std::endian::native == std::endian::big ? kBigEndianAttributes : 0;

constexpr std::size_t kHeaderBytes = 48;
constexpr std::size_t kFieldHeaderBytes = 12;  // sizes of its name and of its value, and its type
constexpr std::uint64_t kMaxBytes = std::numeric_limits<std::uint32_t>::max();

// The one place that knows the order of the numbers, for writing and for reading.
template <class AnyHeader, class Visit>
void for_each_number(AnyHeader& header, Visit visit) {
  visit(header.version);
  visit(header.kind);
  visit(header.flags);
  visit(header.action);
  visit(header.field_count);
  visit(header.time_ns);
  visit(header.lost_before);
  visit(header.uid);
  visit(header.group);
  visit(header.phys_in_name_bytes);
  visit(header.phys_out_name_bytes);
  visit(header.topic_bytes);
  visit(header.in_name_bytes);
  visit(header.out_name_bytes);
  visit(header.fields_bytes);
  visit(header.body_bytes);
}

// Numbers are little-endian on every machine; both calls step over what they wrote or read.
template <class Number>
void put_number(Number number, std::span<std::uint8_t>& room) noexcept {
  const auto bits = static_cast<std::make_unsigned_t<Number>>(number);
  for (std::size_t i = 0; i < sizeof bits; ++i) room[i] = static_cast<std::uint8_t>(bits >> 8U * i);
  room = room.subspan(sizeof bits);
}

template <class Number>
void take_number(Bytes& bytes, Number& number) noexcept {
  std::make_unsigned_t<Number> bits = 0;
  for (std::size_t i = sizeof bits; i-- != 0;) bits = static_cast<decltype(bits)>(std::uint64_t{bits} << 8U | bytes[i]);
  number = static_cast<Number>(bits);
  bytes = bytes.subspan(sizeof bits);
}

Bytes take(Bytes& bytes, std::size_t size) noexcept {
  const Bytes taken = bytes.first(size);
  bytes = bytes.subspan(size);
  return taken;
}

nfbus_text as_text(Bytes bytes) noexcept { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

void append(std::vector<std::uint8_t>& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }
void append(std::vector<std::uint8_t>& out, nfbus_text text) {
  append(out, Bytes(reinterpret_cast<const std::uint8_t*>(text.data), text.size));
}

void append(std::vector<std::uint8_t>& out, const nfbus_field& field) {
  std::array<std::uint8_t, kFieldHeaderBytes> sizes{};
  std::span<std::uint8_t> room(sizes);
  put_number(static_cast<std::uint32_t>(field.name.size), room);
  put_number(static_cast<std::uint32_t>(field.value.size), room);
  put_number(field.type, room);
  append(out, sizes);
  append(out, field.name);
  append(out, field.value);
}

// A bridge port's name is the kernel's, of IFNAMSIZ bytes at most: one byte is room for its size.
nfbus_text beginning(nfbus_text name) noexcept {
  return {name.data, std::min<std::size_t>(name.size, std::numeric_limits<std::uint8_t>::max())};
}

Error malformed(std::string_view what) {
  return {.code = Code::invalid, .text = fmt::format("not an event record: {}", what)};
}

bool is_known_type(std::uint32_t type) noexcept {
  return type == NFBUS_VALUE_TEXT || type == NFBUS_VALUE_INTEGER || type == NFBUS_VALUE_NUMBER ||
         type == NFBUS_VALUE_BOOLEAN || type == NFBUS_VALUE_ADDRESS || type == NFBUS_VALUE_JSON;
}

// What of the header does not depend on the bytes behind it. Each value that says nothing has one spelling, so that
// the bytes of an event are always the same.
Result<void> check_values(const Header& header) {
  if (header.kind == NFBUS_EVENT_PACKET) {
    if ((header.flags & ~unsigned{kBigEndianAttributes}) != 0) return malformed("a packet has unknown flags");
    if (header.flags != kNativeAttributes) {
      return Error{.code = Code::unsupported,
                   .text = "an event record from a machine of the other byte order: read it on one like that"};
    }
    if (header.action > NFBUS_ACTION_BLOCKED) return malformed("a packet has an unknown action");
    if (header.uid != 0) return malformed("a packet has a message's uid");
    return {};
  }
  if (header.kind != NFBUS_EVENT_MESSAGE) return malformed("it is neither a packet nor a message");
  if ((header.flags & ~unsigned{kHasUid}) != 0) return malformed("a message has unknown flags");
  if (header.flags == 0 && header.uid != 0) return malformed("a message has a uid and says that it has none");
  if (header.action != 0 || header.lost_before != 0 || header.group != 0 || header.in_name_bytes != 0 ||
      header.out_name_bytes != 0 || header.phys_in_name_bytes != 0 || header.phys_out_name_bytes != 0) {
    return malformed("a message has values of a packet");
  }
  return {};
}

Result<void> read_header(Bytes bytes, Header& header) {
  if (bytes.empty()) return malformed("it is empty");
  // First of all: of another version nothing else is known, its size neither.
  if (const unsigned version = bytes.front(); version != kVersion) {
    return Error{.code = Code::unsupported,
                 .text = fmt::format("an event record of version {}, but this nfbus reads version {}: "
                                     "use one of the release that wrote it",
                                     version, kVersion)};
  }
  if (bytes.size() < kHeaderBytes) return malformed("its header is cut short");
  Bytes rest = bytes;
  for_each_number(header, [&](auto& number) { take_number(rest, number); });
  if (auto checked = check_values(header); !checked) return checked;
  const std::uint64_t stated = kHeaderBytes + std::uint64_t{header.topic_bytes} + header.in_name_bytes +
                               header.out_name_bytes + header.phys_in_name_bytes + header.phys_out_name_bytes +
                               header.fields_bytes + header.body_bytes;
  if (stated == bytes.size()) return {};
  return malformed(fmt::format("it tells of {} bytes and has {}", stated, bytes.size()));
}

Result<void> read_fields(Bytes bytes, std::uint32_t count, std::vector<nfbus_field>& fields) {
  fields.clear();
  // Checked before memory is taken for them.
  if (bytes.size() / kFieldHeaderBytes < count) return malformed("its fields have no room");
  fields.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (bytes.size() < kFieldHeaderBytes) return malformed("a field is cut short");
    std::uint32_t name_bytes = 0;
    std::uint32_t value_bytes = 0;
    take_number(bytes, name_bytes);
    take_number(bytes, value_bytes);
    std::uint32_t type = 0;
    take_number(bytes, type);
    if (std::uint64_t{name_bytes} + value_bytes > bytes.size()) return malformed("a field is cut short");
    nfbus_field& field = fields.emplace_back();
    field.name = as_text(take(bytes, name_bytes));
    field.value = as_text(take(bytes, value_bytes));
    field.type = type;
    if (!is_known_type(type)) return malformed(fmt::format("a field has the unknown type {}", type));
  }
  return bytes.empty() ? Result<void>{} : malformed("there are bytes behind its fields");
}

}  // namespace

Result<void> encode(const nfbus_event& event, std::vector<std::uint8_t>& out) {
  const bool is_packet = event.kind == NFBUS_EVENT_PACKET;
  const bool has_uid = !is_packet && (event.present & NFBUS_HAS_UID) != 0;
  std::uint8_t flags = is_packet ? kNativeAttributes : std::uint8_t{0};
  if (has_uid) flags = kHasUid;
  const nfbus_bytes body = is_packet ? event.record : event.payload;
  const nfbus_text in_name = is_packet ? event.in_name : nfbus_text{};
  const nfbus_text out_name = is_packet ? event.out_name : nfbus_text{};
  const nfbus_text phys_in_name = is_packet ? beginning(port_in_name(event)) : nfbus_text{};
  const nfbus_text phys_out_name = is_packet ? beginning(port_out_name(event)) : nfbus_text{};
  const std::span<const nfbus_field> fields(event.fields, event.field_count);
  std::uint64_t fields_bytes = 0;
  for (const nfbus_field& field : fields) {
    fields_bytes += std::uint64_t{kFieldHeaderBytes} + field.name.size + field.value.size;
  }
  const std::uint64_t total = kHeaderBytes + fields_bytes + event.topic.size + in_name.size + out_name.size +
                              phys_in_name.size + phys_out_name.size + body.size;
  if (total > kMaxBytes) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("an event of {} bytes is too large for a record, which ends at 4 GiB", total)};
  }
  const Header header = {.kind = event.kind,
                         .flags = flags,
                         .action = is_packet ? event.action : std::uint8_t{0},
                         .field_count = event.field_count,
                         .time_ns = event.time_ns,
                         .lost_before = is_packet ? event.lost_before : 0,
                         .uid = has_uid ? event.uid : 0,
                         .group = is_packet ? event.group : std::uint16_t{0},
                         .phys_in_name_bytes = static_cast<std::uint8_t>(phys_in_name.size),
                         .phys_out_name_bytes = static_cast<std::uint8_t>(phys_out_name.size),
                         .topic_bytes = static_cast<std::uint32_t>(event.topic.size),
                         .in_name_bytes = static_cast<std::uint32_t>(in_name.size),
                         .out_name_bytes = static_cast<std::uint32_t>(out_name.size),
                         .fields_bytes = static_cast<std::uint32_t>(fields_bytes),
                         .body_bytes = static_cast<std::uint32_t>(body.size)};
  std::array<std::uint8_t, kHeaderBytes> numbers{};
  std::span<std::uint8_t> room(numbers);
  for_each_number(header, [&](auto number) { put_number(number, room); });
  append(out, numbers);
  append(out, event.topic);
  append(out, in_name);
  append(out, out_name);
  append(out, phys_in_name);
  append(out, phys_out_name);
  for (const nfbus_field& field : fields) append(out, field);
  append(out, Bytes(body.data, body.size));
  return {};
}

Result<void> decode(Bytes bytes, Event& event, std::vector<nfbus_field>& fields, nfbus_ports& ports) {
  Header header;
  if (auto read = read_header(bytes, header); !read) return read;
  Bytes rest = bytes.subspan(kHeaderBytes);
  const Bytes topic = take(rest, header.topic_bytes);
  const Bytes in_name = take(rest, header.in_name_bytes);
  const Bytes out_name = take(rest, header.out_name_bytes);
  const Bytes phys_in_name = take(rest, header.phys_in_name_bytes);
  const Bytes phys_out_name = take(rest, header.phys_out_name_bytes);
  if (auto read = read_fields(take(rest, header.fields_bytes), header.field_count, fields); !read) return read;

  event = {};
  event.struct_size = sizeof(nfbus_event);
  event.kind = header.kind;
  event.topic = as_text(topic);
  event.fields = fields.data();
  event.field_count = header.field_count;
  if (header.kind == NFBUS_EVENT_MESSAGE) {
    event.payload = {.data = rest.data(), .size = rest.size()};
    event.uid = header.uid;
    event.present = (header.flags & kHasUid) != 0 ? NFBUS_HAS_UID : 0;
    event.transport_offset = NFBUS_NO_OFFSET;
    event.data_offset = NFBUS_NO_OFFSET;
  } else {
    // Broken kernel bytes are an event all the same, as they are to a capture; decode_error says what is wrong.
    static_cast<void>(read_record(rest, event));
    decode_packet(event);
    event.action = header.action;
    event.group = header.group;
    event.lost_before = header.lost_before;
    event.in_name = as_text(in_name);
    event.out_name = as_text(out_name);
    ports = {.struct_size = sizeof ports,
             .reserved = 0,
             .in_name = as_text(phys_in_name),
             .out_name = as_text(phys_out_name)};
    if (!phys_in_name.empty() || !phys_out_name.empty()) event.ports = &ports;
  }
  event.time_ns = header.time_ns;
  return {};
}

}  // namespace nfbus::host::record
