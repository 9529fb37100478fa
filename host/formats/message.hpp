// Writes what all JSON formats have in common: message events and annotations.
#pragma once

#include "event/event.hpp"
#include "formats/text_buffer.hpp"

#include <string_view>

namespace nfbus::host {

// Appends {"Topic":..,"Timestamp":..,"Message":..}: the event's text as JSON without white space between its tokens,
// or, where it is not JSON, as a string. The time is RFC 3339 in local time.
void render_message(const nfbus_event& event, TextBuffer& out);

// Replaces the '}' that `out` ends with by ,"Fields":{"name":"value",..}}, of the fields whose names are `shown`; where
// there are none, `out` stays as it is.
void append_fields_object(const nfbus_event& event, TextBuffer& out, bool (*shown)(std::string_view name));

}  // namespace nfbus::host
