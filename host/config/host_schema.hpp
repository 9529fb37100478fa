// The host's own keys, as a schema; those of [filter.NAME], [source.NAME] and [sink.NAME]: schema/host_keys.hpp. Limits
// stand here, defaults in config.hpp and capture/settings.hpp.
#pragma once

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
        "format": {"enum": ["packet", "ulogd"]},
        "payload": {"enum": ["none", "full"]}
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

}  // namespace nfbus::host
