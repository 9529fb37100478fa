// What every layer of the packet format promises, whatever the packet.
#pragma once

#include "formats/text_buffer.hpp"
#include "must.hpp"

#include <nfbus/abi.h>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace nfbus::fuzz {

// append: append_dns or append_dhcp. Both forms; false: there is no such layer.
template <class Append>
bool check_layer(const Append& append, const nfbus_event& event, std::size_t most_bytes) {
  host::TextBuffer out;
  out.append("{");
  const std::string_view error = append(event, true, out);
  const bool is_cut = error.ends_with("cut by snaplen");
  if (!error.empty() && !is_cut) must(out.view() == "{", "what is broken leaves nothing behind");
  if (out.view() == "{") return false;
  must(out.size() <= most_bytes, "no more text than the header states");
  must(out.view().back() == ',', "a layer ends with a comma");
  std::string text(out.view());
  text.back() = '}';
  const auto full = nlohmann::json::parse(text, nullptr, false);
  must(!full.is_discarded() && full.size() == 1, "a layer is one key of JSON");

  out.truncate(1);
  must(append(event, false, out) == error, "both forms fail alike");
  text = out.view();
  text.back() = '}';
  auto expected = full;
  expected.front().erase("Contents");
  expected.front().erase("Payload");
  must(nlohmann::json::parse(text, nullptr, false) == expected, "the short form lacks Contents and Payload alone");
  return true;
}

}  // namespace nfbus::fuzz
