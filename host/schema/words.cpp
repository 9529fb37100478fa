#include "schema/words.hpp"

#include <algorithm>
#include <array>

namespace nfbus::host::schema_words {

using nlohmann::json;

namespace {

struct TypeName {
  std::string_view type;
  std::string_view one;
  std::string_view many;
};

constexpr std::array<TypeName, 6> kTypeNames = {{{"string", "a string", "strings"},
                                                 {"integer", "an integer", "integers"},
                                                 {"number", "a number", "numbers"},
                                                 {"boolean", "true or false", "booleans"},
                                                 {"array", "an array", "arrays"},
                                                 {"object", "a table", "tables"}}};

std::string_view name_of(std::string_view type, bool many) {
  for (const TypeName& name : kTypeNames) {
    if (name.type == type) return many ? name.many : name.one;
  }
  return type;
}

std::string joined(const std::vector<std::string>& parts) {
  std::string text;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i != 0) text += i + 1 == parts.size() ? " or " : ", ";
    text += parts[i];
  }
  return text;
}

std::string expected(const json& schema, bool many) {
  std::vector<std::string> parts;
  for (const std::string& type : types(schema)) {
    std::string part(name_of(type, many));
    if (type == "array" && schema.contains("items")) {
      const std::string items = expected(schema["items"], true);
      if (!items.empty()) part += " of " + items;
    }
    parts.push_back(std::move(part));
  }
  return joined(parts);
}

std::string between(const json& schema, const char* least, const char* most) {
  const auto minimum = schema.find(least);
  const auto maximum = schema.find(most);
  if (minimum != schema.end() && maximum != schema.end()) {
    return *minimum == *maximum ? minimum->dump() : minimum->dump() + " to " + maximum->dump();
  }
  if (minimum != schema.end()) return "at least " + minimum->dump();
  return maximum == schema.end() ? std::string() : "at most " + maximum->dump();
}

std::string counted(const json& schema, const char* least, const char* most, const std::string& what) {
  std::string text = between(schema, least, most);
  if (text.empty()) return text;
  const auto last = schema.contains(most) ? schema.find(most) : schema.find(least);
  return text + ' ' + what + (*last == 1 ? "" : "s");
}

}  // namespace

std::vector<std::string> types(const json& schema) {
  const auto type = schema.find("type");
  if (type == schema.end()) return {};
  if (type->is_string()) return {type->get<std::string>()};
  return type->get<std::vector<std::string>>();
}

std::string expected(const json& schema) {
  std::string text = expected(schema, false);
  return text.empty() ? "anything" : text;
}

std::string choices(const json& values) {
  std::vector<std::string> parts;
  for (const json& value : values) parts.push_back(shown(value));
  return joined(parts);
}

std::string range(const json& schema) {
  const std::string text = between(schema, "minimum", "maximum");
  const auto unit = schema.find("x-unit");
  return text.empty() || unit == schema.end() ? text : text + ' ' + unit->get<std::string>();
}

std::string length(const json& schema) { return counted(schema, "minLength", "maxLength", "character"); }
std::string count(const json& schema) { return counted(schema, "minItems", "maxItems", "element"); }

const json* of_key(const json& schema, const std::string& name) {
  const auto properties = schema.find("properties");
  if (properties != schema.end()) {
    if (const auto property = properties->find(name); property != properties->end()) return &*property;
  }
  const auto others = schema.find("additionalProperties");
  return others != schema.end() && others->is_object() ? &*others : nullptr;
}

bool is_secret(const json& schema) { return schema.value("x-secret", false); }
bool is_match(const json& schema) { return schema.value("x-match", false); }
bool is_output(const json& schema) { return schema.value("x-output", false); }
bool is_path(const json& schema) { return schema.value("x-path", false) || is_output(schema); }
bool may_be_stdout(const json& schema) { return schema.value("x-stdout", false); }

bool any_is_set(const json& names, const json& table) {
  return std::any_of(names.begin(), names.end(), [&](const json& name) {
    const auto found = table.find(name.get_ref<const std::string&>());
    if (found == table.end() || found->is_null()) return false;
    if (found->is_boolean()) return found->get<bool>();
    if (found->is_number()) return *found != 0;
    return found->is_string() ? !found->get_ref<const std::string&>().empty() : !found->empty();
  });
}

bool has_what_it_needs(const json& schema, const json& table) {
  const auto names = schema.find("x-needs");
  return names == schema.end() || any_is_set(*names, table);
}

std::string needs(const json& schema) { return choices_of_keys(schema["x-needs"]); }

std::string choices_of_keys(const json& names) { return joined(names.get<std::vector<std::string>>()); }
bool is_deprecated(const json& schema) { return schema.value("deprecated", false); }

}  // namespace nfbus::host::schema_words
