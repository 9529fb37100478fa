// Capture files as a source: pcap and pcapng, of every link type that we know, in the files' own times.
#pragma once

#include "capture/files/capture_file.hpp"
#include "capture/source.hpp"

#include <memory>
#include <string>
#include <vector>

namespace nfbus::host {

struct ReplaySettings {
  std::string prefix = {};  // the log prefix of packets that have none of their own: of all but DLT_NFLOG
  bool progress = false;    // a line a second on the log while a file is read
};

// [control] Reads `files` one after the other. Their packets count as the first of `captures` (group 0, allowed, if
// there is none); a DLT_NFLOG file brings its own groups and prefixes: of groups that no capture names, 0 is allowed
// and the others are blocked. What has come through a pipe is published as soon as more would have to be waited for. A
// file that is broken or cut costs what follows in it: the run goes on with the next, and ends with an error. Lossless;
// not reloadable.
std::unique_ptr<Source> make_replay(std::vector<CaptureFile> files, std::vector<CaptureSpec> captures,
                                    ReplaySettings settings, const SourceContext& context);

}  // namespace nfbus::host
