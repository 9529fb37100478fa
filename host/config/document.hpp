// A TOML text as JSON, with the place of every value. The only code that includes toml++.
#pragma once

#include "schema/schema.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

// Immutable once parsed. Thread safety: const members from any thread.
class Document {
 public:
  // [control] Errors (invalid) carry their place in `file`, which is only a name here. Never throws.
  static Result<Document> parse(std::string_view text, const std::string& file);

  Document(Document&& other) noexcept;
  Document& operator=(Document&& other) noexcept;
  ~Document();

  // The whole text: dates and times as RFC 3339 strings; infinite numbers and "not a number" are findings, as JSON has
  // none, and null in `value`.
  [[nodiscard]] nlohmann::json to_json(std::vector<SchemaFinding>& findings) const;

  enum class Holds : std::uint8_t { nothing = 1, table, array, value };
  // Returns what is at the path.
  [[nodiscard]] Holds holds(const SchemaPath& path) const;

  // Returns where the value is, or the key that names it if `key`; if there is no such path: its nearest parent.
  [[nodiscard]] Location locate(const SchemaPath& path, bool key) const;

 private:
  struct State;
  explicit Document(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace nfbus::host
