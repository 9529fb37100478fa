// Gathers what is wrong with a configuration, while it is read.
#pragma once

#include "config/document.hpp"

#include <cstdint>
#include <set>
#include <string>
#include <vector>

namespace nfbus::host {

class Findings {
 public:
  enum class Keep : std::uint8_t { first = 1, all };  // of several about one path

  // `document` outlives this.
  Findings(const Document& document, Keep keep) : document_(document), keep_(keep) {}

  // At a value. Of several mistakes about one path the first one is kept: the others follow from it.
  void at_value(const SchemaPath& path, const std::string& message) { add(path, message, false); }
  // At a key: unknown, misnamed, or its table as a whole.
  void at_key(const SchemaPath& path, const std::string& message) { add(path, message, true); }
  void add(const std::vector<SchemaFinding>& findings);
  // About the file as a whole.
  void about_file(std::string message);

  // Empties this. In the order of the file.
  [[nodiscard]] std::vector<Error> take();

 private:
  void add(const SchemaPath& path, const std::string& message, bool key);

  const Document& document_;
  const Keep keep_;
  std::set<std::string> seen_;
  std::vector<Error> errors_;
};

}  // namespace nfbus::host
