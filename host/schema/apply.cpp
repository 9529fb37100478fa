#include "match/match.hpp"
#include "schema/other_words.hpp"
#include "schema/pattern.hpp"
#include "schema/quantities.hpp"
#include "schema/schema.hpp"
#include "schema/words.hpp"
#include "support/json_text.hpp"
#include "support/suggest.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

bool has_type(const json& value, std::string_view type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  return value.is_object();
}

// Exactly "${NAME}".
bool is_variable(std::string_view text) {
  return text.size() > 3 && text.starts_with("${") && text.find_first_of("} \t\n") == text.size() - 1;
}

// Code points; `text` is UTF-8, as TOML and JSON are.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

bool size_fits(const json& schema, const char* least, const char* most, std::size_t size) {
  const auto minimum = schema.find(least);
  const auto maximum = schema.find(most);
  return (minimum == schema.end() || size >= minimum->get<std::size_t>()) &&
         (maximum == schema.end() || size <= maximum->get<std::size_t>());
}

const json& properties_of(const json& schema) {
  static const json kNone = json::object();
  const auto properties = schema.find("properties");
  return properties == schema.end() ? kNone : *properties;
}

class Checker {
 public:
  // `fields` outlives this.
  Checker(std::vector<SchemaFinding>& findings, SchemaPath path, const KnownFields& fields)
      : findings_(findings), path_(std::move(path)), fields_(fields) {}

  // Whether `value`, less those of its parts that were taken out, may stay.
  bool check(const json& schema, json& value) {
    if (!type_fits(schema, value) || !enum_fits(schema, value) || !range_fits(schema, value) ||
        !text_fits(schema, value) || !count_fits(schema, value)) {
      return false;
    }
    if (value.is_object()) {
      if (schema_words::is_match(schema)) return check_match(value);
      check_keys(schema, value);
    }
    if (value.is_array() && schema.contains("items")) check_items(schema["items"], value);
    return true;
  }

 private:
  using Kind = SchemaFinding::Kind;

  void find(std::string message, Kind kind = Kind::wrong_value) {
    findings_.push_back({.path = path_, .kind = kind, .message = std::move(message)});
  }

  static std::string shown(const json& schema, const json& value) {
    return schema_words::is_secret(schema) ? "the value" : schema_words::shown(value);
  }

  bool type_fits(const json& schema, const json& value) {
    const std::vector<std::string> types = schema_words::types(schema);
    const auto fits = [&value](const std::string& type) { return has_type(value, type); };
    if (types.empty() || std::any_of(types.begin(), types.end(), fits)) return true;
    std::string message = "expected " + schema_words::expected(schema) + ", found " + std::string(found_type(value));
    if (types.front() == "array" && schema.contains("items") && value.is_primitive() &&
        would_fit(schema["items"], value)) {
      message += "; write [" + shown(schema["items"], value) + "]";
    } else if (!schema_words::is_secret(schema)) {
      message += how_to_write(schema, value);
    }
    find(std::move(message), Kind::wrong_type);
    return false;
  }

  // "10MB" where a number is wanted.
  [[nodiscard]] std::string how_to_write(const json& schema, const json& value) const {
    const std::vector<std::string> types = schema_words::types(schema);
    const bool wants_number = types.front() == "integer" || types.front() == "number";
    if (!wants_number || !value.is_string()) return {};
    const auto& text = value.get_ref<const std::string&>();
    if (text.find_first_not_of("0123456789") == std::string::npos) return {};
    if (text.find_first_not_of("0123456789,-: ") == std::string::npos) return "; write one number";
    std::string unit = schema.value("x-unit", "");
    if (const auto* key = path_.empty() ? nullptr : std::get_if<std::string>(&path_.back()); unit.empty() && key) {
      unit = unit_of_option(*key);
    }
    const std::string number = number_to_write(text, unit);
    return number.empty() ? std::string() : "; write " + number;
  }

  [[nodiscard]] bool would_fit(const json& schema, json value) const {
    std::vector<SchemaFinding> findings;
    const bool fits = Checker(findings, {}, fields_).check(schema, value);
    (void)take_doubts(findings);
    return fits && findings.empty();
  }

  bool enum_fits(const json& schema, const json& value) {
    const auto choices = schema.find("enum");
    if (choices == schema.end() || std::find(choices->begin(), choices->end(), value) != choices->end()) return true;
    std::string message = "must be " + schema_words::choices(*choices) + ", found " + shown(schema, value);
    if (value.is_string()) {
      std::vector<std::string> names;
      for (const json& choice : *choices) {
        if (choice.is_string()) names.push_back(choice.get<std::string>());
      }
      message += did_you_mean(value.get_ref<const std::string&>(), names);
    }
    find(std::move(message));
    return false;
  }

  bool range_fits(const json& schema, const json& value) {
    if (!value.is_number()) return true;
    const auto minimum = schema.find("minimum");
    const auto maximum = schema.find("maximum");
    if ((minimum == schema.end() || value >= *minimum) && (maximum == schema.end() || value <= *maximum)) return true;
    find(shown(schema, value) + " is out of range; it must be " + schema_words::range(schema));
    return false;
  }

  bool text_fits(const json& schema, const json& value) {
    if (!value.is_string()) return true;
    const auto& text = value.get_ref<const std::string&>();
    if (is_variable(text) && !schema_words::is_secret(schema)) {
      find(shown(schema, value) + " would stay as it is: only secrets are read from the environment");
      return false;
    }
    if (!size_fits(schema, "minLength", "maxLength", characters(text))) {
      find(shown(schema, value) + " must have " + schema_words::length(schema));
      return false;
    }
    const auto pattern = schema.find("pattern");
    if (pattern == schema.end()) return true;
    if (text.size() > schema_pattern::kMostTextBytes) {
      find("is longer than " + std::to_string(schema_pattern::kMostTextBytes) + " bytes");
      return false;
    }
    if (schema_pattern::matches(pattern->get_ref<const std::string&>(), text)) return true;
    find(shown(schema, value) + " does not match " + schema_words::shown(*pattern));
    return false;
  }

  bool count_fits(const json& schema, const json& value) {
    if (!value.is_array() || size_fits(schema, "minItems", "maxItems", value.size())) return true;
    find("must have " + schema_words::count(schema) + ", found " + std::to_string(value.size()));
    return false;
  }

  bool check_match(const json& table) {
    const CompiledMatch compiled = compile_match(table, fields_);
    for (const MatchFault& fault : compiled.faults) {
      find_in_match(fault, fault.about_key ? Kind::unknown_key : Kind::wrong_value);
    }
    for (const MatchFault& doubt : compiled.doubts) find_in_match(doubt, Kind::doubt);
    return compiled.faults.empty();
  }

  void find_in_match(const MatchFault& fault, Kind kind) {
    SchemaPath place = path_;
    if (!fault.key.empty()) place.emplace_back(fault.key);
    if (fault.element) place.emplace_back(*fault.element);
    findings_.push_back({.path = std::move(place), .kind = kind, .message = fault.text});
  }

  void check_items(const json& schema, json& array) {
    for (std::size_t i = 0; i < array.size(); ++i) {
      path_.emplace_back(i);
      if (!check(schema, array[i])) array[i] = nullptr;
      path_.pop_back();
    }
  }

  void check_keys(const json& schema, json& object) {
    const json& properties = properties_of(schema);
    const auto others = schema.find("additionalProperties");
    for (auto member = object.begin(); member != object.end();) {
      path_.emplace_back(member.key());
      bool keep = false;
      if (const auto property = properties.find(member.key()); property != properties.end()) {
        keep = check(*property, member.value());
      } else if (others == schema.end() || *others == json(false)) {
        find("unknown key" + hint(member.key(), properties), Kind::unknown_key);
      } else {
        keep = !others->is_object() || check(*others, member.value());
      }
      path_.pop_back();
      member = keep ? std::next(member) : object.erase(member);
    }
    find_missing(schema, object);
    for (const auto& [key, property] : properties.items()) {
      const auto value = property.find("default");
      if (value != property.end() && !object.contains(key)) {
        json filled = *value;
        check(property, filled);  // fits, as check_schema() saw; this fills in the defaults inside of it
        object[key] = std::move(filled);
      }
    }
  }

  void find_missing(const json& schema, const json& object) {
    const auto required = schema.find("required");
    if (required == schema.end()) return;
    for (const json& key : *required) {
      const auto& name = key.get_ref<const std::string&>();
      if (object.contains(name)) continue;
      path_.emplace_back(name);
      std::string message = "this key is required";
      if (schema_words::is_secret(properties_of(schema).at(name))) {
        message += ", or " + name + "_file = \"PATH\" in its place";
      }
      find(std::move(message), Kind::missing_key);
      path_.pop_back();
    }
  }

  static std::string hint(const std::string& name, const json& properties) {
    std::vector<std::string> known;
    for (const auto& [key, property] : properties.items()) {
      if (schema_words::is_deprecated(property)) continue;
      known.push_back(key);
      if (schema_words::is_secret(property)) known.push_back(key + "_file");
    }
    if (const std::string_view ours = our_word(name, known); !ours.empty()) {
      return "; did you mean \"" + std::string(ours) + "\"?";
    }
    std::string near = did_you_mean(name, known);
    if (!near.empty()) return near;
    if (known.empty()) return "; there are no keys here";
    std::string all = "; known here:";
    for (const std::string& key : known) all += ' ' + key + ',';
    all.pop_back();
    return all;
  }

  std::vector<SchemaFinding>& findings_;
  SchemaPath path_;
  const KnownFields& fields_;
};

// Walks what a user wrote, by the schema of each part.
class Deprecated {
 public:
  explicit Deprecated(SchemaPath path) : path_(std::move(path)) {}

  void visit(const json& schema, const json& value) {
    if (schema_words::is_deprecated(schema)) return find(schema);
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) descend(schema["items"], i, value[i]);
    }
    if (!value.is_object()) return;
    for (const auto& [name, member] : value.items()) {
      if (const json* const inner = schema_of(schema, name)) descend(*inner, name, member);
    }
  }

  std::vector<SchemaFinding> found;

 private:
  // Of NAME_file, too.
  static const json* schema_of(const json& schema, const std::string& name) {
    constexpr std::string_view kFile = "_file";
    if (name.ends_with(kFile) && !properties_of(schema).contains(name)) {
      const auto secret = properties_of(schema).find(name.substr(0, name.size() - kFile.size()));
      if (secret != properties_of(schema).end() && schema_words::is_secret(*secret)) return &*secret;
    }
    return schema_words::of_key(schema, name);
  }

  template <typename Step>
  void descend(const json& schema, const Step& step, const json& value) {
    path_.emplace_back(step);
    visit(schema, value);
    path_.pop_back();
  }

  void find(const json& schema) {
    std::string message = "is deprecated";
    if (const std::string why = schema.value("description", ""); !why.empty()) message += ": " + why;
    found.push_back({.path = path_, .kind = SchemaFinding::Kind::deprecated, .message = std::move(message)});
  }

  SchemaPath path_;
};

}  // namespace

std::string to_string(const SchemaPath& path) {
  constexpr std::string_view kBare = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  std::string text;
  for (const auto& part : path) {
    if (const auto* index = std::get_if<std::size_t>(&part)) {
      text += '[' + std::to_string(*index) + ']';
      continue;
    }
    const auto& key = std::get<std::string>(part);
    const bool bare = !key.empty() && key.find_first_not_of(kBare) == std::string::npos;
    if (!text.empty()) text += '.';
    text += bare ? key : schema_words::shown(json(key));
  }
  return text;
}

std::vector<SchemaFinding> apply_schema(const json& schema, json& value, const SchemaPath& path,
                                        const KnownFields& fields) {
  std::vector<SchemaFinding> findings;
  if (!Checker(findings, path, fields).check(schema, value)) value = nullptr;
  return findings;
}

std::vector<SchemaFinding> take_doubts(std::vector<SchemaFinding>& findings) {
  const auto first = std::stable_partition(findings.begin(), findings.end(), [](const SchemaFinding& finding) {
    return finding.kind != SchemaFinding::Kind::doubt;
  });
  std::vector<SchemaFinding> doubts(std::make_move_iterator(first), std::make_move_iterator(findings.end()));
  findings.erase(first, findings.end());
  return doubts;
}

std::vector<SchemaFinding> find_deprecated(const json& schema, const json& value, const SchemaPath& path) {
  Deprecated walk(path);
  walk.visit(schema, value);
  return std::move(walk.found);
}

void resolve_paths(const json& schema, json& value, const std::string& folder) {
  if (value.is_string() && schema_words::is_path(schema)) {
    const auto& given = value.get_ref<const std::string&>();
    const bool is_stream = given == "-" && schema_words::is_output(schema);
    if (!given.empty() && !is_stream) value = (std::filesystem::path(folder) / given).string();
  } else if (value.is_array() && schema.contains("items")) {
    for (json& element : value) resolve_paths(schema["items"], element, folder);
  } else if (value.is_object()) {
    for (auto member = value.begin(); member != value.end(); ++member) {
      if (const json* const inner = schema_words::of_key(schema, member.key())) {
        resolve_paths(*inner, member.value(), folder);
      }
    }
  }
}

}  // namespace nfbus::host
