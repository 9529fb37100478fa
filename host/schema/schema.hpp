// The JSON schema of a plugin's options: the subset of design section 4, and a few words that only explain. One checker
// serves plugins' schemas when they are loaded, plugins' options, and the host's own keys (config/host_schema.hpp).
//
// Keywords: type (one name or several), enum, minimum, maximum, minLength, maxLength (characters), minItems, maxItems,
// pattern, properties, required, items, default, deprecated, x-secret, x-unit, x-match, x-output, x-path, x-stdout,
// x-strftime, x-needs, x-default-topics;
// additionalProperties (true or a schema; keys that are not listed are refused without it); description, title and
// $schema, which check nothing. Another word that begins with x- is ignored.
//
// "deprecated": true: who uses the option is warned, in the words of its description; not for the root.
//
// "x-output": true stands with type "string": the path of a file that the plugin alone writes to; x-path as well. With
// "x-stdout": true it may be "-", for standard output. With "x-strftime": true a date may be in it, as of strftime; or
// x-strftime is an array of options, one of which must be set for that.
//
// "x-needs": ["a", "b"]: the option is of no use without one of these, of the same table.
//
// "x-default-topics": ["", ...], at the root of a sink's: the topics of an instance that names none.
//
// "x-path": true stands with a type that "string" is among: a path that starts at the configuration's folder. Its
// plugin sees it absolute.
//
// "x-match": true stands with a type that "object" is among, and in place of properties: a table there is a match
// (match/match.hpp), and is checked by compiling it.
#pragma once

#include "match/known_fields.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nfbus::host {

// [control] Returns whether a plugin may be loaded with this schema: JSON, an object at its root, no keyword outside of
// the subset, defaults that fit, no key that the host keeps for itself. plugin_kind: NFBUS_PLUGIN_*. Empty: no options,
// good. The error (invalid) names the place inside the schema. Never throws.
Result<void> check_schema(std::string_view schema_json, std::uint32_t plugin_kind);

// One option of a plugin, as `nfbus plugins NAME` shows it. Texts are empty where the schema says nothing.
struct SchemaOption {
  std::string name;           // "file"; nested: "tls.ca", "drop[].dst"
  std::string type;           // "string", "integer", "string or array of string", "array of table", "match"
  std::string default_value;  // as it is written in TOML: "\"ulogd\"", "65536"
  std::string unit;           // "bytes"
  std::string allowed;        // "\"a\" or \"b\"", "1 to 10", "at least 1", "matches \"^/\"; 1 to 64 characters"
  std::string description;
  bool required = false;
  bool secret = false;  // written as NAME_file = "PATH" or NAME = "${VARIABLE}"
  bool path = false;    // starts at the configuration's folder
  bool deprecated = false;
};

// [control] The options of a schema that check_schema() accepts, in its order, nested ones after their parent. Of any
// other schema: none. Never throws.
[[nodiscard]] std::vector<SchemaOption> describe_schema(std::string_view schema_json);

// Says where a value is: keys and indexes from the root, {"sink", "archive", "topics", 0}.
using SchemaPath = std::vector<std::variant<std::string, std::size_t>>;

// "sink.archive.topics[0]"; keys that are not bare are quoted, so that it is always one printable line.
[[nodiscard]] std::string to_string(const SchemaPath& path);

struct SchemaFinding {
  enum class Kind : std::uint8_t { wrong_value = 1, wrong_type, unknown_key, missing_key, deprecated, doubt };
  SchemaPath path;
  Kind kind = Kind::wrong_value;
  std::string message;
};

// [control] Checks `value` against `schema`, which check_schema() would accept, and fills in defaults. Values that do
// not fit are taken out (in arrays: become null), so that what is left has the types that the schema promises. `path`
// is that of `value`, for the findings. Never prints a value of an x-secret key. fields: what matches may ask for.
// Findings of the kind `doubt` are no mistakes: the value fits, and can hardly be meant.
[[nodiscard]] std::vector<SchemaFinding> apply_schema(const nlohmann::json& schema, nlohmann::json& value,
                                                      const SchemaPath& path, const KnownFields& fields = {});

// [control] Takes the doubts out of the findings.
[[nodiscard]] std::vector<SchemaFinding> take_doubts(std::vector<SchemaFinding>& findings);

// [control] Finds what of `value`, as it was written, is deprecated: one finding for each such part, none inside of it.
// `value` may be wrong in any way. `path` is that of `value`. Never shows a value.
[[nodiscard]] std::vector<SchemaFinding> find_deprecated(const nlohmann::json& schema, const nlohmann::json& value,
                                                         const SchemaPath& path);

// [control] Puts `folder`, an absolute path, before each relative path (x-path) of `value`, which apply_schema() has
// accepted. An empty text stays, and so does "-" of an output.
void resolve_paths(const nlohmann::json& schema, nlohmann::json& value, const std::string& folder);

}  // namespace nfbus::host
