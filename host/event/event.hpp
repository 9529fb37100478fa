// An event inside the host: the view that plugins see, and behind it what only the host needs.
#pragma once

#include <nfbus/abi.h>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace nfbus::host {

class Batch;

// Number of an interned topic (TopicTable); 0: the topic was not interned, as those of messages are not.
using TopicId = std::uint32_t;

// Owned by its batch; never moves once the batch is frozen. Plugins get `const nfbus_event*` to exactly this object.
struct Event : nfbus_event {
  const Batch* batch;   // the batch that owns this event
  const Event* origin;  // the event in the frozen batch that a sink's filters changed into this one; itself for others
  TopicId topic_id;     // of `topic`
  std::uint32_t index;  // in its batch
  bool is_changed;      // more than fields differ from the origin
};

inline std::string_view view(nfbus_text text) noexcept { return {text.data, text.size}; }
inline nfbus_text text(std::string_view view) noexcept { return {view.data(), view.size()}; }
// Names of bridge ports; empty: none.
inline nfbus_text port_in_name(const nfbus_event& event) noexcept {
  return event.ports == nullptr ? nfbus_text{} : event.ports->in_name;
}
inline nfbus_text port_out_name(const nfbus_event& event) noexcept {
  return event.ports == nullptr ? nfbus_text{} : event.ports->out_name;
}
inline const Event& host_event(const nfbus_event& event) noexcept { return static_cast<const Event&>(event); }

}  // namespace nfbus::host
