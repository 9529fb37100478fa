// An NFLOG record: struct nfgenmsg and netlink attributes, linux/netfilter/nfnetlink_log.h.
#include "decode/decode.hpp"
#include "decode/ethernet.hpp"
#include "decode/fail.hpp"
#include "decode/reader.hpp"
#include "decode/vlan.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>

namespace nfbus::host {
namespace {

// struct nfgenmsg of linux/netfilter/nfnetlink.h.
class RecordHeader : public HeaderView<sizeof(nfgenmsg)> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint8_t family() const noexcept { return u8<0>(); }
  [[nodiscard]] std::uint16_t group() const noexcept { return u16<2>(); }
};

// Why an attribute is broken, by its type.
constexpr auto kBrokenAttribute = [] {
  std::array<nfbus_text, NFULA_MAX + 1> texts{};
  texts.fill(NFBUS_TEXT("NFLOG: attribute cut short"));
  texts[NFULA_PACKET_HDR] = NFBUS_TEXT("NFLOG: packet header attribute cut short");
  texts[NFULA_MARK] = NFBUS_TEXT("NFLOG: mark attribute cut short");
  texts[NFULA_TIMESTAMP] = NFBUS_TEXT("NFLOG: timestamp attribute cut short or out of range");
  texts[NFULA_IFINDEX_INDEV] = NFBUS_TEXT("NFLOG: input interface attribute cut short");
  texts[NFULA_IFINDEX_OUTDEV] = NFBUS_TEXT("NFLOG: output interface attribute cut short");
  texts[NFULA_IFINDEX_PHYSINDEV] = NFBUS_TEXT("NFLOG: input bridge port attribute cut short");
  texts[NFULA_IFINDEX_PHYSOUTDEV] = NFBUS_TEXT("NFLOG: output bridge port attribute cut short");
  texts[NFULA_PAYLOAD] = NFBUS_TEXT("NFLOG: payload attribute cut short");
  texts[NFULA_PREFIX] = NFBUS_TEXT("NFLOG: prefix attribute cut short");
  texts[NFULA_UID] = NFBUS_TEXT("NFLOG: uid attribute cut short");
  texts[NFULA_GID] = NFBUS_TEXT("NFLOG: gid attribute cut short");
  texts[NFULA_SEQ] = NFBUS_TEXT("NFLOG: sequence attribute cut short");
  texts[NFULA_HWTYPE] = NFBUS_TEXT("NFLOG: hardware type attribute cut short");
  texts[NFULA_HWADDR] = NFBUS_TEXT("NFLOG: hardware address attribute cut short");
  texts[NFULA_HWHEADER] = NFBUS_TEXT("NFLOG: hardware header attribute cut short");
  texts[NFULA_VLAN] = NFBUS_TEXT("NFLOG: VLAN attribute cut short");
  texts[NFULA_L2HDR] = NFBUS_TEXT("NFLOG: link-layer header attribute cut short");
  return texts;
}();

nfbus_text broken_attribute(std::size_t type) noexcept {
  return type < kBrokenAttribute.size() ? kBrokenAttribute[type] : kBrokenAttribute[NFULA_UNSPEC];
}

struct Attribute {
  std::uint16_t type;
  Bytes value;  // without the padding that aligns the next attribute
  bool whole;   // else value is what there is of it
};

// Takes the first attribute off `bytes`; false when there is none, or less than the header of one. Inlined: a call for
// each attribute of each packet shows in bench_decode.
[[gnu::always_inline]] inline bool take_attribute(Bytes& bytes, Attribute& attribute) noexcept {
  nlattr header{};
  if (bytes.size() < sizeof header) return false;
  std::memcpy(&header, bytes.data(), sizeof header);  // host byte order
  attribute.type = header.nla_type & NLA_TYPE_MASK;
  const std::size_t length = header.nla_len;
  // Most attributes have this size. A step by a constant lets the next one begin before this one's size is read.
  constexpr std::size_t kUsualBytes = NLA_HDRLEN + sizeof(std::uint32_t);
  if (length == kUsualBytes && bytes.size() >= kUsualBytes) [[likely]] {
    attribute.whole = true;
    attribute.value = bytes.subspan(sizeof header, sizeof(std::uint32_t));
    bytes = bytes.subspan(kUsualBytes);
    return true;
  }
  attribute.whole = length >= sizeof header && length <= bytes.size();
  if (attribute.whole) [[likely]] {
    attribute.value = bytes.subspan(sizeof header, length - sizeof header);
    bytes = bytes.subspan(std::min<std::size_t>(NLA_ALIGN(length), bytes.size()));
  } else {
    attribute.value = bytes.subspan(sizeof header);
    if (length < sizeof header) attribute.value = attribute.value.first(0);
    bytes = {};
  }
  return true;
}

// Where attributes go on behind one whose length is impossible: a place from which each of them is whole, up to the
// very end of the record; empty: there is none, or it is too far to look for. `bytes`: from behind the broken one's
// header.
[[gnu::cold, gnu::noinline]] Bytes find_chain(Bytes bytes) noexcept {
  constexpr std::uint16_t kMaxType = 63;  // of kernels to come, too
  constexpr int kMostSteps = 1024;
  int steps = 0;
  for (; bytes.size() >= NLA_HDRLEN && steps < kMostSteps; bytes = bytes.subspan(NLA_ALIGNTO)) {
    Bytes rest = bytes;
    Attribute attribute{};
    bool good = true;
    while (good && take_attribute(rest, attribute)) {
      good = attribute.whole && attribute.type != NFULA_UNSPEC && attribute.type <= kMaxType && ++steps < kMostSteps;
    }
    if (good && rest.empty()) return bytes;
  }
  return {};
}

// What is left to be read behind an attribute of `record` that is not whole; by value: the loops keep theirs in
// registers.
[[gnu::cold, gnu::noinline]] Bytes behind_broken(Attribute attribute, nfbus_bytes record) noexcept {
  const bool is_cut_payload = attribute.type == NFULA_PAYLOAD && !attribute.value.empty();
  return is_cut_payload ? Bytes{} : find_chain({attribute.value.data(), record.data + record.size});
}

// Values are big-endian. False when `bytes` is too short; then `value` stays.
bool read_value(Bytes bytes, std::uint16_t& value) noexcept {
  if (bytes.size() < 2) return false;
  value = load_be16(bytes.first<2>());
  return true;
}

bool read_value(Bytes bytes, std::uint32_t& value) noexcept {
  if (bytes.size() < 4) return false;
  value = load_be32(bytes.first<4>());
  return true;
}

bool read_optional(Bytes bytes, Event& event, std::uint32_t present, std::uint32_t& value) noexcept {
  if (!read_value(bytes, value)) return false;
  event.present |= present;
  return true;
}

bool read_packet_header(Bytes bytes, Event& event) noexcept {
  if (bytes.size() < sizeof(nfulnl_msg_packet_hdr)) return false;
  event.ether_type = load_be16(bytes.first<2>());
  event.hook = bytes[2];
  return true;
}

bool read_hw_address(Bytes bytes, Event& event) noexcept {
  constexpr std::size_t kBegin = offsetof(nfulnl_msg_packet_hw, hw_addr);
  constexpr std::size_t kMaxBytes = sizeof(nfulnl_msg_packet_hw::hw_addr);
  if (bytes.size() < kBegin + kMaxBytes) return false;
  const Bytes address = bytes.subspan(kBegin).first(std::min<std::size_t>(load_be16(bytes.first<2>()), kMaxBytes));
  event.hw_address = {address.data(), address.size()};
  return true;
}

bool read_timestamp(Bytes bytes, Event& event) noexcept {
  constexpr std::uint64_t kMaxSeconds = std::numeric_limits<std::int64_t>::max() / 1'000'000'000 - 1;
  if (bytes.size() < sizeof(nfulnl_msg_packet_timestamp)) return false;
  const std::uint64_t seconds = load_be64(bytes.first<8>());
  const std::uint64_t microseconds = load_be64(bytes.subspan<8, 8>());
  if (seconds > kMaxSeconds || microseconds >= 1'000'000) return false;
  event.time_ns = static_cast<std::int64_t>(seconds * 1'000'000'000 + microseconds * 1'000);
  event.present |= NFBUS_HAS_KERNEL_TIME;
  return true;
}

void read_prefix(Bytes bytes, Event& event) noexcept {
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  event.prefix = {text, bytes.empty() ? 0 : strnlen(text, std::min(bytes.size(), kMaxPrefixBytes))};
}

bool read_vlan(Bytes bytes, Event& event) noexcept {
  std::uint16_t protocol = kEtherTypeVlan;
  std::uint16_t tci = 0;
  bool has_tci = false;
  Attribute attribute{};
  while (take_attribute(bytes, attribute)) {
    if (!attribute.whole) return false;
    if (attribute.type == NFULA_VLAN_PROTO && !read_value(attribute.value, protocol)) return false;
    if (attribute.type == NFULA_VLAN_TCI) {
      if (!read_value(attribute.value, tci)) return false;
      has_tci = true;
    }
  }
  if (has_tci) note_vlan(event, protocol, tci);
  return has_tci;
}

// False when the value is too short for its type.
bool read_attribute(const Attribute& attribute, Event& event, Bytes& l2_header) noexcept {
  const Bytes value = attribute.value;
  switch (attribute.type) {
    case NFULA_PACKET_HDR: return read_packet_header(value, event);
    case NFULA_MARK: return read_optional(value, event, NFBUS_HAS_MARK, event.mark);
    case NFULA_TIMESTAMP: return read_timestamp(value, event);
    case NFULA_IFINDEX_INDEV: return read_optional(value, event, NFBUS_HAS_IN, event.in_index);
    case NFULA_IFINDEX_OUTDEV: return read_optional(value, event, NFBUS_HAS_OUT, event.out_index);
    case NFULA_IFINDEX_PHYSINDEV: return read_optional(value, event, NFBUS_HAS_PHYS_IN, event.phys_in_index);
    case NFULA_IFINDEX_PHYSOUTDEV: return read_optional(value, event, NFBUS_HAS_PHYS_OUT, event.phys_out_index);
    case NFULA_PAYLOAD: event.payload = {value.data(), value.size()}; return true;
    case NFULA_PREFIX: read_prefix(value, event); return true;
    case NFULA_UID: return read_optional(value, event, NFBUS_HAS_UID, event.uid);
    case NFULA_GID: return read_optional(value, event, NFBUS_HAS_GID, event.gid);
    case NFULA_SEQ: return read_optional(value, event, NFBUS_HAS_SEQUENCE, event.sequence);
    case NFULA_HWTYPE:
      if (!read_value(value, event.hw_type)) return false;
      event.present |= NFBUS_HAS_HW_TYPE;
      return true;
    case NFULA_HWADDR: return read_hw_address(value, event);
    case NFULA_HWHEADER: event.hw_header = {value.data(), value.size()}; return true;
    case NFULA_VLAN: return read_vlan(value, event);
    case NFULA_L2HDR: l2_header = value; return true;
    default: return true;
  }
}

void read_attributes(Bytes bytes, Event& event) noexcept {
  Bytes l2_header;
  Attribute attribute{};
  while (take_attribute(bytes, attribute)) {
    // The payload comes last, so it is what a capture file with a small snaplen cuts: what there is of it is of use.
    const bool readable = attribute.whole || attribute.type == NFULA_PAYLOAD;
    if (!readable || !read_attribute(attribute, event, l2_header) || !attribute.whole) [[unlikely]] {
      fail(event, broken_attribute(attribute.type));
      if (!attribute.whole) bytes = behind_broken(attribute, event.record);
    }
  }
  if (!bytes.empty()) fail(event, NFBUS_TEXT("NFLOG: attribute header cut short"));
  if (l2_header.empty()) return;
  // The bridge and netdev families give both; the hardware header then lacks tags.
  note_vlan_of_frame(event, l2_header);
  if (event.hw_header.size == 0) event.hw_header = {l2_header.data(), l2_header.size()};
}

// For records whose packet header attribute does not tell it: the kernel's own IP stack once left it at 0. Of other
// families a 0 was in the frame, so that the bytes are looked at only where there is no such attribute.
std::uint16_t guess_ether_type(const Event& event) noexcept {
  switch (event.family) {
    case NFPROTO_IPV4: return kEtherTypeIpv4;
    case NFPROTO_IPV6: return kEtherTypeIpv6;
    case NFPROTO_ARP: return kEtherTypeArp;
    default: break;
  }
  const Bytes header = find_attribute({event.record.data, event.record.size}, NFULA_PACKET_HDR);
  if (event.payload.size == 0 || header.size() >= sizeof(nfulnl_msg_packet_hdr)) return 0;
  switch (event.payload.data[0] >> 4U) {
    case 4: return kEtherTypeIpv4;
    case 6: return kEtherTypeIpv6;
    default: return 0;
  }
}

}  // namespace

bool read_record(std::span<const std::uint8_t> record, Event& event) noexcept {
  event.kind = NFBUS_EVENT_PACKET;
  event.record = {record.data(), record.size()};
  event.transport_offset = NFBUS_NO_OFFSET;  // also where no decode_packet() follows
  event.data_offset = NFBUS_NO_OFFSET;
  const auto header = Reader(record).peek<RecordHeader>();
  if (!header) {
    fail(event, NFBUS_TEXT("NFLOG: record header cut short"));
    return false;
  }
  event.family = header->family();
  event.group = header->group();
  read_attributes(record.subspan(RecordHeader::kSize), event);
  if (event.ether_type == 0) event.ether_type = guess_ether_type(event);
  return true;
}

Bytes find_attribute(Bytes record, std::uint16_t type) noexcept {
  if (record.size() < RecordHeader::kSize) return {};
  Bytes found;
  Bytes bytes = record.subspan(RecordHeader::kSize);
  Attribute attribute{};
  while (take_attribute(bytes, attribute)) {
    if (attribute.type == type && (attribute.whole || type == NFULA_PAYLOAD)) found = attribute.value;
    if (!attribute.whole) bytes = behind_broken(attribute, {record.data(), record.size()});
  }
  return found;
}

}  // namespace nfbus::host
