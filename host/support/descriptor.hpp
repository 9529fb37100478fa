// The owner of a file descriptor: the SDK's, under the host's name.
#pragma once

#include <nfbus/util/descriptor.hpp>

namespace nfbus::host {

using util::Descriptor;

}  // namespace nfbus::host
