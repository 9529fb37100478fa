// Colours of what commands print.
#pragma once

namespace nfbus::host {

// [any] Returns whether standard output is a terminal that wants colours; NO_COLOR in the environment says no.
[[nodiscard]] bool stdout_wants_colour();

}  // namespace nfbus::host
