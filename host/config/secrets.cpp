#include "config/secrets.hpp"

#include "config/read_file.hpp"
#include "schema/words.hpp"
#include "support/utf8.hpp"
#include "support/way.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string_view>

namespace nfbus::host {

using nlohmann::json;

namespace {

constexpr std::size_t kMostSecretBytes = 65536;

Error invalid(std::string text) { return {.code = Code::invalid, .text = std::move(text)}; }

Result<std::string> from_environment(const std::string& value) {
  constexpr std::string_view kNameBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
  const std::string_view text = value;
  const bool braced = text.size() > 3 && text.starts_with("${") && text.ends_with('}');
  const std::string name(braced ? text.substr(2, text.size() - 3) : std::string_view());
  if (name.empty() || name.find_first_not_of(kNameBytes) != std::string::npos) {
    return invalid("a secret does not stand in the configuration itself");
  }
  const char* found = std::getenv(name.c_str());
  if (found == nullptr) return invalid("the environment variable " + name + " is not set");
  if (*found == '\0') return invalid("the environment variable " + name + " is empty");
  if (!is_utf8(found)) return invalid("the environment variable " + name + " is not UTF-8 text");
  return std::string(found);
}

Result<std::string> read_for_root(const std::string& file) {
  const Result<Way> way = Way::to_file(file);
  if (!way) return way.error();
  if (auto planted = way->planted(::geteuid())) return Error{.code = Code::refused, .text = *std::move(planted)};
  return read_descriptor(way->descriptor(), kMostSecretBytes);
}

Result<std::string> from_file(const std::string& file, bool started_as_root) {
  Result<std::string> content = started_as_root ? read_for_root(file) : read_file(file, kMostSecretBytes);
  if (!content) return invalid("the secret's file \"" + file + "\": " + content.error().text);
  std::string secret = *content;
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) return invalid("the secret's file \"" + file + "\" is empty");
  if (!is_utf8(secret)) return invalid("the secret's file \"" + file + "\" is not UTF-8 text");
  return secret;
}

class Resolver {
 public:
  Resolver(SchemaPath path, const std::string& folder, bool started_as_root)
      : path_(std::move(path)), folder_(folder), started_as_root_(started_as_root) {}

  void resolve(const json& schema, json& value) {
    if (value.is_array() && schema.contains("items")) {
      for (std::size_t i = 0; i < value.size(); ++i) descend(schema["items"], i, value[i]);
    }
    if (!value.is_object()) return;
    if (schema.contains("properties")) {
      for (const auto& [name, property] : schema["properties"].items()) {
        if (schema_words::is_secret(property)) take(schema["properties"], name, value);
      }
    }
    for (const auto& [name, member] : value.items()) {
      const json* const inner = schema_words::of_key(schema, name);
      if (inner != nullptr && !schema_words::is_secret(*inner)) descend(*inner, name, member);
    }
  }

  SecretFindings found;

 private:
  template <typename Step>
  void descend(const json& schema, const Step& step, json& value) {
    path_.emplace_back(step);
    resolve(schema, value);
    path_.pop_back();
  }

  void take(const json& properties, const std::string& name, json& table) {
    const std::string file_name = name + "_file";
    const bool by_file = table.contains(file_name) && !properties.contains(file_name);
    if (by_file && table.contains(name)) {
      refuse(name, file_name, table, "give either " + name + " or " + file_name + ", not both");
    } else if (by_file) {
      const json given = table[file_name];
      if (!given.is_string() || given.get_ref<const std::string&>().empty()) {
        return refuse(name, file_name, table, "expected a string, the path of the file that holds the secret");
      }
      if (given == "-") return refuse(name, file_name, table, R"("-" is no file: name the one that holds the secret)");
      const std::string file = (std::filesystem::path(folder_) / given.get<std::string>()).string();
      settle(name, file_name, table, from_file(file, started_as_root_));
      path_.emplace_back(file_name);
      found.files.emplace_back(path_, file);
      path_.pop_back();
    } else if (table.contains(name) && table[name].is_string()) {  // other types are the schema's to refuse
      settle(name, name, table, from_environment(table[name].get<std::string>()));
    }
  }

  void settle(const std::string& name, const std::string& given, json& table, const Result<std::string>& secret) {
    if (!secret) {
      return refuse(name, given, table,
                    secret.error().text + "; give " + name + "_file = \"PATH\" or " + name + " = \"${VARIABLE}\"");
    }
    table.erase(given);
    table[name] = secret.value();
  }

  void refuse(const std::string& name, const std::string& given, json& table, std::string message) {
    path_.emplace_back(given);
    found.findings.push_back({.path = path_, .message = std::move(message)});
    path_.back() = name;
    found.unresolved.push_back(path_);
    path_.pop_back();
    table.erase(name);
    table.erase(given);
  }

  SchemaPath path_;
  const std::string& folder_;
  const bool started_as_root_;
};

}  // namespace

SecretFindings resolve_secrets(const json& schema, json& value, const SchemaPath& path, const std::string& folder,
                               bool started_as_root) {
  Resolver resolver(path, folder, started_as_root);
  resolver.resolve(schema, value);
  return std::move(resolver.found);
}

}  // namespace nfbus::host
