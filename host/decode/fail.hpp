// How decoding says what is wrong.
#pragma once

#include "event/event.hpp"

namespace nfbus::host {

// `reason` is constant text. The first failure stays: what follows it may only be its consequence.
inline void fail(Event& event, nfbus_text reason) noexcept {
  if (event.decode_error.size == 0) event.decode_error = reason;
}

}  // namespace nfbus::host
