// The forms in which a packet travels over the socket.
#pragma once

#include "formats/names.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace nfbus::host {

// A text format's FormatId (the value is its JSON), or one of those below.
using FormId = std::uint32_t;
// {"topic","time_ns","length","value"}: the DLT_NFLOG record in base64, and its length.
inline constexpr FormId kNflogForm = kMaxFormats;
// {"topic","value"}: the event as record/ writes it, in base64: `nfbus tap` makes events of it again.
inline constexpr FormId kRecordForm = kMaxFormats + 1;
inline constexpr std::size_t kForms = kMaxFormats + 2;

struct WireFormName {
  std::string_view name;
  FormId form;
};
// Lists what a client may ask for beside the text formats.
inline constexpr std::array kWireFormNames = {WireFormName{"nflog", kNflogForm}, WireFormName{"record", kRecordForm}};

// [any] The form that a client's "format" means; 0 when there is none of this name. with_payload: as chosen_format().
[[nodiscard]] constexpr FormId find_form(std::string_view name, bool with_payload) noexcept {
  for (const WireFormName& wire : kWireFormNames) {
    if (wire.name == name) return wire.form;
  }
  return chosen_format(name, with_payload);
}

}  // namespace nfbus::host
