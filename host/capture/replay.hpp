// A pcap file as a source: DLT_RAW, DLT_NFLOG or Ethernet, in the file's own times.
#pragma once

#include "capture/source.hpp"

#include <cstdio>
#include <memory>
#include <string>

namespace nfbus::host {

struct CloseStream {
  void operator()(std::FILE* stream) const noexcept { static_cast<void>(std::fclose(stream)); }  // only read from
};

using Stream = std::unique_ptr<std::FILE, CloseStream>;

struct ReplayFile {
  std::string name;  // as it was given, for errors
  Stream stream;

  // [control] With the rights of the effective user alone. Waits for whoever writes to a FIFO. Errors: not_found,
  // refused, io.
  static Result<ReplayFile> open(const std::string& name);
};

// [control] Reads `file`. Its packets count as the first of `captures` (group 0, allowed, if there is none); a
// DLT_NFLOG file brings its own groups and prefixes: groups that no capture names are published as allowed. Errors:
// invalid (not a pcap file; a link type that we do not know). A truncated last packet ends the run with an error after
// all before it were published. Lossless; not reloadable.
Result<std::unique_ptr<Source>> open_replay(ReplayFile file, std::vector<CaptureSpec> captures,
                                            const SourceContext& context);

}  // namespace nfbus::host
