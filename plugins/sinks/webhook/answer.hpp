// What a server's answer means for the events of a request.
#pragma once

#include "../../lib/http/client.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace webhook {

struct Verdict {
  enum class Kind : std::uint8_t {
    delivered = 1,
    refused,         // for good; of several events, it is one of them that the server does not like
    too_large,       // likewise, for its size
    secret_refused,  // 401, 403, 407
    hold,            // all come again
  };

  Kind kind;
  std::string reason = {};  // with the place and, where there is one, the fix
  std::uint32_t retry_after_ms = 0;
};

// Returns a text without what must not be shown.
using Mask = std::function<std::string(std::string)>;

// place: where the request went, for texts. says_where: the event has a say in the url, so that a path that is not
// there is that event's. mask: of the server's words, and libcurl's.
[[nodiscard]] Verdict judge(const http::Answer& answer, const std::string& place, bool says_where, const Mask& mask);

}  // namespace webhook
