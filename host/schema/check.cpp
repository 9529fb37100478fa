#include "schema/host_keys.hpp"
#include "schema/pattern.hpp"
#include "schema/schema.hpp"
#include "schema/words.hpp"
#include "support/suggest.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20U;
constexpr int kMostLevels = 16;

// What is wrong; nothing: good.
using Fault = std::optional<std::string>;

bool is_text(const json& value) { return value.is_string(); }

Fault check_types(const json& type) {
  static const std::vector<std::string> kTypes = {"string", "integer", "number", "boolean", "array", "object"};
  const json list = type.is_string() ? json::array({type}) : type;
  if (!list.is_array() || list.empty()) return "type must be a name or an array of names";
  for (const json& name : list) {
    if (!name.is_string()) return "type must be a name or an array of names";
    const auto& text = name.get_ref<const std::string&>();
    if (std::find(kTypes.begin(), kTypes.end(), text) == kTypes.end()) {
      return "type " + schema_words::shown(name) + " is not known" + did_you_mean(text, kTypes);
    }
  }
  return {};
}

Fault check_pattern(const json& pattern) {
  if (!pattern.is_string()) return "pattern must be a string";
  std::string fault = schema_pattern::fault(pattern.get_ref<const std::string&>());
  return fault.empty() ? Fault() : Fault(std::move(fault));
}

Fault check_required(const json& required, const json& schema) {
  const bool names = required.is_array() && std::all_of(required.begin(), required.end(), is_text);
  if (!names) return "required must be an array of names";
  for (const json& name : required) {
    const auto properties = schema.find("properties");
    if (properties == schema.end() || !properties->contains(name.get_ref<const std::string&>())) {
      return "required names " + schema_words::shown(name) + ", which is not among the properties";
    }
  }
  return {};
}

// Values are signed.
bool is_limit(const json& value) {
  return value.is_number() && (!value.is_number_unsigned() ||
                               value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
}

// Keywords that hold no other schemas.
Fault check_keyword(const std::string& keyword, const json& value, const json& schema) {
  static const std::vector<std::string> kKeywords = {
      "type",    "enum",    "minimum",  "maximum", "pattern", "properties",           "required",
      "items",   "default", "x-secret", "x-unit",  "title",   "additionalProperties", "description",
      "$schema", "x-match", "x-output",
  };
  if (std::find(kKeywords.begin(), kKeywords.end(), keyword) == kKeywords.end()) {
    // A later host's: this one does without. A secret must not become known by a slip.
    if (keyword.starts_with("x-") && did_you_mean(keyword, {"x-secret"}).empty()) return {};
    return "keyword " + schema_words::shown(json(keyword)) + " is not supported" + did_you_mean(keyword, kKeywords);
  }
  if (keyword == "type") return check_types(value);
  if (keyword == "pattern") return check_pattern(value);
  if (keyword == "required") return check_required(value, schema);
  if (keyword == "enum" && (!value.is_array() || value.empty())) return "enum must be an array of values";
  if ((keyword == "minimum" || keyword == "maximum") && !is_limit(value)) {
    return keyword + " must be a number, an integer below 2^63";
  }
  if ((keyword == "x-secret" || keyword == "x-match" || keyword == "x-output") && !value.is_boolean()) {
    return keyword + " must be true or false";
  }
  if ((keyword == "x-unit" || keyword == "title" || keyword == "description") && !value.is_string()) {
    return keyword + " must be a string";
  }
  return {};
}

bool allows_tables(const json& schema) {
  const std::vector<std::string> types = schema_words::types(schema);
  return std::find(types.begin(), types.end(), "object") != types.end();
}

Fault check_node(const json& schema, const std::string& place, bool secret_allowed, int level);

// The schemas inside of a schema.
Fault check_parts(const json& schema, const std::string& place, int level) {
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    if (!properties->is_object()) return place + "/properties: must be an object";
    for (const auto& [name, property] : properties->items()) {
      std::string inner = place;
      inner.append("/properties/").append(name);
      if (Fault fault = check_node(property, inner, true, level + 1)) return fault;
    }
  }
  if (const auto items = schema.find("items"); items != schema.end()) {
    if (Fault fault = check_node(*items, place + "/items", false, level + 1)) return fault;
  }
  if (const auto others = schema.find("additionalProperties"); others != schema.end() && !others->is_boolean()) {
    return check_node(*others, place + "/additionalProperties", false, level + 1);
  }
  return {};
}

// `place`: of `schema`, as a JSON pointer.
Fault check_node(const json& schema, const std::string& place, bool secret_allowed, int level) {
  const auto at = [&place](const std::string& what) { return (place.empty() ? "/" : place) + ": " + what; };
  if (level > kMostLevels) return at("more than " + std::to_string(kMostLevels) + " levels");
  if (!schema.is_object()) return at("must be an object");
  for (const auto& [keyword, value] : schema.items()) {
    if (const Fault fault = check_keyword(keyword, value, schema)) return at(*fault);
  }
  if (schema.contains("minimum") && schema.contains("maximum") && schema["minimum"] > schema["maximum"]) {
    return at("minimum is above maximum");
  }
  if (schema_words::is_secret(schema) && (!secret_allowed || schema.value("type", json()) != json("string"))) {
    return at("x-secret is for properties of type \"string\"");
  }
  if (schema_words::is_match(schema) && (!allows_tables(schema) || schema.contains("properties") ||
                                         schema.contains("required") || schema.contains("additionalProperties"))) {
    return at("x-match is for type \"object\", in place of properties, required and additionalProperties");
  }
  if (schema_words::is_output(schema) && schema.value("type", json()) != json("string")) {
    return at("x-output is for properties of type \"string\"");
  }
  if (Fault fault = check_parts(schema, place, level)) return fault;
  if (const auto value = schema.find("default"); value != schema.end()) {
    json copy = *value;
    const std::vector<SchemaFinding> findings = apply_schema(schema, copy, {}, KnownFields{.names = {}, .any = true});
    if (!findings.empty()) return at("default does not fit: " + findings.front().message);
  }
  return {};
}

Fault check_root(const json& schema, std::uint32_t plugin_kind) {
  if (Fault fault = check_node(schema, "", false, 1)) return fault;
  if (schema.value("type", json()) != json("object")) return "/: type must be \"object\"";
  if (!schema.contains("properties")) return {};
  const json host_keys = json::parse(host_keys_schema(plugin_kind))["properties"];
  for (const auto& [name, property] : schema["properties"].items()) {
    if (host_keys.contains(name)) return "/properties/" + name + ": this key is the host's own";
  }
  return {};
}

}  // namespace

Result<void> check_schema(std::string_view schema_json, std::uint32_t plugin_kind) {
  if (schema_json.empty()) return {};
  const auto refuse = [](const std::string& why) {
    return Error{.code = Code::invalid, .text = "the plugin's option schema is wrong: " + why};
  };
  if (schema_json.size() > kMostBytes) return refuse("it is larger than 1 MiB");
  if (util::is_nested_deeper(schema_json)) return refuse("it is nested too deep");
  try {
    const Fault fault = check_root(json::parse(schema_json), plugin_kind);
    return fault ? Result<void>(refuse(*fault)) : Result<void>();
  } catch (const json::exception& error) {
    return refuse(error.what());
  }
}

}  // namespace nfbus::host
