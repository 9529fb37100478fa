// The options of the sink, as JSON schema.
#pragma once

#include <string_view>

namespace websocket {

inline constexpr std::string_view kSchema = R"({
  "type": "object",
  "x-default-topics": [""],
  "properties": {
    "listen": {"type": ["string", "array"], "minItems": 1, "maxItems": 16, "items": {"type": "string"}, "default": "127.0.0.1:8787",
               "description": "where: ADDRESS:PORT, or a list; fd:N is a socket that listens already"},
    "cert_file": {"type": "string", "x-path": true, "minLength": 1, "description": "PEM, with its chain; without it: no TLS"},
    "key_file": {"type": "string", "x-path": true, "minLength": 1, "description": "PEM; without it: in cert_file"},
    "token_file": {"type": "string", "x-path": true, "minLength": 1, "description": "who may connect, a line each: TOKEN or USER:PASSWORD; without it: loopback only, and anybody there"},
    "hosts": {"type": "array", "maxItems": 64, "items": {"type": "string"}, "default": [], "description": "names by which browsers may ask, beside addresses and localhost"},
    "origins": {"type": "array", "maxItems": 64, "items": {"type": "string"}, "default": [], "description": "whose pages may ask, beside the sink's own: https://NAME"},
    "notifications": {"type": "string", "x-path": true, "minLength": 1, "description": "the file of rules, read and written; without it they are in memory alone"},
    "state_file": {"type": "string", "x-output": true, "minLength": 1, "description": "what rules remember (first_seen, snooze); without it they forget at the end"},
    "names": {"type": "string", "x-path": true, "minLength": 1, "description": "of devices, a line each: ADDRESS or MAC, a blank, NAME"},
    "history_events": {"type": "integer", "minimum": 1, "maximum": 10000000, "default": 100000, "x-unit": "events", "description": "kept for pages"},
    "history_bytes": {"type": "integer", "minimum": 65536, "maximum": 4294967296, "default": 33554432, "x-unit": "bytes", "description": "of them, at most"},
    "max_clients": {"type": "integer", "minimum": 1, "maximum": 65536, "default": 2048, "description": "connections at once"},
    "client_queue_bytes": {"type": "integer", "minimum": 65536, "maximum": 1073741824, "default": 4194304, "x-unit": "bytes", "description": "wait for a slow client at most; all together 16 times as much"}
  }
})";

}  // namespace websocket
