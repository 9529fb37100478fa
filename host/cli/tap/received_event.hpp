// An event again, from the line that a host sent.
#pragma once

#include "bus/server/wire_line.hpp"
#include "event/event.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// Thread safety: none.
class ReceivedEvent {
 public:
  enum class Kind : std::uint8_t {
    packet = 1,
    message,
    missed,   // nfbus:dropped
    answer,   // nfbus:answer
    unknown,  // a packet in a form that only another release reads
    odd,      // nothing of it is to be shown
  };

  // packet_root: the root of the topics that the host alone publishes under, when its packets were asked for in the
  // form "record": these lines are packets, and no others are. Nothing: every event is a message.
  explicit ReceivedEvent(std::optional<std::string> packet_root) : packet_root_(std::move(packet_root)) {}

  // Reads any line. The topic is found as the host finds it when it judges who may publish there.
  Kind read(std::string_view line);
  // Valid until the next read(), of packets and messages.
  [[nodiscard]] const nfbus_event& event() const noexcept { return event_; }
  [[nodiscard]] const std::string& value() const noexcept { return value_; }
  // Of missed: how many.
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
  // Of an answer: why a line was not taken; empty: it was. Of what is unknown: what it is and who reads it.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

 private:
  Kind read_missed();
  Kind read_answer();
  Kind read_packet();

  const std::optional<std::string> packet_root_;
  WireScanner scanner_;
  Event event_{};
  std::string topic_, value_, refusal_;
  std::uint64_t missed_ = 0;
  std::vector<std::uint8_t> record_;
  std::vector<nfbus_field> fields_;
  nfbus_ports ports_{};
};

}  // namespace nfbus::host
