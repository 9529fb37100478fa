#include "schema/schema.hpp"
#include "schema/words.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace nfbus::host {

using nlohmann::json;
using nlohmann::ordered_json;

namespace {

std::string type_of(const json& schema) {
  std::string text;
  for (const std::string& type : schema_words::types(schema)) {
    if (!text.empty()) text += " or ";
    if (type == "object") {
      text += schema_words::is_match(schema) ? "match" : "table";
    } else {
      text += type;
    }
    if (type == "array" && schema.contains("items")) {
      const std::string items = type_of(schema["items"]);
      if (items != "any") text += " of " + items;
    }
  }
  return text.empty() ? "any" : text;
}

std::string allowed_by(const json& schema) {
  if (schema.contains("enum")) return schema_words::choices(schema["enum"]);
  json limits = schema;
  limits.erase("x-unit");  // shown on its own
  std::string text = schema.contains("pattern") ? "matches " + schema_words::shown(schema["pattern"]) : "";
  for (const std::string& part :
       {schema_words::range(limits), schema_words::length(schema), schema_words::count(schema)}) {
    if (!part.empty()) text += (text.empty() ? "" : "; ") + part;
  }
  return text;
}

// Of an array: its elements'.
bool is_path(const json& schema) {
  return schema_words::is_path(schema) || (schema.contains("items") && is_path(schema["items"]));
}

void describe(const ordered_json& schema, const std::string& prefix, std::vector<SchemaOption>& options);

void describe_parts(const ordered_json& schema, const std::string& name, std::vector<SchemaOption>& options) {
  if (schema.contains("properties")) describe(schema, name + '.', options);
  if (schema.contains("items")) describe_parts(schema["items"], name + "[]", options);
}

// The properties of an object's schema.
void describe(const ordered_json& schema, const std::string& prefix, std::vector<SchemaOption>& options) {
  const json required = schema.value("required", ordered_json::array());
  for (const auto& [key, property] : schema["properties"].items()) {
    const json words = property;
    const bool is_required = std::find(required.begin(), required.end(), json(key)) != required.end();
    options.push_back({.name = prefix + key,
                       .type = type_of(words),
                       .default_value = words.contains("default") ? schema_words::shown(words["default"]) : "",
                       .unit = words.value("x-unit", ""),
                       .allowed = allowed_by(words),
                       .description = words.value("description", ""),
                       .required = is_required,
                       .secret = schema_words::is_secret(words),
                       .path = is_path(words),
                       .deprecated = schema_words::is_deprecated(words)});
    describe_parts(property, prefix + key, options);
  }
}

}  // namespace

std::vector<SchemaOption> describe_schema(std::string_view schema_json) {
  std::vector<SchemaOption> options;
  // The kind only decides which keys are reserved, which does not matter here.
  if (schema_json.empty() || !check_schema(schema_json, 0)) return options;
  const ordered_json schema = ordered_json::parse(schema_json);
  if (schema.contains("properties")) describe(schema, "", options);
  return options;
}

}  // namespace nfbus::host
