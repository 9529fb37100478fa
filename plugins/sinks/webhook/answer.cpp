#include "answer.hpp"

#include <nlohmann/json.hpp>

#include <string_view>

namespace webhook {
namespace {

using nlohmann::json;
using Kind = Verdict::Kind;

// The server's own words: the text in its JSON, else the body. What a cut leaves of a secret nobody would find.
std::string said(const http::Answer& answer, const Mask& mask) {
  const json body = json::parse(answer.body, nullptr, false);
  if (body.is_object()) {
    for (const char* const key : {"errorDescription", "error", "message", "detail"}) {
      if (const auto found = body.find(key); found != body.end() && found->is_string()) {
        return http::shortened(mask(found->get<std::string>()));
      }
    }
  }
  return http::shortened(mask(answer.body));
}

// Where a redirection leads, without the path, which may be a secret.
std::string origin_of(std::string_view location, const Mask& mask) {
  const std::size_t scheme = location.find("://");
  if (scheme == std::string_view::npos) return "another path";
  return http::shortened(mask(std::string(location.substr(0, location.find_first_of("/?#", scheme + 3)))));
}

}  // namespace

Verdict judge(const http::Answer& answer, const std::string& place, bool says_where, const Mask& mask) {
  if (answer.ending != http::Ending::answered) return {.kind = Kind::hold, .reason = place + ": " + mask(answer.error)};
  if (answer.status >= 200 && answer.status < 300) return {.kind = Kind::delivered};
  const std::string status = place + " answers " + std::to_string(answer.status);
  const std::string words = said(answer, mask);
  const std::string reason = words.empty() ? status : status + ": " + words;
  const std::uint32_t after_ms = http::retry_after_ms(answer);
  if (answer.status >= 300 && answer.status < 400) {
    return {.kind = Kind::hold,
            .reason = status + ", a redirection to " + origin_of(answer.header("location"), mask) +
                      ", which is not followed; put the new place into url"};
  }
  switch (answer.status) {
    case 401:
    case 403:
    case 407:
      return {.kind = Kind::secret_refused, .reason = reason + "; look at the token, user and password, and url"};
    case 404:
    case 405:
    case 410:
      if (says_where) break;
      return {.kind = Kind::hold, .reason = reason + "; nobody takes events there: look at url and method"};
    case 408:
    case 425:
    case 429: return {.kind = Kind::hold, .reason = reason, .retry_after_ms = after_ms};
    case 413: return {.kind = Kind::too_large, .reason = reason};
    default: break;
  }
  const bool is_events = answer.status >= 400 && answer.status < 500;
  if (is_events) return {.kind = Kind::refused, .reason = reason};
  return {.kind = Kind::hold, .reason = reason, .retry_after_ms = after_ms};
}

}  // namespace webhook
