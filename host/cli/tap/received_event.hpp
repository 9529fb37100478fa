// An event again, from the line that a host sent.
#pragma once

#include "bus/server/wire_line.hpp"
#include "event/event.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus::host {

// Thread safety: none.
class ReceivedEvent {
 public:
  enum class Kind : std::uint8_t {
    packet = 1,  // in the form "nflog" or "record", made by the host
    message,
    missed,  // nfbus:dropped
    answer,  // nfbus:answer
    odd,     // nothing of it is to be shown
  };

  // topic_root: what the host alone publishes under: no other line is taken for a packet.
  explicit ReceivedEvent(std::string topic_root) : topic_root_(std::move(topic_root)) {}

  // Reads any line. The topic is found as the host finds it when it judges who may publish there.
  Kind read(std::string_view line);
  // Valid until the next read(), of packets and messages.
  [[nodiscard]] const nfbus_event& event() const noexcept { return event_; }
  [[nodiscard]] const std::string& value() const noexcept { return value_; }
  // Of a packet: its record's length before it was cut.
  [[nodiscard]] std::uint32_t length() const noexcept { return length_; }
  // Of missed: how many.
  [[nodiscard]] std::uint64_t missed() const noexcept { return missed_; }
  // Of an answer: why a line was not taken; empty: it was.
  [[nodiscard]] const std::string& refusal() const noexcept { return refusal_; }

 private:
  struct Field {
    std::string name;
    std::string value;
  };
  Kind read_missed();
  Kind read_answer();
  Kind read_packet(const nlohmann::ordered_json& line);
  void read_context(const nlohmann::ordered_json& line);

  const std::string topic_root_;
  WireScanner scanner_;
  Event event_{};
  std::string topic_, value_, in_name_, out_name_, refusal_;
  std::uint32_t length_ = 0;
  std::uint64_t missed_ = 0;
  std::vector<std::uint8_t> record_;
  std::vector<Field> fields_;
  std::vector<nfbus_field> views_;  // of fields_
};

}  // namespace nfbus::host
