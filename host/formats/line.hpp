// The format "line": an event as one line that a person reads. It is no JSON, and so in no FormatSet: who wants it has
// one of its own.
#pragma once

#include "decode/dns.hpp"
#include "formats/text_buffer.hpp"

#include <nfbus/abi.h>

namespace nfbus::host {

// Thread safety: none.
class LineFormat {
 public:
  // colour: with ANSI colours.
  explicit LineFormat(bool colour) noexcept : colour_(colour) {}

  // Appends one line with its newline: local time, action, topic, devices, protocol, addresses, and what tells this
  // packet from others of its kind (TCP flags, ICMP type, DNS names, what a decoder missed, fields). A message event is
  // its time, topic and text. What others chose is printable().
  void append(const nfbus_event& event, TextBuffer& out);

 private:
  const bool colour_;
  DnsDecoder dns_;
};

}  // namespace nfbus::host
