// A packet as one line that a person reads, for the terminal.
#pragma once

#include "event/formats/text_buffer.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

// Appends one line with its newline: local time, action, topic, devices, protocol, addresses, and what tells this
// packet from others of its kind (TCP flags, ICMP type, what a decoder missed, fields). A message event is its time,
// topic and text. Bytes that could steer a terminal are shown as '?'. colour: with ANSI colours. Thread safety: any.
void append_packet_line(const nfbus_event& event, bool colour, TextBuffer& out);

// Whether standard output is a terminal that wants colours; NO_COLOR in the environment says no.
[[nodiscard]] bool stdout_wants_colour();

}  // namespace nfbus::host
