// The options, as sdk/README.md has them.
#pragma once

#include <string_view>

namespace influx {

inline constexpr std::string_view kSchema = R"({
  "type": "object",
  "required": ["url"],
  "properties": {
    "url": {"type": ["string", "array"], "minItems": 1, "maxItems": 16, "items": {"type": "string"},
            "description": "http://HOST:8086, https://HOST, unix:///PATH of a socket; of several the next is tried when one does not answer"},
    "api": {"type": "string", "enum": ["auto", "v1", "v2", "v3"], "default": "auto",
            "description": "which way to write: InfluxDB 1, 2 or 3; auto asks the server"},
    "database": {"type": "string", "minLength": 1, "maxLength": 255, "description": "v1 and v3: where points go"},
    "retention_policy": {"type": "string", "minLength": 1, "maxLength": 255, "description": "v1: other than the database's own"},
    "user": {"type": "string", "minLength": 1, "maxLength": 255, "description": "v1: who writes"},
    "password": {"type": "string", "x-secret": true, "description": "v1: of user; from the environment"},
    "password_file": {"type": "string", "x-path": true, "minLength": 1,
                      "description": "v1: has the password; read anew after a 401 and on SIGHUP"},
    "org": {"type": "string", "minLength": 1, "maxLength": 255, "description": "v2: the bucket's organization"},
    "bucket": {"type": "string", "minLength": 1, "maxLength": 255, "description": "v2: where points go"},
    "token": {"type": "string", "x-secret": true, "description": "v2 and v3: may write; from the environment"},
    "token_file": {"type": "string", "x-path": true, "minLength": 1,
                   "description": "v2 and v3: has the token; read anew after a 401 and on SIGHUP"},
    "ca_file": {"type": "string", "x-path": true, "minLength": 1, "description": "PEM: who may sign the server's certificate; default: the system's authorities"},
    "cert_file": {"type": "string", "x-path": true, "minLength": 1, "description": "PEM: our certificate, for a server that wants one"},
    "key_file": {"type": "string", "x-path": true, "minLength": 1, "x-needs": ["cert_file"], "description": "PEM: its key; default: it is in cert_file"},
    "proxy": {"type": "string", "minLength": 1, "description": "http://HOST:PORT; default: none, whatever the environment says"},
    "connect_timeout_ms": {"type": "integer", "minimum": 10, "maximum": 60000, "default": 5000, "x-unit": "ms", "description": "for a connection"},
    "request_timeout_ms": {"type": "integer", "minimum": 10, "maximum": 60000, "default": 10000, "x-unit": "ms", "description": "for a whole request"},
    "compress": {"type": "string", "enum": ["gzip", "none"], "default": "gzip", "description": "of requests"},
    "batch_points": {"type": "integer", "minimum": 1, "maximum": 20000, "default": 5000, "x-unit": "points", "description": "of one request"},
    "max_in_flight": {"type": "integer", "minimum": 1, "maximum": 16, "default": 4, "description": "requests at once"},
    "batch_age_ms": {"type": "integer", "minimum": 0, "maximum": 60000, "default": 1000, "x-unit": "ms", "description": "a packet may wait so long for others to be written with"},
    "layout": {"type": "string", "enum": ["nfbus", "spr"], "default": "nfbus", "description": "of points; spr: as SPR's own writer has them"},
    "measurement": {"type": "string", "minLength": 1, "maxLength": 255, "description": "one for all; default: tcp, udp, icmp, icmpv6, arp or ip"},
    "device": {"type": "string", "minLength": 1, "maxLength": 255, "description": "the tag Device; default: [host] device, else the machine's name"},
    "tags": {"type": "array", "maxItems": 32, "items": {"type": "string", "minLength": 1, "maxLength": 255},
             "default": ["Device", "Prefix", "Action", "InDev", "OutDev"], "description": "names that README.md lists, or of annotations"},
    "fields": {"type": "array", "minItems": 1, "maxItems": 64, "items": {"type": "string", "minLength": 1, "maxLength": 255},
               "description": "likewise; default: addresses, ports, Length and the like, by protocol"},
    "max_tag_values": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 10000, "description": "of each tag; further ones go to a field; 0: no limit"}
  }
})";

}  // namespace influx
