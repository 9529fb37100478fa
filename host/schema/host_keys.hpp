// The keys of [filter.NAME], [source.NAME] and [sink.NAME] that are the host's own, as a schema; a plugin's schema may
// not use them.
#pragma once

#include <nfbus/abi.h>

#include <cstdint>
#include <string_view>

namespace nfbus::host {

// [any] plugin_kind: NFBUS_PLUGIN_*. Limits stand here, defaults in config/config.hpp.
inline std::string_view host_keys_schema(std::uint32_t plugin_kind) noexcept {
  constexpr std::string_view kOthers = R"({
    "type": "object",
    "required": ["plugin"],
    "properties": {"plugin": {"type": "string"}}
  })";
  constexpr std::string_view kSink = R"({
    "type": "object",
    "required": ["plugin"],
    "properties": {
      "plugin": {"type": "string"},
      "topics": {"type": "array", "items": {"type": "string"}},
      "filters": {"type": "array", "items": {"type": "string"}},
      "queue": {"type": "integer", "minimum": 1, "maximum": 16777216, "x-unit": "events"},
      "queue_bytes": {"type": "integer", "minimum": 65536, "maximum": 68719476736, "x-unit": "bytes"},
      "overflow": {"enum": ["drop_oldest", "drop_newest", "spill"]},
      "spill": {
        "type": "object",
        "properties": {
          "dir": {"type": "string", "minLength": 1, "x-path": true},
          "max_bytes": {"type": "integer", "minimum": 65536, "maximum": 1125899906842624, "x-unit": "bytes"},
          "max_age": {"type": "integer", "minimum": 0, "maximum": 315360000, "x-unit": "s"},
          "segment_bytes": {"type": "integer", "minimum": 16384, "maximum": 1073741824, "x-unit": "bytes"},
          "min_free": {"type": "integer", "minimum": 0, "maximum": 1125899906842624, "x-unit": "bytes"},
          "mode": {"enum": ["overflow", "always"]},
          "sync": {"enum": ["interval", "always", "never"]}
        }
      },
      "dead_letters": {"type": "string", "minLength": 1, "x-output": true},
      "dead_letters_bytes": {"type": "integer", "minimum": 4096, "maximum": 1125899906842624, "x-unit": "bytes",
                             "x-needs": ["dead_letters"]}
    }
  })";
  return plugin_kind == NFBUS_PLUGIN_SINK ? kSink : kOthers;
}

}  // namespace nfbus::host
