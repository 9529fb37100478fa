// Any bytes as the JSON of a match, tested on the packet fixtures.
#include "fuzz_match.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto match = nfbus::host::compile_match_json(text, nfbus::fuzz::known_fields());
  if (match) {
    nfbus::fuzz::test(*match);
  } else {
    nfbus::fuzz::must(!match.error().text.empty(), "a fault without a text");
    nfbus::fuzz::must_be_one_line(match.error().text);
  }
  return 0;
}
