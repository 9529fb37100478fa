// Reads tables of the configuration that were checked against their schema.
#pragma once

#include "schema/schema.hpp"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <string>
#include <utility>

namespace nfbus::host {

// [any] A member of `table` that apply_schema() left in it; else `fallback`.
template <typename T>
[[nodiscard]] T member(const nlohmann::json& table, const char* key, T fallback) {
  const auto found = table.find(key);
  return found == table.end() ? fallback : found->get<T>();
}

// [any] An empty object where there is none.
[[nodiscard]] inline const nlohmann::json& table_at(const nlohmann::json& parent, const char* key) {
  static const nlohmann::json kEmpty = nlohmann::json::object();
  const auto found = parent.find(key);
  return found == parent.end() ? kEmpty : *found;
}

[[nodiscard]] inline SchemaPath operator/(SchemaPath path, const char* key) {
  path.emplace_back(std::string(key));
  return path;
}

[[nodiscard]] inline SchemaPath operator/(SchemaPath path, std::size_t index) {
  path.emplace_back(index);
  return path;
}

}  // namespace nfbus::host
