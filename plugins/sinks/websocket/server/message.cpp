#include "message.hpp"

#include "../../../lib/ascii.hpp"

#include <algorithm>
#include <charconv>
#include <functional>

namespace websocket {
namespace {

int digit(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string_view Request::header(std::string_view name) const noexcept {
  const std::string* found = nullptr;
  for (const auto& [of, value] : headers) {
    if (of != name) continue;
    if (found != nullptr) return {};
    found = &value;
  }
  return found == nullptr ? std::string_view() : *found;
}

bool Request::has_header(std::string_view name) const noexcept {
  return std::ranges::any_of(headers, [name](const auto& one) { return one.first == name; });
}

std::optional<std::string> Request::parameter(std::string_view name) const {
  std::string_view rest = query;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    const std::size_t equals = one.find('=');
    if (one.substr(0, equals) != name) continue;
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : one.substr(equals + 1);
    return percent_decoded(value, true).value_or(std::string(value));
  }
  return std::nullopt;
}

Response refusal(unsigned status, std::string text) {
  if (!text.ends_with('\n')) text += '\n';
  Response out;
  out.status = status;
  out.type = "text/plain; charset=utf-8";
  out.body = make_text(std::move(text));
  return out;
}

Response json_response(std::string json) {
  Response out;
  out.body = make_text(std::move(json));
  return out;
}

std::string entity_tag(std::string_view content) {
  std::string out(2 + 2 * sizeof(std::size_t), '"');
  char* const end =
      std::to_chars(out.data() + 1, out.data() + out.size(), std::hash<std::string_view>()(content), 16).ptr;
  *end = '"';
  out.resize(static_cast<std::size_t>(end - out.data()) + 1);
  return out;
}

bool may_change(const Request& request, std::string_view tag) {
  if (!request.has_header("if-match")) return true;
  std::string_view rest = request.header("if-match");
  if (rest == "*") return true;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (output::trimmed(one) == tag) return true;
  }
  return false;
}

std::optional<std::string> percent_decoded(std::string_view text, bool plus_is_blank) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_blank) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      if (i + 2 >= text.size() || digit(text[i + 1]) < 0 || digit(text[i + 2]) < 0) return std::nullopt;
      out += static_cast<char>(digit(text[i + 1]) * 16 + digit(text[i + 2]));
      i += 2;
    }
  }
  return out;
}

}  // namespace websocket
