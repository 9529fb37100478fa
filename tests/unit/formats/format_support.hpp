// Events for the tests of the text formats: from NFLOG records, captured or made here.
#pragma once

#include "decode/decode.hpp"
#include "event/event.hpp"
#include "formats/format.hpp"

#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host::test {

using Object = nlohmann::ordered_json;
using ByteVector = std::vector<std::uint8_t>;

inline ByteVector from_hex(std::string_view hex) {
  ByteVector bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(std::stoul(std::string(hex.substr(i, 2)), nullptr, 16)));
  }
  return bytes;
}

// Builds an NFLOG record: struct nfgenmsg and attributes.
class RecordBuilder {
 public:
  explicit RecordBuilder(std::uint8_t family, std::uint16_t ether_type, std::uint8_t hook) : record_{family, 0, 0, 1} {
    attribute(NFULA_PACKET_HDR,
              {static_cast<std::uint8_t>(ether_type >> 8U), static_cast<std::uint8_t>(ether_type), hook, 0});
  }
  RecordBuilder& attribute(std::uint16_t type, const ByteVector& body) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + body.size()), type};
    const std::size_t at = record_.size();
    record_.resize(at + sizeof header);
    std::memcpy(record_.data() + at, &header, sizeof header);
    record_.insert(record_.end(), body.begin(), body.end());
    record_.resize((record_.size() + 3) / 4 * 4);
    return *this;
  }
  RecordBuilder& text(std::uint16_t type, std::string_view body) {
    ByteVector bytes(body.size() + 1);
    std::ranges::copy(body, bytes.begin());
    return attribute(type, bytes);
  }
  RecordBuilder& number(std::uint16_t type, std::uint32_t value) {
    return attribute(type, {static_cast<std::uint8_t>(value >> 24U), static_cast<std::uint8_t>(value >> 16U),
                            static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)});
  }
  RecordBuilder& short_number(std::uint16_t type, std::uint16_t value) {
    return attribute(type, {static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)});
  }
  RecordBuilder& time(std::uint64_t sec, std::uint64_t usec) {
    ByteVector body;
    for (const std::uint64_t value : {sec, usec}) {
      for (unsigned shift = 64; shift != 0; shift -= 8) body.push_back(static_cast<std::uint8_t>(value >> (shift - 8)));
    }
    return attribute(NFULA_TIMESTAMP, body);
  }
  [[nodiscard]] const ByteVector& bytes() const { return record_; }

 private:
  ByteVector record_;
};

// An event and the record it points into.
class PacketEvent {
 public:
  explicit PacketEvent(ByteVector record) : record_(std::move(record)) {
    event.struct_size = sizeof(nfbus_event);
    event.kind = NFBUS_EVENT_PACKET;
    event.action = NFBUS_ACTION_BLOCKED;
    event.origin = &event;
    read_record(record_, event);
    decode_packet(event);
  }
  PacketEvent(const PacketEvent&) = delete;
  PacketEvent& operator=(const PacketEvent&) = delete;
  ~PacketEvent() = default;

  Event event{};

 private:
  ByteVector record_;
};

inline Event message_event(std::string_view topic, std::string_view message, std::int64_t time_ns) {
  Event event{};
  event.struct_size = sizeof(nfbus_event);
  event.kind = NFBUS_EVENT_MESSAGE;
  event.topic = text(topic);
  event.payload = {reinterpret_cast<const std::uint8_t*>(message.data()), message.size()};
  event.time_ns = time_ns;
  return event;
}

inline std::string rendered(const Event& event, std::string_view format = "ulogd") {
  const FormatSet formats("spr");
  TextBuffer buffer;
  const Format& chosen = formats[formats.find(format)];
  chosen.render(event, buffer);
  if (event.field_count != 0) chosen.append_fields(event, buffer);
  return std::string(buffer.view());
}

// The process' time zone while it lives, in POSIX notation (east of Greenwich is negative).
class TimeZone {
 public:
  explicit TimeZone(const char* zone) {
    setenv("TZ", zone, 1);
    tzset();
  }
  TimeZone(const TimeZone&) = delete;
  TimeZone& operator=(const TimeZone&) = delete;
  ~TimeZone() {
    unsetenv("TZ");
    tzset();
  }
};

}  // namespace nfbus::host::test
