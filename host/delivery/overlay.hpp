// Fields that a sink's own filters add, private to its worker: the frozen batch stays as it is.
#pragma once

#include "event/event.hpp"

#include <nfbus/abi.h>

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// `fields` with one more, or with the value of `name` replaced, written to `out`.
void merge_field(const nfbus_event& event, std::string_view name, std::string_view value,
                 std::vector<nfbus_field>& out);

// Stand-ins for events, each with its origin's data and more fields. They live until clear().
// Thread safety: none; owned by the worker.
class Overlay {
 public:
  // A stand-in for `event` (itself one, perhaps) with the field added. Both texts are copied.
  const nfbus_event* annotate(const nfbus_event& event, std::string_view name, std::string_view value);
  void clear() noexcept;

 private:
  std::deque<Event> events_;
  std::deque<std::vector<nfbus_field>> fields_;
  std::deque<std::string> texts_;
};

}  // namespace nfbus::host
