// The options, as sdk/README.md has them.
#pragma once

#include <string_view>

namespace webhook {

inline constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "url": {"type": "string", "minLength": 1, "maxLength": 4096,
            "description": "http://HOST/PATH, https://HOST/PATH, unix:///SOCKET:/PATH; placeholders may stand in the path"},
    "url_file": {"type": "string", "x-path": true, "minLength": 1,
                 "description": "instead: has the url, where its path is a secret; read anew on SIGHUP and when the server refuses it"},
    "method": {"type": "string", "enum": ["POST", "PUT"], "default": "POST", "description": "of requests"},
    "headers": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 4096},
                "description": "further ones: NAME = \"VALUE\" with placeholders; one without a value is left out"},
    "json": {"type": "string", "minLength": 1, "maxLength": 65536,
             "description": "the body: JSON, in whose strings placeholders stand; default: the packet, or {\"Topic\",\"Timestamp\",\"Message\"} of a message"},
    "text": {"type": "string", "minLength": 1, "maxLength": 65536, "description": "instead: a body of plain text with placeholders"},
    "content_type": {"type": "string", "minLength": 1, "maxLength": 255,
                     "description": "default: application/json, of text: text/plain; charset=utf-8, of lines: application/x-ndjson"},
    "escape": {"type": "string", "enum": ["none", "entities"], "default": "none",
               "description": "entities: &, < and > of values in the body become &amp;, &lt; and &gt;"},
    "lookup": {"type": "object", "additionalProperties": {"type": "object", "required": ["of"], "properties": {
                 "of": {"type": "string", "minLength": 1, "maxLength": 255, "description": "KEY, as between braces"},
                 "values": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}, "description": "what {WORD} is for each value of KEY"},
                 "other": {"type": ["string", "number", "boolean"], "description": "what it is for all others"}}},
               "description": "tables [sink.NAME.lookup.WORD] with of = \"KEY\", values = { VALUE = X }, other = Y: what {WORD} is"},
    "payload": {"type": "string", "enum": ["none", "full"], "default": "none", "description": "full: packets with their bytes"},
    "device": {"type": "string", "minLength": 1, "maxLength": 255, "description": "what {device} is; default: the machine's name"},
    "token": {"type": "string", "x-secret": true, "description": "goes into token_header; from the environment"},
    "token_file": {"type": "string", "x-path": true, "minLength": 1, "description": "has the token; read anew after a 401 and on SIGHUP"},
    "token_header": {"type": "string", "minLength": 1, "maxLength": 255, "default": "Authorization", "description": "the header that the token stands in"},
    "token_scheme": {"type": "string", "maxLength": 255, "description": "stands before the token; default: Bearer in Authorization, else nothing"},
    "user": {"type": "string", "minLength": 1, "maxLength": 255, "description": "of basic authentication"},
    "password": {"type": "string", "x-secret": true, "description": "of user; from the environment"},
    "password_file": {"type": "string", "x-path": true, "minLength": 1, "description": "has the password; read anew after a 401 and on SIGHUP"},
    "hmac_secret": {"type": "string", "x-secret": true, "description": "signs bodies by HMAC-SHA256; from the environment"},
    "hmac_secret_file": {"type": "string", "x-path": true, "minLength": 1, "description": "has that secret; read anew after a 401 and on SIGHUP"},
    "hmac_header": {"type": "string", "minLength": 1, "maxLength": 255, "default": "X-Nfbus-Signature", "description": "the header that has sha256=HEX"},
    "hmac_time_header": {"type": "string", "minLength": 1, "maxLength": 255,
                         "description": "the header that has the seconds since 1970; then SECONDS.BODY is signed; default: none, the body alone"},
    "batch_events": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 1, "x-unit": "events", "description": "in one request; with more than 1 the body is an array, or lines"},
    "batch_form": {"type": "string", "enum": ["array", "lines"], "default": "array", "description": "of the body, with batch_events of more than 1"},
    "batch_age_ms": {"type": "integer", "minimum": 0, "maximum": 60000, "x-unit": "ms", "description": "an event may wait so long for others; default: 1000 with batch_events of more than 1, else 0"},
    "max_in_flight": {"type": "integer", "minimum": 1, "maximum": 16, "default": 1, "description": "requests at once; with more than 1 they arrive in any order"},
    "connect_timeout_ms": {"type": "integer", "minimum": 10, "maximum": 60000, "default": 5000, "x-unit": "ms", "description": "for a connection"},
    "request_timeout_ms": {"type": "integer", "minimum": 10, "maximum": 60000, "default": 10000, "x-unit": "ms", "description": "for a whole request"},
    "ca_file": {"type": "string", "x-path": true, "minLength": 1, "description": "PEM: who may sign the server's certificate; default: the system's authorities"},
    "cert_file": {"type": "string", "x-path": true, "minLength": 1, "description": "PEM: our certificate, for a server that wants one"},
    "key_file": {"type": "string", "x-path": true, "minLength": 1, "x-needs": ["cert_file"], "description": "PEM: its key; default: it is in cert_file"},
    "proxy": {"type": "string", "minLength": 1, "description": "http://HOST:PORT; default: none, whatever the environment says"}
  }
})";

}  // namespace webhook
