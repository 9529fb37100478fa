// Paths among options: what cannot be one, which files sinks write to, what is read again later.
#pragma once

#include "config/outputs.hpp"
#include "schema/schema.hpp"

#include <nfbus/result.hpp>

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace nfbus::host {

class Document;
class Findings;

// A path that is opened again in the course of time, by the user that the host becomes.
struct UsedPath {
  enum class Use : std::uint8_t { secret = 1, output };
  Use use;
  std::string key;  // "sink.out.file"
  std::string path;
  Location where;
};

// Looks at the options of one instance after the other. Thread safety: [control].
class OptionPaths {
 public:
  // All of them outlive this.
  OptionPaths(const Document& document, Findings& errors, Findings& warnings)
      : document_(document), errors_(errors), warnings_(warnings) {}

  // options: what apply_schema() left, which becomes paths from `folder`, an absolute one, on. path: theirs.
  void take(const nlohmann::json& schema, nlohmann::json& options, const SchemaPath& path, const std::string& folder);
  void take_secret(const SchemaPath& place, const std::string& file);

  // Each file has one writer: two that append to it lose lines as soon as one of them rotates it. config_file: nobody
  // writes to it.
  void check_outputs(const std::string& config_file);

  // Of those of an instance that were looked at, but for that one; empty: it has none.
  [[nodiscard]] std::string first_output(const SchemaPath& instance, const SchemaPath& but) const;
  [[nodiscard]] std::vector<UsedPath> used() && { return std::move(used_); }

 private:
  struct Output {
    SchemaPath place;
    Location where;
    std::string path;
    OutputIdentity identity;
  };

  // `table`: that the value is an option of.
  void check(const nlohmann::json& schema, const nlohmann::json& value, const nlohmann::json& table,
             const SchemaPath& path);
  void check_path(const nlohmann::json& schema, const std::string& text, const nlohmann::json& table,
                  const SchemaPath& path);
  void check_dates(const nlohmann::json& schema, const std::string& text, const nlohmann::json& table,
                   const SchemaPath& path);
  void remember_outputs(const nlohmann::json& schema, const nlohmann::json& value, const SchemaPath& path);
  void remember(UsedPath::Use use, const SchemaPath& place, const std::string& path);

  const Document& document_;
  Findings& errors_;
  Findings& warnings_;
  std::vector<UsedPath> used_;
  std::vector<Output> outputs_;
};

// [control] Why a text can be no path: NUL, or "-" where no stream is meant; empty: it may be one.
[[nodiscard]] std::string fault_of_path(const std::string& text);

}  // namespace nfbus::host
