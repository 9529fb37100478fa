// The names of files that are rotated: NAME-000001.pcap, NAME being what strftime(3) makes of it.
#pragma once

#include <nfbus/result.hpp>
#include <nfbus/util/output_folder.hpp>

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pcapsink {

// Behind a name while the file is not complete.
inline constexpr std::string_view kUnfinished = ".part";

// A file in the folder whose name is one of ours.
struct OwnFile {
  std::uint64_t number = 0;  // in the order in which they were made
  std::string name;          // finished name, without folder, kUnfinished and the ending of a compressed file
  std::string ending;        // "", ".gz" or ".zst"
  bool unfinished = false;
  std::uint64_t size_bytes = 0;
  bool submitted = false;  // to the compressor
  bool stuck = false;      // could not be removed

  // Of packets, not of a compressed form.
  [[nodiscard]] bool is_part() const noexcept { return unfinished && ending.empty(); }
};

// Thread safety: as a const object.
class Names {
 public:
  // path: as in the configuration, such as /var/log/nfbus/drops-%F.pcap. The number goes before what stands behind the
  // name's last dot. Conversions: %Y %m %d %H %M %S %y %j %s %F %T %%, in the last part of the path only.
  static nfbus::Result<Names> parse(const std::string& path);

  // The path that was parsed.
  [[nodiscard]] const std::string& pattern() const noexcept { return pattern_; }
  [[nodiscard]] std::string path(const std::string& name) const { return folder_ + '/' + name; }
  // A finished name, in local time.
  [[nodiscard]] std::string make(std::uint64_t number, std::time_t time) const;
  // Number and parts of a name, if it is one that make() makes, or one of those with the endings.
  [[nodiscard]] std::optional<OwnFile> recognize(std::string_view name) const;
  // The folder that the files are in, as in the path.
  [[nodiscard]] const std::string& folder() const noexcept { return folder_; }
  // All of ours in that folder, with their sizes, oldest first.
  [[nodiscard]] nfbus::Result<std::vector<OwnFile>> list(const nfbus::util::OutputFolder& folder) const;

 private:
  Names() = default;
  [[nodiscard]] std::optional<std::string_view> behind_stem(std::string_view name) const;

  std::string pattern_;
  std::string folder_;
  std::string stem_;       // for strftime, with %F and %T taken apart
  std::string extension_;  // with its dot; may be empty
};

}  // namespace pcapsink
