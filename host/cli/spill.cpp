// `nfbus spill`: what is in the folder of a sink's disk queue, whether a host has it or not.
#include "cli/commands.hpp"
#include "cli/write_out.hpp"
#include "delivery/spill/inspect.hpp"
#include "formats/format.hpp"
#include "formats/json_writer.hpp"
#include "formats/text_buffer.hpp"
#include "record/record.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "support/table.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kWriteBytes = 65536;

int fail(const Error& error) {
  log::error(printable(to_string(error)));
  return exit_status::kFailed;
}

int show_status(spill::Files& files, const SpillOptions& options) {
  const auto seen = spill::overview(files, options.folder);
  if (!seen) return fail(seen.error());
  const std::int64_t age = seen->oldest_ns == 0 ? 0 : std::max<std::int64_t>(0, realtime_ns() - seen->oldest_ns);
  if (options.json) {
    const Json line = {{"owner", seen->owner},       {"records", seen->records},
                       {"bytes", seen->bytes},       {"oldest_seconds", age / kNsPerSecond},
                       {"segments", seen->segments}, {"set_aside", seen->set_aside}};
    static_cast<void>(write_out(line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n'));
    return exit_status::kDone;
  }
  static_cast<void>(write_out(table_text({{"owner", seen->owner},
                                          {"records", std::to_string(seen->records)},
                                          {"bytes", std::to_string(seen->bytes)},
                                          {"oldest", fmt::format("{} s", age / kNsPerSecond)},
                                          {"segments", std::to_string(seen->segments)},
                                          {"set aside", std::to_string(seen->set_aside)}})));
  return exit_status::kDone;
}

int check(spill::Files& files, const SpillOptions& options) {
  std::uint64_t damaged = 0;
  std::uint64_t whole = 0;
  const auto visited = spill::visit(files, options.folder,
                                    {.record =
                                         [&](const spill::Record& /*record*/) {
                                           ++whole;
                                           return true;
                                         },
                                     .damage =
                                         [&](const std::string& what) {
                                           ++damaged;
                                           static_cast<void>(write_out(printable(what) + '\n'));
                                         }});
  if (!visited) return fail(visited.error());
  log::info(fmt::format("{}: {} records to be delivered are whole, {} places damaged", options.folder, whole, damaged));
  return damaged == 0 ? exit_status::kDone : exit_status::kFailed;
}

// Shows records as the events that they are.
class Exporter {
 public:
  // False: nobody reads standard output any more.
  bool show(const spill::Record& record) {
    Event event{};
    if (const auto decoded = record::decode(record.body, event, fields_, ports_); !decoded) {
      log::warning(fmt::format("record {} is no event that this nfbus reads: {}", record.number, decoded.error().text));
      ++unread_;
      return true;
    }
    const Format& format = formats_[FormatSet::find("packet")];
    line_.clear();
    format.render(event, line_);
    format.append_fields(event, line_);
    text_ += json::shown(std::string(line_.view()));
    text_ += '\n';
    return text_.size() < kWriteBytes || flush();
  }
  bool flush() {
    const bool written = write_out(text_);
    text_.clear();
    return written;
  }
  [[nodiscard]] std::uint64_t unread() const noexcept { return unread_; }

 private:
  FormatSet formats_{""};
  std::vector<nfbus_field> fields_;
  nfbus_ports ports_{};
  TextBuffer line_;
  std::string text_;
  std::uint64_t unread_ = 0;
};

int show_records(spill::Files& files, const SpillOptions& options) {
  Exporter exporter;
  std::uint64_t damaged = 0;
  const auto visited = spill::visit(files, options.folder,
                                    {.record = [&](const spill::Record& record) { return exporter.show(record); },
                                     .damage =
                                         [&](const std::string& what) {
                                           ++damaged;
                                           log::warning(printable(what));
                                         }});
  static_cast<void>(exporter.flush());
  if (!visited) return fail(visited.error());
  return damaged + exporter.unread() == 0 ? exit_status::kDone : exit_status::kFailed;
}

}  // namespace

int spill_command(const SpillOptions& options) {
  spill::RealFiles files;
  switch (options.what) {
    case SpillOptions::What::status: return show_status(files, options);
    case SpillOptions::What::check: return check(files, options);
    case SpillOptions::What::show: return show_records(files, options);
  }
  return exit_status::kUsage;
}

}  // namespace nfbus::host
