// Says how TOML writes what stands in a configuration as other programs write it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace nfbus::host {

struct Correction {
  std::string text;
  unsigned column;  // counted from 1, of what is to be corrected
};

// [control] line: the one that the parser stopped in, at `column`. Nothing: it is none of the mistakes that are known.
[[nodiscard]] std::optional<Correction> correct_line(std::string_view line, std::size_t column,
                                                     std::string_view description);

// [control] Returns the line, counted from 1, that tells that the text is a configuration of ulogd2; 0: it is none.
[[nodiscard]] unsigned line_of_ulogd(std::string_view text);

// What to do with one.
inline constexpr std::string_view kUlogdAdvice =
    "this is a configuration of ulogd2; nfbus has one of its own: a [[capture]] with group = N for each NFLOG input, "
    "and a "
    "[sink.NAME] with plugin = \"jsonl\" or \"pcap\" for each output; start from share/nfbus/configs/spr.toml";

}  // namespace nfbus::host
