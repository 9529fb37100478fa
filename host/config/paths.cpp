#include "config/paths.hpp"

#include "config/document.hpp"
#include "config/findings.hpp"
#include "schema/words.hpp"

#include <nfbus/util/commands.hpp>

#include <fmt/format.h>
#include <sys/stat.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

SchemaPath below(SchemaPath path, const std::string& key) {
  path.emplace_back(key);
  return path;
}

SchemaPath below(SchemaPath path, std::size_t index) {
  path.emplace_back(index);
  return path;
}

// A conversion of strftime; empty: there is none.
std::string date_in(std::string_view text) {
  constexpr std::string_view kConversions = "aAbBcCdDeFgGhHIjklmMnpPrRsStTuUVwWxXyYzZ";
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 2)) {
    if (at + 1 < text.size() && kConversions.find(text[at + 1]) != std::string_view::npos) {
      return std::string(text.substr(at, 2));
    }
  }
  return {};
}

// Whether everybody can read it: the file's mode says so, and the modes of the folders above.
bool is_for_all(const std::string& file, mode_t& mode) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0 || (found.st_mode & S_IROTH) == 0) return false;
  mode = found.st_mode & 07777U;
  std::error_code error;
  std::filesystem::path above = std::filesystem::weakly_canonical(std::filesystem::absolute(file, error), error);
  while (!error && above.has_relative_path()) {
    above = above.parent_path();
    if (::stat(above.c_str(), &found) != 0 || (found.st_mode & S_IXOTH) == 0) return false;
  }
  return !error;
}

}  // namespace

std::string fault_of_path(const std::string& text) {
  if (text.find('\0') != std::string::npos) return "has a NUL byte in it, which no path can have";
  if (text == "-") return R"("-" is no path here; write "./-" if a file of this name is meant)";
  return {};
}

void OptionPaths::take(const json& schema, json& options, const SchemaPath& path, const std::string& folder) {
  check(schema, options, options, path);
  resolve_paths(schema, options, folder);
  remember_outputs(schema, options, path);
}

void OptionPaths::take_secret(const SchemaPath& place, const std::string& file) {
  remember(UsedPath::Use::secret, place, file);
  mode_t mode = 0;
  if (!is_for_all(file, mode)) return;
  warnings_.at_value(
      place, fmt::format("everybody can read this secret (mode {:04o}); chmod o-rwx {}", mode, util::shell_word(file)));
}

void OptionPaths::check(const json& schema, const json& value, const json& table, const SchemaPath& path) {
  if (value.is_string()) {
    if (schema_words::is_path(schema)) check_path(schema, value.get<std::string>(), table, path);
  } else if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) check(schema["items"], value[i], table, below(path, i));
  } else if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      const json* const inner = schema_words::of_key(schema, name);
      if (inner == nullptr) continue;
      const SchemaPath place = below(path, name);
      check(*inner, member, value, place);
      const bool is_written = document_.holds(place) != Document::Holds::nothing;
      if (is_written && !schema_words::has_what_it_needs(*inner, value)) {
        warnings_.at_key(place, "is of no use without " + schema_words::needs(*inner));
      }
    }
  }
}

void OptionPaths::check_path(const json& schema, const std::string& text, const json& table, const SchemaPath& path) {
  if (text == "-" && schema_words::is_output(schema)) {
    if (schema_words::may_be_stdout(schema)) return;
    return errors_.at_value(path, R"(this plugin does not write to standard output; name a file, or "./-" if one of )"
                                  "this name is meant");
  }
  if (const std::string fault = fault_of_path(text); !fault.empty()) return errors_.at_value(path, fault);
  if (schema_words::is_output(schema)) check_dates(schema, text, table, path);
}

void OptionPaths::check_dates(const json& schema, const std::string& text, const json& table, const SchemaPath& path) {
  const std::string date = date_in(text);
  if (date.empty()) return;
  const json dates = schema.value("x-strftime", json(false));
  if (dates == json(true)) return;
  if (dates.is_array() && schema_words::any_is_set(dates, table)) return;
  std::string why = fmt::format("\"{}\" stays as it is in the file's name: ", date);
  if (dates.is_array()) {
    why += "it becomes a date only with " + schema_words::choices_of_keys(dates);
  } else {
    why += "this plugin puts no dates into it";
  }
  warnings_.at_value(path, why);
}

std::string OptionPaths::first_output(const SchemaPath& instance, const SchemaPath& but) const {
  const std::string beginning = to_string(instance) + '.';
  const auto found = std::ranges::find_if(used_, [&](const UsedPath& used) {
    return used.use == UsedPath::Use::output && used.key.starts_with(beginning) && used.key != to_string(but);
  });
  return found == used_.end() ? std::string() : found->path;
}

void OptionPaths::remember(UsedPath::Use use, const SchemaPath& place, const std::string& path) {
  used_.push_back({.use = use, .key = to_string(place), .path = path, .where = document_.locate(place, false)});
}

void OptionPaths::remember_outputs(const json& schema, const json& value, const SchemaPath& path) {
  if (value.is_string() && schema_words::is_output(schema)) {
    const auto file = value.get<std::string>();
    remember(UsedPath::Use::output, path, file);
    outputs_.push_back(
        {.place = path, .where = document_.locate(path, false), .path = file, .identity = identify_output(file)});
  } else if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i) remember_outputs(schema["items"], value[i], below(path, i));
  } else if (value.is_object()) {
    for (const auto& [name, member] : value.items()) {
      if (const json* inner = schema_words::of_key(schema, name)) remember_outputs(*inner, member, below(path, name));
    }
  }
}

void OptionPaths::check_outputs(const std::string& config_file) {
  std::sort(outputs_.begin(), outputs_.end(), [](const Output& a, const Output& b) {
    return std::pair(a.where.line, a.where.column) < std::pair(b.where.line, b.where.column);
  });
  const OutputIdentity own = identify_output(config_file);
  const auto is_read = [&](const Output& output) {
    return are_same_output(own, output.identity) || std::ranges::any_of(used_, [&](const UsedPath& used) {
             return used.use == UsedPath::Use::secret && are_same_output(identify_output(used.path), output.identity);
           });
  };
  for (auto output = outputs_.begin(); output != outputs_.end(); ++output) {
    if (is_read(*output)) {
      errors_.at_value(output->place,
                       "this is a file that nfbus reads: the configuration, or a secret's; name another");
      continue;
    }
    const auto place_of = [&](const Output& first) {
      return fmt::format("{}:{}:{}", first.where.file, first.where.line, first.where.column);
    };
    const auto first = std::find_if(outputs_.begin(), output, [&](const Output& other) {
      return are_same_output(other.identity, output->identity) || are_same_stream(other.identity, output->identity);
    });
    if (first == output) continue;
    const std::string name = to_string(first->place);
    if (are_same_stream(first->identity, output->identity)) {
      warnings_.at_value(output->place,
                         fmt::format("{} writes to it, too, at {}: what both write is mixed", name, place_of(*first)));
    } else {
      errors_.at_value(output->place, fmt::format("{} writes to this file, at {}; give each sink a file of its own",
                                                  name, place_of(*first)));
    }
  }
}

}  // namespace nfbus::host
