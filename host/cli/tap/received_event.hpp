// An event again, from the line that a host sent.
#pragma once

#include "event/event.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host {

// Thread safety: none.
class ReceivedEvent {
 public:
  // From a packet in the form "nflog" or "record", or a message. False: it is neither; event() is of no use then.
  bool read(const nlohmann::ordered_json& line);
  // Valid until the next read().
  [[nodiscard]] const nfbus_event& event() const noexcept { return event_; }

 private:
  struct Field {
    std::string name;
    std::string value;
  };
  void read_context(const nlohmann::ordered_json& line);

  Event event_{};
  std::string topic_, value_, in_name_, out_name_;
  std::vector<std::uint8_t> record_;
  std::vector<Field> fields_;
  std::vector<nfbus_field> views_;  // of fields_
};

}  // namespace nfbus::host
