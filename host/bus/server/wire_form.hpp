// The forms in which a packet travels over the socket.
#pragma once

#include "formats/format_id.hpp"

#include <cstdint>

namespace nfbus::host {

// A text format's FormatId (the value is its JSON), or one of those below.
using FormId = std::uint32_t;
// {"topic","time_ns","length","value"}: the DLT_NFLOG record in base64, and how long it were if no snaplen had cut it.
inline constexpr FormId kNflogForm = kMaxFormats;
// {"topic","value"}: the event as record/ writes it, in base64: `nfbus tap` makes events of it again.
inline constexpr FormId kRecordForm = kMaxFormats + 1;
inline constexpr std::size_t kForms = kMaxFormats + 2;

}  // namespace nfbus::host
