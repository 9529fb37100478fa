// The keys of a match that are always known. For users: the table in sdk/README.md.
#pragma once

#include "match/program.hpp"

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// How a value is written.
enum class ValueType : std::uint8_t {
  text = 1,
  topic,
  prefix,
  domain,
  action,
  family,
  protocol,
  icmp_type,
  number,
  mark,
  address,
  mac,
  tcp_flags,
  bpf,
};

struct Key {
  std::string_view name;
  ValueType type;
  Kind kind;
  Field field;                                                     // that the event must have
  std::uint32_t most = std::numeric_limits<std::uint32_t>::max();  // of a number
};

// [any] Null when there is none of this name.
[[nodiscard]] const Key* find_key(std::string_view name) noexcept;
// [any] How an annotation is compared.
[[nodiscard]] const Key& annotation_key() noexcept;
[[nodiscard]] std::vector<std::string> key_names();

}  // namespace nfbus::host
