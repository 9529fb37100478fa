// Makes the changes that a filter may make of an event: its fields, its topic, the bytes of its packet.
#pragma once

#include "decode/reader.hpp"
#include "event/event.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host {

// Keeps a filter's changes of events.
class EditRoom {
 public:
  EditRoom() = default;
  EditRoom(const EditRoom&) = delete;
  EditRoom& operator=(const EditRoom&) = delete;
  virtual ~EditRoom() = default;

  // The event to change and to go on with: `event` itself, or a stand-in for one that others see as it is.
  [[nodiscard]] virtual Event& writable(const nfbus_event& event) = 0;
  // Memory that lives as long as the events, aligned as a slab is. Throws std::bad_alloc.
  [[nodiscard]] virtual std::span<std::uint8_t> allocate(std::size_t size_bytes) = 0;
};

// Each changes one writable event, whose new parts are copied into `room`; the event is as it was when the answer is
// false: the argument is beyond the limits in nfbus/abi.h, or no value of its type, or there is no such place. Throw
// std::bad_alloc, and leave the event as it was.
[[nodiscard]] bool annotate(Event& event, const nfbus_field& field, EditRoom& room);
[[nodiscard]] bool set_topic(Event& event, std::string_view topic, EditRoom& room);
// part: NFBUS_PART_*. The checksums of IP, TCP, UDP, ICMP and ICMPv6 follow by RFC 1624: one that was right stays
// right, also where the packet was captured in part. The packet is decoded anew; its length on the wire stays.
[[nodiscard]] bool rewrite(Event& event, std::uint32_t part, std::size_t offset, Bytes bytes, EditRoom& room);
// Keeps the first bytes of the payload; its length on the wire stays.
[[nodiscard]] bool cut(Event& event, std::size_t size_bytes, EditRoom& room);

}  // namespace nfbus::host
