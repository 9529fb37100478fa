// What a server's answer to a write means for each of the points that were sent.
#pragma once

#include "../../lib/http/client.hpp"
#include "settings.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace influx {

struct Verdict {
  enum class Kind : std::uint8_t {
    stored = 1,      // all of them
    partly,          // `refused` are not; of the others `rest` says it
    too_large,       // send it in halves
    broken_gzip,     // the body did not arrive as it was sent
    unexplained,     // some are refused, and the server does not say which
    secret_refused,  // 401, 403
    hold,            // nothing is stored that counts; all come again
    unreachable,     // this place does not answer
  };
  enum class Rest : std::uint8_t { stored = 1, again };

  Kind kind;
  std::string reason = {};                                        // with the place and, where there is one, the fix
  std::vector<std::pair<std::size_t, std::string>> refused = {};  // index into the lines; ascending
  Rest rest = Rest::stored;
  std::uint32_t retry_after_ms = 0;
};

// What a write went to, for texts.
struct Written {
  Api api;
  std::string_view place;
  std::string_view target;
  std::string_view org;
};

// lines: those of the request in their order, each with its newline.
[[nodiscard]] Verdict judge(const http::Answer& answer, const Written& written,
                            std::span<const std::string_view> lines);

// The server's own words: the text in its JSON, else the body's first line; shortened, without control characters.
[[nodiscard]] std::string said(const http::Answer& answer);

}  // namespace influx
