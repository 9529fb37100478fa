// What a rule has to say of an event, or of many.
#pragma once

#include <cstdint>
#include <string>

namespace rules {

// The three forms of rules, each with an API and a numbering of its own.
enum class Shape : std::uint8_t {
  notifications = 1,  // the mission document's: prefix, addresses, ports, devices
  alerts,             // SPR's: a topic's beginning, and conditions on its JSON
  rules,              // ours: a match, cooldown, first_seen, ...
};

struct Notification {
  Shape shape = Shape::rules;
  std::string rule = {};        // its name; empty: it has none
  std::string severity = {};    // "info", "success", "warning", "error", "danger"
  std::string title = {};       // one line, filled in; may be empty
  std::string message = {};     // filled in; may be empty
  std::string topic = {};       // the event's
  std::int64_t time_ns = 0;     // the newest event's
  std::uint64_t count = 1;      // of events that this one tells of
  std::uint32_t window_s = 0;   // within so many seconds; 0: it tells of one event
  bool is_for_clients = true;   // else for the bus alone
  std::string frame_type = {};  // Type and Data of the clients' frame (shared wire of SPR)
  std::string frame_data = {};  // JSON
  std::string record = {};      // of a roll-up, its newest event (nfbus_host.record); else empty
  std::string bus_topic = {};   // begins with "alert:"
  std::string bus_text = {};    // JSON
};

}  // namespace rules
