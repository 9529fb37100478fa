// A pcap file as a source: DLT_RAW, DLT_NFLOG or Ethernet, in the file's own times.
#pragma once

#include "capture/nflog.hpp"

namespace nfbus::host {

// [control] Opens `file`. Its packets count as the first of `captures` (group 0, allowed, if there is none); a
// DLT_NFLOG file brings its own groups and prefixes: groups that no capture names are published as allowed. Errors:
// not_found, invalid (not a pcap file; a link type that we do not know), io. A truncated last packet ends the run with
// an error after all before it were published.
Result<std::unique_ptr<Source>> open_replay(const std::string& file, std::vector<CaptureSpec> captures,
                                            SourceContext context);

}  // namespace nfbus::host
