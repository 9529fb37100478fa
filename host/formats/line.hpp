// A packet as one line that a person reads, for the terminal.
#pragma once

#include "decode/dns.hpp"
#include "formats/text_buffer.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

// Thread safety: none.
class PacketLines {
 public:
  // colour: with ANSI colours.
  explicit PacketLines(bool colour) noexcept : colour_(colour) {}

  // Appends one line with its newline: local time, action, topic, devices, protocol, addresses, and what tells this
  // packet from others of its kind (TCP flags, ICMP type, DNS names, what a decoder missed, fields). A message event is
  // its time, topic and text. What others chose is printable().
  void append(const nfbus_event& event, TextBuffer& out);

 private:
  const bool colour_;
  DnsDecoder dns_;
};

// Whether standard output is a terminal that wants colours; NO_COLOR in the environment says no.
[[nodiscard]] bool stdout_wants_colour();

}  // namespace nfbus::host
