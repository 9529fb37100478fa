#include "running/spill_folders.hpp"

#include "config/keeping.hpp"
#include "delivery/spill/files.hpp"
#include "delivery/spill/inspect.hpp"
#include "support/clock.hpp"

#include <nfbus/util/commands.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <set>
#include <system_error>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

std::string age_text(std::int64_t since_ns) {
  const auto age = std::chrono::nanoseconds(std::max<std::int64_t>(realtime_ns() - since_ns, 0));
  const auto hours = std::chrono::duration_cast<std::chrono::hours>(age).count();
  if (hours >= 48) return fmt::format("{} days", hours / 24);
  if (hours >= 2) return fmt::format("{} hours", hours);
  return fmt::format("{} s", std::chrono::duration_cast<std::chrono::seconds>(age).count());
}

}  // namespace

std::vector<std::string> abandoned_spills(const std::vector<SinkConfig>& sinks) {
  std::set<fs::path> in_use;
  std::set<fs::path> parents = {spill::kDefaultParent};
  for (const SinkConfig& sink : sinks) {
    if (!sink.spill) continue;
    const fs::path folder = real_folder(sink.spill->settings.folder);
    in_use.insert(folder);
    parents.insert(folder.parent_path());
  }
  spill::RealFiles files;
  std::vector<std::string> found;
  for (const fs::path& parent : parents) {
    std::error_code error;
    for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error)) {
      const fs::path folder = real_folder(entry->path().string());
      std::error_code ignored;
      if (in_use.contains(folder) || !fs::is_directory(folder, ignored)) continue;
      const auto seen = spill::overview(files, folder.string());
      if (!seen || seen->records == 0) continue;
      found.push_back(fmt::format(
          "{0}: {1} events ({2} bytes, the oldest {3} old) wait for sink.{4}, which has no such disk queue any more: "
          "they "
          "are kept; give it back its overflow = \"spill\", or look at them with nfbus spill export {0} and remove the "
          "folder",
          util::shell_word(folder.string()), seen->records, seen->bytes, age_text(seen->oldest_ns), seen->owner));
    }
  }
  std::ranges::sort(found);
  return found;
}

std::vector<Error> spill_troubles(const std::vector<SinkConfig>& sinks) {
  spill::RealFiles files;
  std::vector<Error> found;
  for (const SinkConfig& sink : sinks) {
    if (!sink.spill) continue;
    const spill::Settings& settings = sink.spill->settings;
    const auto seen = spill::overview(files, settings.folder);
    if (seen && seen->owner != settings.owner) {
      found.push_back(
          {.code = Code::invalid,
           .text = fmt::format("sink.{}: its spill {} belongs to sink.{}: name another dir, or give the sink "
                               "that name",
                               sink.name, settings.folder, seen->owner),
           .where = sink.where});
    }
    if (!seen && seen.error().code == Code::unsupported) {
      found.push_back({.code = Code::unsupported,
                       .text = fmt::format("sink.{}: {}", sink.name, seen.error().text),
                       .where = sink.where});
    }
  }
  return found;
}

}  // namespace nfbus::host
