// The options of a sink that exists only here, with each word that a schema may have.
#pragma once

namespace nfbus::test {

inline constexpr char kFileSinkSchema[] = R"({
  "type": "object",
  "required": ["file"],
  "properties": {
    "file": {"type": "string", "pattern": "^[^ ]+$", "x-output": true},
    "format": {"enum": ["ulogd", "packet"], "default": "ulogd"},
    "rotate_bytes": {"type": "integer", "minimum": 0, "maximum": 1000, "x-unit": "bytes"},
    "ratio": {"type": "number", "minimum": 0.5},
    "flush": {"type": "boolean", "default": true},
    "since": {"type": "string"},
    "rules": {"type": "array", "items": {
      "type": "object", "properties": {"dst": {"type": ["string", "array"], "items": {"type": "string"}},
                                       "weight": {"type": "integer", "default": 3}}}},
    "tags": {"type": "object", "additionalProperties": {"type": "string"}},
    "token": {"type": "string", "x-secret": true, "pattern": "^[a-z]+$"},
    "when": {"type": ["object", "array"], "x-match": true, "items": {"type": "object", "x-match": true}},
    "by_site": {"type": "object", "additionalProperties": {"type": "array", "items": {
      "type": "object", "additionalProperties": {"type": "string", "x-output": true}}}},
    "peers": {"type": "object",
              "additionalProperties": {"type": "object", "properties": {"key": {"type": "string", "x-secret": true}}}},
    "names": {"type": "array", "minItems": 1, "maxItems": 3, "items": {"type": "string", "minLength": 2, "maxLength": 3}},
    "certificate": {"type": "string", "x-path": true},
    "log": {"type": "string", "x-path": true, "x-output": true, "x-stdout": true},
    "places": {"type": ["object", "array"], "items": {"type": "string", "x-path": true},
               "additionalProperties": {"type": "object", "properties": {
      "at": {"type": "string", "x-path": true, "default": "host.pem"}}}},
    "old": {"type": "object", "deprecated": true, "description": "use new", "additionalProperties": true},
    "older": {"type": "array", "items": {"type": "object", "properties": {
      "key": {"type": "string", "x-secret": true, "deprecated": true}, "n": {"type": "integer", "deprecated": true}}}}
  }
})";

// Of a sink that has the words for outputs.
inline constexpr char kLogSchema[] = R"({
  "type": "object",
  "required": ["file"],
  "properties": {
    "file": {"type": "string", "x-output": true, "x-stdout": true, "x-strftime": ["rotate_s", "rotate"]},
    "dated": {"type": "string", "x-output": true, "x-strftime": true},
    "rotate_s": {"type": "integer", "x-unit": "s", "default": 0},
    "rotate": {"type": "boolean", "default": false},
    "keep": {"type": "integer", "x-needs": ["rotate_s", "rotate"], "default": 5}
  }
})";

}  // namespace nfbus::test
