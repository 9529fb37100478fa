// What goes between the server and who answers. Nothing here knows Beast: server.cpp alone compiles it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace websocket {

// A text that several connections send, each at its own pace.
using Text = std::shared_ptr<const std::string>;

[[nodiscard]] inline Text make_text(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

struct Request {
  std::string method = {};                                        // "GET"
  std::string path = {};                                          // decoded, without the query
  std::string query = {};                                         // as it came
  std::vector<std::pair<std::string, std::string>> headers = {};  // names in lower case
  std::string body = {};
  std::string peer = {};  // numeric address
  bool is_tls = false;
  // Becomes true when nobody waits for the answer any more. Never null, but in tests.
  std::shared_ptr<const std::atomic<bool>> is_gone = {};

  // The one of that name (lower case); empty: there is none, or there are several, of which none can be trusted.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept;
  [[nodiscard]] bool has_header(std::string_view name) const noexcept;
  // Of the query, decoded, or as it came where an escape in it is wrong; none: it is not there.
  [[nodiscard]] std::optional<std::string> parameter(std::string_view name) const;
};

// Takes the next part of a body; the last one, which may be empty, says so. Who lets go of it without a call cuts the
// connection, so that nobody takes what is there for the whole.
using TakePart = std::function<void(std::string part, bool is_last)>;

struct Response {
  unsigned status = 200;
  std::string type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers = {};
  Text body = {};  // null: empty
  // A body that is made while it is sent, in place of `body`: asked for each part once the one before is sent. [server]
  std::function<void(TakePart)> next_part = {};
};

// A line of text that says what is wrong.
[[nodiscard]] Response refusal(unsigned status, std::string text);
[[nodiscard]] Response json_response(std::string json);

// For the header ETag: of that content (RFC 9110, section 8.8.3), as long as this process lives.
[[nodiscard]] std::string entity_tag(std::string_view content);
// Returns whether a request's If-Match, if there is one, holds for content of that tag (section 13.1.1).
[[nodiscard]] bool may_change(const Request& request, std::string_view tag);

// To be called once: what comes later is nothing. [any]
using Reply = std::function<void(Response)>;

// RFC 3986, section 2.1; none: a % that is no escape.
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank);

}  // namespace websocket
