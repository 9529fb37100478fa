#include "frame.hpp"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>

namespace pcapsink {
namespace {

constexpr std::size_t kAddressesBytes = 12;  // IEEE 802.3: what stands before the type
constexpr std::size_t kHeaderBytes = 14;

constexpr bool is_vlan_type(std::uint16_t type) noexcept {
  return type == 0x8100 || type == 0x88a8 || type == 0x9100;  // IEEE 802.1Q, 802.1ad, and what came before it
}

std::uint16_t load_be16(Bytes bytes) noexcept { return static_cast<std::uint16_t>(bytes[0] << 8U | bytes[1]); }

void store_be16(std::uint16_t value, std::uint8_t* out) noexcept {
  out[0] = static_cast<std::uint8_t>(value >> 8U);
  out[1] = static_cast<std::uint8_t>(value);
}

Bytes to_bytes(nfbus_bytes bytes) noexcept { return {bytes.data, bytes.size}; }

// Calls each(type, value) for all whole attributes: linux/netlink.h.
template <typename Each>
void for_each_attribute(Bytes bytes, Each each) noexcept {
  nlattr header{};
  while (bytes.size() >= sizeof header) {
    std::memcpy(&header, bytes.data(), sizeof header);
    const std::size_t size = header.nla_len;
    if (size < sizeof header || size > bytes.size()) return;
    each(static_cast<std::uint16_t>(header.nla_type & NLA_TYPE_MASK),
         bytes.subspan(sizeof header, size - sizeof header));
    bytes = bytes.subspan(std::min<std::size_t>(NLA_ALIGN(size), bytes.size()));
  }
}

// What the kernel said of a tagged packet, before decoding took its tags off.
struct Tagged {
  Bytes hw_header;
  Bytes l2_header;  // all from the hardware header to the network header, tags included
  Bytes payload;
  std::uint16_t type = 0;  // of the payload
  bool has_tag = false;    // one that was taken out of the frame
  std::uint16_t tag_protocol = 0x8100;
  std::uint16_t tag_control = 0;
};

Tagged read_tagged(Bytes record) noexcept {
  Tagged out;
  if (record.size() < sizeof(nfgenmsg)) return out;
  for_each_attribute(record.subspan(sizeof(nfgenmsg)), [&](std::uint16_t type, Bytes value) {
    if (type == NFULA_HWHEADER) out.hw_header = value;
    if (type == NFULA_L2HDR) out.l2_header = value;
    if (type == NFULA_PAYLOAD) out.payload = value;
    if (type == NFULA_PACKET_HDR && value.size() >= 2) out.type = load_be16(value);
    if (type != NFULA_VLAN) return;
    for_each_attribute(value, [&](std::uint16_t nested, Bytes part) {
      if (part.size() < 2) return;
      if (nested == NFULA_VLAN_PROTO) out.tag_protocol = load_be16(part);
      if (nested == NFULA_VLAN_TCI) {
        out.tag_control = load_be16(part);
        out.has_tag = true;
      }
    });
  });
  return out;
}

void add_tagged(const nfbus_event& event, Frame& frame) noexcept {
  const Tagged tagged = read_tagged(to_bytes(event.record));
  const Bytes header = tagged.l2_header.size() >= kHeaderBytes ? tagged.l2_header : to_bytes(event.hw_header);
  const Bytes payload = tagged.payload.empty() ? to_bytes(event.payload) : tagged.payload;
  const std::uint16_t type = load_be16(header.last<2>());
  if (!tagged.has_tag) {
    frame.add(header);
  } else if (is_vlan_type(type) && !is_vlan_type(tagged.type)) {
    // A replayed file: the tag's protocol is in the header, the rest of it was told beside the packet.
    store_be16(tagged.tag_control, frame.tag.data());
    store_be16(tagged.type, frame.tag.data() + 2);
    frame.add(header);
    frame.add(frame.tag);
  } else {
    store_be16(tagged.tag_protocol, frame.tag.data());
    store_be16(tagged.tag_control, frame.tag.data() + 2);
    frame.add(header.first(kAddressesBytes));
    frame.add(frame.tag);
    frame.add(header.subspan(kAddressesBytes));
  }
  frame.add(payload);
}

}  // namespace

const char* make_frame(const nfbus_event& event, Link link, Frame& frame) noexcept {
  frame.link = link;
  if (link != Link::ethernet) {
    Bytes body;
    if (const char* const refusal = find_body(event, link, body)) return refusal;
    frame.add(body);
  } else if ((event.layers & NFBUS_LAYER_ETHERNET) == 0) {
    return "the packet came without an Ethernet header";
  } else if ((event.layers & NFBUS_LAYER_VLAN) != 0) {
    add_tagged(event, frame);
  } else {
    frame.add(to_bytes(event.hw_header));
    frame.add(to_bytes(event.payload));
  }
  frame.original_bytes = frame.captured_bytes + cut_bytes(event, link);
  return nullptr;
}

}  // namespace pcapsink
