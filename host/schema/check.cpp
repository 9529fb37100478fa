#include "schema/host_keys.hpp"
#include "schema/pattern.hpp"
#include "schema/schema.hpp"
#include "schema/words.hpp"
#include "support/suggest.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20U;
constexpr int kMostLevels = 16;

Error wrong(std::string what) { return {.code = Code::invalid, .text = std::move(what)}; }

bool is_text(const json& value) { return value.is_string(); }

Result<void> check_types(const json& type) {
  static const std::vector<std::string> kTypes = {"string", "integer", "number", "boolean", "array", "object"};
  const json list = type.is_string() ? json::array({type}) : type;
  if (!list.is_array() || list.empty()) return wrong("type must be a name or an array of names");
  for (const json& name : list) {
    if (!name.is_string()) return wrong("type must be a name or an array of names");
    const auto& text = name.get_ref<const std::string&>();
    if (std::find(kTypes.begin(), kTypes.end(), text) == kTypes.end()) {
      return wrong("type " + schema_words::shown(name) + " is not known" + did_you_mean(text, kTypes));
    }
  }
  return {};
}

Result<void> check_pattern(const json& pattern) {
  if (!pattern.is_string()) return wrong("pattern must be a string");
  return schema_pattern::check(pattern.get_ref<const std::string&>());
}

Result<void> check_required(const json& required, const json& schema) {
  const bool names = required.is_array() && std::all_of(required.begin(), required.end(), is_text);
  if (!names) return wrong("required must be an array of names");
  for (const json& name : required) {
    const auto properties = schema.find("properties");
    if (properties == schema.end() || !properties->contains(name.get_ref<const std::string&>())) {
      return wrong("required names " + schema_words::shown(name) + ", which is not among the properties");
    }
  }
  return {};
}

// Values are signed.
bool is_limit(const json& value) {
  return value.is_number() && (!value.is_number_unsigned() ||
                               value.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<std::int64_t>::max()});
}

bool is_size(const json& value) { return is_limit(value) && value.is_number_integer() && value >= 0; }

bool is_list_of_keys(const json& value) {
  return value.is_array() && !value.empty() && std::all_of(value.begin(), value.end(), is_text);
}

bool is_one_of(std::string_view keyword, std::initializer_list<std::string_view> keywords) {
  return std::find(keywords.begin(), keywords.end(), keyword) != keywords.end();
}

// Keywords that hold no other schemas.
Result<void> check_keyword(const std::string& keyword, const json& value, const json& schema) {
  static const std::vector<std::string> kKeywords = {
      "type",
      "enum",
      "minimum",
      "maximum",
      "minLength",
      "maxLength",
      "minItems",
      "maxItems",
      "pattern",
      "properties",
      "required",
      "items",
      "default",
      "x-secret",
      "x-unit",
      "title",
      "additionalProperties",
      "description",
      "deprecated",
      "$schema",
      "x-match",
      "x-output",
      "x-path",
      "x-stdout",
      "x-strftime",
      "x-needs",
      "x-default-topics",
  };
  if (std::find(kKeywords.begin(), kKeywords.end(), keyword) == kKeywords.end()) {
    // A later host's: this one does without. A secret must not become known by a slip.
    if (keyword.starts_with("x-") && did_you_mean(keyword, {"x-secret"}).empty()) return {};
    return wrong("keyword " + schema_words::shown(json(keyword)) + " is not supported" +
                 did_you_mean(keyword, kKeywords));
  }
  if (keyword == "type") return check_types(value);
  if (keyword == "pattern") return check_pattern(value);
  if (keyword == "required") return check_required(value, schema);
  if (keyword == "enum" && (!value.is_array() || value.empty())) return wrong("enum must be an array of values");
  if (is_one_of(keyword, {"minimum", "maximum"}) && !is_limit(value)) {
    return wrong(keyword + " must be a number, an integer below 2^63");
  }
  if (is_one_of(keyword, {"minLength", "maxLength", "minItems", "maxItems"}) && !is_size(value)) {
    return wrong(keyword + " must be an integer, 0 or more");
  }
  if (is_one_of(keyword, {"x-secret", "x-match", "x-output", "x-path", "x-stdout", "deprecated"}) &&
      !value.is_boolean()) {
    return wrong(keyword + " must be true or false");
  }
  if (keyword == "x-needs" && !is_list_of_keys(value)) return wrong("x-needs must be an array of options' names");
  if (keyword == "x-default-topics" && !is_list_of_keys(value))
    return wrong("x-default-topics must be an array of texts");
  if (keyword == "x-strftime" && !value.is_boolean() && !is_list_of_keys(value)) {
    return wrong("x-strftime must be true or false, or an array of options' names");
  }
  if (is_one_of(keyword, {"x-unit", "title", "description"}) && !value.is_string()) {
    return wrong(keyword + " must be a string");
  }
  return {};
}

bool allows(const json& schema, std::string_view type) {
  const std::vector<std::string> types = schema_words::types(schema);
  return std::find(types.begin(), types.end(), type) != types.end();
}

// Keywords that go together, or do not.
Result<void> check_combination(const json& schema, bool secret_allowed) {
  for (const auto& [least, most] :
       {std::pair("minimum", "maximum"), std::pair("minLength", "maxLength"), std::pair("minItems", "maxItems")}) {
    if (schema.contains(least) && schema.contains(most) && schema[least] > schema[most]) {
      return wrong(std::string(least) + " is above " + most);
    }
  }
  const bool is_only_text = schema.value("type", json()) == json("string");
  if (schema_words::is_secret(schema) && (!secret_allowed || !is_only_text)) {
    return wrong("x-secret is for properties of type \"string\"");
  }
  if (schema_words::is_match(schema) && (!allows(schema, "object") || schema.contains("properties") ||
                                         schema.contains("required") || schema.contains("additionalProperties"))) {
    return wrong("x-match is for type \"object\", in place of properties, required and additionalProperties");
  }
  if (schema_words::is_output(schema) && !is_only_text) {
    return wrong("x-output is for properties of type \"string\"");
  }
  for (const char* const word : {"x-stdout", "x-strftime"}) {
    if (schema.contains(word) && !schema_words::is_output(schema)) return wrong(std::string(word) + " is for outputs");
  }
  if (schema_words::is_path(schema) && (!allows(schema, "string") || schema_words::is_secret(schema))) {
    return wrong("x-path is for type \"string\", and not for secrets");
  }
  return {};
}

Result<void> check_node(const json& schema, const std::string& place, bool secret_allowed, int level);

// The schemas inside of a schema.
Result<void> check_parts(const json& schema, const std::string& place, int level) {
  if (const auto properties = schema.find("properties"); properties != schema.end()) {
    if (!properties->is_object()) return wrong(place + "/properties: must be an object");
    for (const auto& [name, property] : properties->items()) {
      std::string inner = place;
      inner.append("/properties/").append(name);
      if (auto checked = check_node(property, inner, true, level + 1); !checked) return checked;
    }
  }
  if (const auto items = schema.find("items"); items != schema.end()) {
    if (auto checked = check_node(*items, place + "/items", false, level + 1); !checked) return checked;
  }
  if (const auto others = schema.find("additionalProperties"); others != schema.end() && !others->is_boolean()) {
    return check_node(*others, place + "/additionalProperties", false, level + 1);
  }
  return {};
}

// `place`: of `schema`, as a JSON pointer.
Result<void> check_node(const json& schema, const std::string& place, bool secret_allowed, int level) {
  const auto at = [&place](const std::string& what) { return wrong((place.empty() ? "/" : place) + ": " + what); };
  if (level > kMostLevels) return at("more than " + std::to_string(kMostLevels) + " levels");
  if (!schema.is_object()) return at("must be an object");
  for (const auto& [keyword, value] : schema.items()) {
    if (const auto checked = check_keyword(keyword, value, schema); !checked) return at(checked.error().text);
  }
  if (const auto checked = check_combination(schema, secret_allowed); !checked) return at(checked.error().text);
  if (auto checked = check_parts(schema, place, level); !checked) return checked;
  if (const auto value = schema.find("default"); value != schema.end()) {
    json copy = *value;
    std::vector<SchemaFinding> findings = apply_schema(schema, copy, {}, KnownFields{.names = {}, .any = true});
    (void)take_doubts(findings);
    if (!findings.empty()) return at("default does not fit: " + findings.front().message);
  }
  return {};
}

Result<void> check_root(const json& schema, std::uint32_t plugin_kind) {
  if (auto checked = check_node(schema, "", false, 1); !checked) return checked;
  if (schema.value("type", json()) != json("object")) return wrong("/: type must be \"object\"");
  if (schema_words::is_deprecated(schema)) return wrong("/: deprecated is for options");
  if (!schema.contains("properties")) return {};
  const json host_keys = json::parse(host_keys_schema(plugin_kind))["properties"];
  for (const auto& [name, property] : schema["properties"].items()) {
    if (host_keys.contains(name)) return wrong("/properties/" + name + ": this key is the host's own");
  }
  return {};
}

}  // namespace

Result<void> check_schema(std::string_view schema_json, std::uint32_t plugin_kind) {
  if (schema_json.empty()) return {};
  const auto refuse = [](const std::string& why) { return wrong("the plugin's option schema is wrong: " + why); };
  if (schema_json.size() > kMostBytes) return refuse("it is larger than 1 MiB");
  if (util::is_nested_deeper(schema_json)) return refuse("it is nested too deep");
  try {
    if (const auto checked = check_root(json::parse(schema_json), plugin_kind); !checked) {
      return refuse(checked.error().text);
    }
    return {};
  } catch (const json::exception& error) {
    return refuse(error.what());
  }
}

}  // namespace nfbus::host
