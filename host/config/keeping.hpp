// What a sink keeps on disk for the host: its disk queue, its dead letters.
#pragma once

#include "config/config.hpp"
#include "schema/schema.hpp"

#include <nlohmann/json_fwd.hpp>

#include <string>
#include <vector>

namespace nfbus::host {

class Document;
class Findings;

// [control] Reads `overflow`, [sink.NAME.spill] and `dead_letters` of a table that was checked against its schema, with
// absolute paths, into `sink`, whose name is set. path: of the table.
void read_keeping(const nlohmann::json& table, const SchemaPath& path, SinkConfig& sink, Findings& doubts);

// [control] The path without links, as far as it exists: what tells whether two name one folder.
[[nodiscard]] std::string real_folder(const std::string& path);

// [control] Each folder belongs to one sink.
void check_spill_folders(const std::vector<SinkConfig>& sinks, const Document& document, Findings& errors);

}  // namespace nfbus::host
