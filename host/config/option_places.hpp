// Remembers where the options of an instance stand, for what its plugin says of them once the file has been read.
#pragma once

#include "schema/schema.hpp"

#include <nfbus/result.hpp>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace nfbus::host {

class Document;

struct OptionPlace {
  std::string name;  // "sink.archive.drop[0].dst"
  Location where;    // of its value; of an option that was not written: of the nearest table around it
};

// Keeps the text of the configuration as it was parsed. Those of any two instances are equal: a table that only moved
// is the same. Thread safety: as a const object.
class OptionPlaces {
 public:
  OptionPlaces() = default;
  // instance: its table, {"sink", "archive"}.
  OptionPlaces(std::shared_ptr<const Document> document, SchemaPath instance);

  // [control] Of the option that a JSON pointer (RFC 6901) names: "/drop/0/dst". Of a secret that comes from a file: of
  // NAME_file. Nothing: `pointer` is empty, or no pointer, or longer than any option's, or there is no document.
  [[nodiscard]] std::optional<OptionPlace> find(std::string_view pointer) const;

  bool operator==(const OptionPlaces& /*other*/) const noexcept { return true; }

 private:
  std::shared_ptr<const Document> document_;
  SchemaPath instance_;
};

}  // namespace nfbus::host
