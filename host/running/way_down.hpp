// How `run`, and all commands that load plugins, use root's rights and give them up.
#pragma once

#include "capture/files/capture_file.hpp"
#include "config/config_file.hpp"
#include "config/load.hpp"
#include "plugins/privileged_parts.hpp"

#include <nfbus/result.hpp>

#include <string>
#include <vector>

namespace nfbus::host {

// [control] Whether root's rights may be used at all while the host starts: nobody but root can write the
// configuration, which says what is opened, or a plugin.
[[nodiscard]] bool may_use_roots_rights(const ConfigFile& file, const EarlyConfig& early);

// [control] The host's first move down, and at once the second one where root's rights may not be used. To be called
// before any plugin is loaded and any thread exists.
Result<void> step_down(const EarlyConfig& early, bool may_use_roots_rights);

// [control] The privileged parts of the configured plugins, before step_down(); none of them where root's rights may
// not be used, and each then says why.
[[nodiscard]] PrivilegedParts start_privileged_parts(const EarlyConfig& early, bool may_use_roots_rights);

// [control] A file to replay. Where root starts the host, with its rights if root alone can change the file and where
// the path leads, step by step as of Way; what is opened is what was judged. All else, FIFOs and devices among it, with
// the rights of the effective user. Errors as of ReplayFile::open().
Result<ReplayFile> open_file_to_replay(const std::string& path, bool started_as_root);

// [control] All of them, in this order, with a look at their begins; raises how many files may be open, where needed.
// Errors as of open_file_to_replay() and CaptureFile::open(), of the first that has one.
Result<std::vector<CaptureFile>> open_captures(const std::vector<std::string>& paths, bool started_as_root);

}  // namespace nfbus::host
