// The host's own keys, as a schema; those of [filter.NAME], [source.NAME] and [sink.NAME]: schema/host_keys.hpp. Limits
// stand here, defaults in config.hpp and capture/settings.hpp.
#pragma once

#include "formats/names.hpp"

#include <nlohmann/json.hpp>

#include <string_view>

namespace nfbus::host {

inline constexpr std::string_view kHostSchema = R"({
  "type": "object",
  "properties": {
    "host": {
      "type": "object",
      "properties": {
        "device": {"type": "string"},
        "plugin_dirs": {"type": "array", "items": {"type": "string"}},
        "topic_root": {"type": "string"},
        "user": {"type": "string"}
      }
    },
    "bus": {
      "type": "object",
      "properties": {
        "socket": {"type": "string"},
        "group": {"type": "string"},
        "format": {},
        "payload": {"enum": ["none", "full"]},
        "filters": {"type": "array", "items": {"type": "string"}}
      }
    },
    "metrics": {
      "type": "object",
      "required": ["listen"],
      "properties": {
        "listen": {"type": "string"},
        "token": {"type": "string", "x-secret": true}
      }
    },
    "capture": {
      "type": "array",
      "items": {
        "type": "object",
        "required": ["group"],
        "properties": {
          "group": {"type": "integer", "minimum": 0, "maximum": 65535},
          "action": {"enum": ["allowed", "blocked"]},
          "prefixes": {"type": "array", "items": {"type": "string"}},
          "filters": {"type": "array", "items": {"type": "string"}},
          "snaplen": {"type": "integer", "minimum": 1, "maximum": 65535, "x-unit": "bytes"},
          "latency_ms": {"type": "integer", "minimum": 0, "maximum": 10000, "x-unit": "ms"},
          "recv_buffer": {"type": "integer", "minimum": 4096, "maximum": 1073741823, "x-unit": "bytes"}
        }
      }
    },
    "filter": {
      "type": "object",
      "additionalProperties": {"type": "object", "additionalProperties": true}
    },
    "source": {
      "type": "object",
      "additionalProperties": {"type": "object", "additionalProperties": true}
    },
    "sink": {
      "type": "object",
      "additionalProperties": {"type": "object", "additionalProperties": true}
    }
  }
})";

// [any] kHostSchema with the formats that there are.
[[nodiscard]] inline nlohmann::json host_schema() {
  nlohmann::json schema = nlohmann::json::parse(kHostSchema);
  nlohmann::json& choices = schema["/properties/bus/properties/format/enum"_json_pointer];
  for (const FormatName& format : kFormatNames) {
    if (format.is_choice) choices.push_back(format.name);
  }
  return schema;
}

}  // namespace nfbus::host
