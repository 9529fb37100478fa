// Packets to a file, or to one file after the other.
#pragma once

#include "../../lib/lasting_warning.hpp"
#include "archive.hpp"
#include "file.hpp"
#include "outlet.hpp"
#include "rotation.hpp"

#include <nfbus/host.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace pcapsink {

struct FileSettings {
  std::string path;
  Encoding encoding;
  RotationLimits rotation;
  ArchiveLimits archive;
  Compression compression = Compression::none;
  std::uint64_t min_free_bytes = 0;
  bool sync = false;  // when a file is complete
};

class Files final : public Outlet {
 public:
  // Throws std::invalid_argument when the path's pattern is wrong.
  Files(nfbus::Host host, FileSettings settings);

  void open(nfbus::Shape& shape) override;
  Outcome write(EventList events, Refusals& refusals) override;
  void look_after() override;
  void close() override;

 private:
  // Opens the file unless it is open, and rotates it when it is too old.
  nfbus::Result<void> ready();
  nfbus::Result<void> open_file();
  nfbus::Result<void> begin_file();
  // An error: there is no file now. A rotation that fails is complained of, and packets go on into the same file.
  nfbus::Result<void> rotate();
  // What a complete file ends with, and to the disk.
  void end_file();
  void leave_file() noexcept;

  // Writes run_; how many of its units are done. error: what stopped it.
  std::size_t write_run(int& error);
  [[nodiscard]] bool rotates() const noexcept { return archive_.has_value(); }
  [[nodiscard]] std::string explain(int error) const;
  Outcome unavailable(std::size_t done, const std::string& reason);

  const nfbus::Host host_;
  const FileSettings settings_;
  const std::unique_ptr<Encoder> encoder_;
  Rotation rotation_;
  std::optional<Archive> archive_;  // when files are rotated
  File file_;
  std::uint64_t packets_ = 0;  // in the file
  bool begin_is_due_ = false;  // before the next packet: a section of our own in a file that is continued
  bool has_more_ = false;      // packets came to it since it was opened
  Run run_;
  Gather extra_;  // headers and ends
  output::LastingWarning warning_;
  output::LastingWarning rotation_warning_;
};

}  // namespace pcapsink
