// The numbers of the text formats.
#pragma once

#include "event/text_cache.hpp"

#include <cstddef>
#include <cstdint>

namespace nfbus::host {

// Number of a text format (formats/format.hpp), and of its texts in a batch's TextCache. 0: none.
using FormatId = std::uint32_t;
inline constexpr std::size_t kMaxFormats = TextCache::kMaxForms;

}  // namespace nfbus::host
