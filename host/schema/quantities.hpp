// Numbers with units, as people write them where a bare number is wanted: "10MB", "7d".
#pragma once

#include <string>
#include <string_view>

namespace nfbus::host {

// [any] The number to write for "10MB", "7d", "5 min" or "10k": "10000000, or 10485760 for MiB"; empty: `text` is no
// such thing. unit: of the number that is wanted, as of x-unit; empty: not known.
[[nodiscard]] std::string number_to_write(std::string_view text, std::string_view unit);

// [any] The unit that an option's name ends with: "ms" of "latency_ms"; empty: none.
[[nodiscard]] std::string_view unit_of_option(std::string_view name) noexcept;

}  // namespace nfbus::host
