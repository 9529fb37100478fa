// The text formats, each once: whoever offers a choice of them walks this table.
#pragma once

#include "formats/format_id.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace nfbus::host {

inline constexpr FormatId kUlogdFormat = 1;
inline constexpr FormatId kPacketFormat = 2;
inline constexpr FormatId kPacketFullFormat = 3;

struct FormatName {
  std::string_view name;
  FormatId id;
  FormatId with_payload;  // the format that has the packet's bytes, too; 0: none has
  bool is_choice;         // users give this name; else `payload = "full"` leads to it
};
inline constexpr std::array kFormatNames = {
    FormatName{.name = "packet", .id = kPacketFormat, .with_payload = kPacketFullFormat, .is_choice = true},
    FormatName{.name = "ulogd", .id = kUlogdFormat, .with_payload = 0, .is_choice = true},
    FormatName{.name = "packet_full", .id = kPacketFullFormat, .with_payload = kPacketFullFormat, .is_choice = false},
};

// [any] Null when there is none of this name.
[[nodiscard]] constexpr const FormatName* find_format(std::string_view name) noexcept {
  const auto* found = std::find_if(kFormatNames.begin(), kFormatNames.end(),
                                   [&](const FormatName& format) { return format.name == name; });
  return found == kFormatNames.end() ? nullptr : found;
}

// [any] The format of a user's choice: `name` and whether packets show their bytes. 0 when there is no such choice; one
// that cannot show bytes is what it is without.
[[nodiscard]] constexpr FormatId chosen_format(std::string_view name, bool with_payload) noexcept {
  const FormatName* found = find_format(name);
  if (found == nullptr || !found->is_choice) return 0;
  return with_payload && found->with_payload != 0 ? found->with_payload : found->id;
}

}  // namespace nfbus::host
