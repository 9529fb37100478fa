// The options of the sink, as JSON schema.
#pragma once

#include <string_view>

namespace nftrules {

inline constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "rewrite": {"type": "array", "items": {"type": "object",
      "required": ["table", "chain", "match_prefix", "prefix", "group"], "properties": {
      "table": {"type": "string", "description": "the table's family and name: \"inet filter\""},
      "chain": {"type": "string", "description": "the chain that the rule stands in"},
      "match_prefix": {"type": "string", "description": "the prefix that it logs with now; case and blanks around it are ignored"},
      "prefix": {"type": "string", "description": "the prefix that it is to log with"},
      "group": {"type": "integer", "minimum": 0, "maximum": 65535, "description": "the NFLOG group that it is to log to"}}},
      "description": "rules of others that are to log with another prefix and group"},
    "insert": {"type": "array", "items": {"type": "object",
      "required": ["table", "chain", "statement"], "properties": {
      "table": {"type": "string", "description": "the table's family and name: \"inet filter\""},
      "chain": {"type": "string", "description": "the chain that the rule comes into"},
      "before": {"type": "string", "description": "it comes before the rule that says this: \"@internet_access\""},
      "after": {"type": "string", "description": "it comes behind the rule that says this: \"jump F_EST_RELATED\""},
      "match": {"type": "string", "enum": ["first", "last"], "description": "which one, if several rules say it; without it that is an error"},
      "statement": {"type": "string", "description": "what the rule says, as nft has it; it logs to a group, and has no verdict"}}},
      "description": "rules of ours that log, in chains of others"},
    "hook": {"type": "array", "items": {"type": "object",
      "required": ["hook", "prefix", "group"], "properties": {
      "hook": {"type": "string", "enum": ["ingress", "prerouting", "input", "forward", "output", "postrouting"], "description": "where packets are logged"},
      "devices": {"type": "array", "items": {"type": "string"}, "description": "only those of these devices; default: of all"},
      "direction": {"type": "string", "enum": ["in", "out"], "description": "whether the packets come in or leave by `devices`"},
      "prefix": {"type": "string", "description": "the prefix that they are logged with"},
      "group": {"type": "integer", "minimum": 0, "maximum": 65535, "description": "the NFLOG group that they are logged to"},
      "limit": {"type": "string", "pattern": "^[0-9]+/(second|minute|hour|day)( burst [0-9]+ packets)?$", "description": "at most so many: \"100/second\"; default: all"}}},
      "description": "what a table of our own logs, for machines without a ruleset; it exists only while the host runs"},
    "ban": {"type": "array", "items": {"type": "object",
      "required": ["name", "ttl"], "properties": {
      "name": {"type": "string", "pattern": "^[a-z_][a-z0-9_-]{0,19}$", "description": "what its two sets are called: NAME_v4 and NAME_v6"},
      "table": {"type": "string", "description": "the sets are in this table of yours, whose rules look them up: \"inet filter\"; default: in inet nfbus_bans, which drops what they have"},
      "ttl": {"type": "string", "pattern": "^[0-9]+[smhd]$", "description": "how long a ban lasts, at most: \"10m\""},
      "max": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 65536, "description": "networks in each set, at most"},
      "v4_prefix": {"type": "integer", "minimum": 8, "maximum": 32, "default": 32, "description": "IPv4 addresses are banned as networks of so many bits"},
      "v6_prefix": {"type": "integer", "minimum": 16, "maximum": 128, "default": 64, "description": "IPv6 addresses are banned as networks of so many bits"},
      "when": {"type": "string", "description": "what is counted of each network, as nft has it: \"tcp dport 22 ct state new\""},
      "rate": {"type": "string", "pattern": "^[0-9]+/(second|minute|hour|day)$", "description": "more than so many packets of `when` ban: \"20/minute\""}}},
      "description": "sets of banned networks"},
    "allow": {"type": "array", "items": {"type": "string"}, "description": "networks that are never banned, beside this machine's own addresses and gateways"},
    "accept_messages": {"type": "boolean", "default": false, "description": "messages ban:NAME with {\"address\",\"ttl_s\",\"reason\"} ban into the set NAME"},
    "state_dir": {"type": "string", "x-path": true, "minLength": 1, "default": "/var/lib/nfbus/nft", "description": "where the statements that were exchanged are kept, to put them back"},
    "on_stop": {"type": "string", "enum": ["keep", "revert"], "default": "keep", "description": "what becomes of the rules when the host ends"},
    "watch": {"type": "boolean", "default": false, "description": "put the rules back when another program has changed them"}
  }
})";

}  // namespace nftrules
