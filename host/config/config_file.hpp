// The configuration's file, read once: what was judged is what is used.
#pragma once

#include "support/way.hpp"

#include <nfbus/result.hpp>

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace nfbus::host {

struct ConfigFile {
  std::string name;          // as it was given; relative paths in it start at its folder
  Result<std::string> text;  // or why it cannot be read, with its place
  std::optional<Way> way;    // how it was reached, for a host that is started as root
};

// [control] started_as_root: nobody but root and the user that the host becomes may then choose what it does.
ConfigFile read_config_file(const std::string& file, bool started_as_root);

// [control] Why root must not start what stands in it: who else than root and `user`, whom the host becomes, could have
// written it. Empty for anybody else.
std::vector<Error> distrust(const ConfigFile& file, uid_t user);

}  // namespace nfbus::host
