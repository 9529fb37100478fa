#include "config/document.hpp"

#include "config/syntax.hpp"
#include "config/toml.hpp"

#include <cmath>
#include <cstdint>
#include <sstream>
#include <string>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

struct Document::State {
  toml::table root;
  std::string file;
};

namespace {

// No schema is deeper; dotted keys in nested inline tables could be, by thousands of levels.
constexpr std::size_t kMostLevels = 32;

class Converter {
 public:
  explicit Converter(std::vector<SchemaFinding>& findings) : findings_(findings) {}

  json convert(const toml::node& node) {
    if (path_.size() > kMostLevels) {
      findings_.push_back({.path = path_, .message = "more than " + std::to_string(kMostLevels) + " levels deep"});
      return nullptr;
    }
    return node.visit([this](const auto& value) { return convert_value(value); });
  }

 private:
  json convert_value(const toml::table& table) {
    json object = json::object();
    for (const auto& [key, value] : table) {
      path_.emplace_back(std::string(key.str()));
      object.emplace(std::string(key.str()), convert(value));
      path_.pop_back();
    }
    return object;
  }

  json convert_value(const toml::array& array) {
    json list = json::array();
    for (const toml::node& element : array) {
      path_.emplace_back(list.size());
      list.push_back(convert(element));
      path_.pop_back();
    }
    return list;
  }

  json convert_value(const toml::value<double>& value) {
    if (std::isfinite(value.get())) return value.get();
    findings_.push_back({.path = path_, .message = "inf and nan are of no use here; give a finite number"});
    return nullptr;
  }

  template <typename T>
  json convert_value(const toml::value<T>& value) {
    if constexpr (toml::is_string<T> || toml::is_integer<T> || toml::is_boolean<T>) {
      return value.get();
    } else {
      std::ostringstream text;  // dates and times: toml++ prints RFC 3339
      text << value.get();
      return text.str();
    }
  }

  std::vector<SchemaFinding>& findings_;
  SchemaPath path_;
};

}  // namespace

Document::Document(std::unique_ptr<State> state) : state_(std::move(state)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Result<Document> Document::parse(std::string_view text, const std::string& file) {
  if (auto error = find_deep_key(text, file)) return *std::move(error);
  try {
    return Document(std::make_unique<State>(State{toml::parse(text), file}));
  } catch (const toml::parse_error& error) {
    return explain_syntax_error(error, text, file);
  }
}

json Document::to_json(std::vector<SchemaFinding>& findings) const { return Converter(findings).convert(state_->root); }

Document::Holds Document::holds(const SchemaPath& path) const {
  const toml::node* node = &state_->root;
  for (const auto& step : path) {
    if (const auto* index = std::get_if<std::size_t>(&step)) {
      node = node->is_array() ? node->as_array()->get(*index) : nullptr;
    } else {
      node = node->is_table() ? node->as_table()->get(std::get<std::string>(step)) : nullptr;
    }
    if (node == nullptr) return Holds::nothing;
  }
  if (node->is_table()) return Holds::table;
  return node->is_array() ? Holds::array : Holds::value;
}

Location Document::locate(const SchemaPath& path, bool key) const {
  Location where{state_->file};
  const toml::node* node = &state_->root;
  for (std::size_t i = 0; i < path.size(); ++i) {
    toml::source_position place;
    if (const auto* index = std::get_if<std::size_t>(&path[i])) {
      node = node->is_array() ? node->as_array()->get(*index) : nullptr;
      if (node != nullptr) place = node->source().begin;
    } else {
      const toml::table* table = node->as_table();
      if (table == nullptr) break;
      const auto member = table->find(std::get<std::string>(path[i]));
      if (member == table->end()) break;
      node = &member->second;
      place = key && i + 1 == path.size() ? member->first.source().begin : node->source().begin;
    }
    if (node == nullptr) break;
    if (place.line != 0) {
      where.line = place.line;
      where.column = place.column;
    }
  }
  return where;
}

}  // namespace nfbus::host
