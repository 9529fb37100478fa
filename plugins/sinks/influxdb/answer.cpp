#include "answer.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>

namespace influx {
namespace {

using http::shortened;
using nlohmann::json;
using Kind = Verdict::Kind;
using Rest = Verdict::Rest;
using Refused = std::vector<std::pair<std::size_t, std::string>>;

// The message of the three APIs: {"error": TEXT} of v1 and v3, {"code": ..., "message": TEXT} of v2. The whole text.
std::string message_of(const http::Answer& answer, const json& body) {
  if (body.is_object()) {
    for (const char* const key : {"error", "message"}) {
      if (const auto found = body.find(key); found != body.end() && found->is_string())
        return found->get<std::string>();
    }
  }
  if (const std::string_view text = answer.header("x-influxdb-error"); !text.empty()) return std::string(text);
  return answer.body;
}

bool has(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

std::size_t occurrences(std::string_view text, std::string_view part) {
  std::size_t out = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++out;
  return out;
}

std::string_view without_newline(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  return line;
}

std::int64_t time_of(std::string_view line) {
  line = without_newline(line);
  const std::size_t blank = line.rfind(' ');
  std::int64_t out = 0;
  if (blank != std::string_view::npos) std::from_chars(line.data() + blank + 1, line.data() + line.size(), out);
  return out;
}

// "dropped=N" at the end of a partial write's message.
std::optional<std::size_t> dropped(std::string_view message) {
  constexpr std::string_view kWord = "dropped=";
  const std::size_t at = message.rfind(kWord);
  if (at == std::string_view::npos) return std::nullopt;
  std::size_t out = 0;
  const char* const first = message.data() + at + kWord.size();
  const auto [end, error] = std::from_chars(first, message.data() + message.size(), out);
  if (error != std::errc()) return std::nullopt;
  return out;
}

// The text in quotes or up to a blank behind a word: `measurement "tcp"`, `tag="host"`.
std::string_view quoted_after(std::string_view text, std::string_view word) {
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + word.size());
  if (!text.starts_with('"')) return {};
  text.remove_prefix(1);
  return text.substr(0, text.find('"'));
}

// "unable to parse 'LINE': REASON", once for each line, v1 and v2.
Refused unparsed(std::string_view message, std::span<const std::string_view> lines) {
  constexpr std::string_view kWords = "unable to parse '";
  std::map<std::size_t, std::string> found;
  for (std::size_t at = message.find(kWords); at != std::string_view::npos; at = message.find(kWords, at)) {
    at += kWords.size();
    const std::string_view rest = message.substr(at);
    for (std::size_t i = 0; i < lines.size(); ++i) {
      const std::string_view line = without_newline(lines[i]);
      if (!rest.starts_with(line) || !rest.substr(line.size()).starts_with('\'')) continue;
      if (found.contains(i)) continue;  // an equal line, named before
      std::string_view why = rest.substr(line.size() + 1);
      why = why.substr(0, why.find('\n'));
      found.emplace(i, "the server cannot parse this point" + shortened(why));
      break;
    }
  }
  return {found.begin(), found.end()};
}

// v3: {"error": ..., "data": [{"error_message", "line_number", "original_line"}, ...]}, or one such object.
Refused listed(const json& body, std::span<const std::string_view> lines) {
  std::map<std::size_t, std::string> found;
  if (!body.is_object() || !body.contains("data")) return {};
  const json& data = body["data"];
  const auto take = [&](const json& item) {
    if (!item.is_object()) return;
    const auto number = item.find("line_number");
    if (number == item.end() || !number->is_number_unsigned()) return;
    const auto line = number->get<std::uint64_t>();
    if (line < 1 || line > lines.size()) return;
    const auto why = item.find("error_message");
    const bool says = why != item.end() && why->is_string();
    found.emplace(static_cast<std::size_t>(line - 1),
                  says ? shortened(why->get<std::string>()) : "the server refuses it");
  };
  if (data.is_array()) {
    for (const json& item : data) take(item);
  } else {
    take(data);
  }
  return {found.begin(), found.end()};
}

Refused all_with(const std::vector<std::size_t>& indices, const std::string& why) {
  Refused out;
  for (const std::size_t index : indices) out.emplace_back(index, why);
  return out;
}

// Those of a measurement that have this text in their tags or fields.
std::vector<std::size_t> lines_with(std::span<const std::string_view> lines, std::string_view measurement,
                                    const std::string& text) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const std::string_view behind = line.substr(std::min(measurement.size(), line.size()));
    if (!line.starts_with(measurement) || !(behind.starts_with(',') || behind.starts_with(' '))) continue;
    if (has(line, ',' + text) || has(line, ' ' + text)) out.push_back(i);
  }
  return out;
}

// "partial write: REASON dropped=N": the others are stored. Which N are not follows from the reason, or it does not.
Verdict partial(const std::string& message, std::span<const std::string_view> lines) {
  Verdict out{.kind = Kind::partly, .reason = shortened(message)};
  const std::optional<std::size_t> count = dropped(message);
  if (has(message, "unable to parse")) {
    out.refused = unparsed(message, lines);
    if (out.refused.empty()) out.kind = Kind::unexplained;
    if (out.refused.size() != occurrences(message, "unable to parse '")) out.rest = Rest::again;
    return out;
  }
  if (!count || *count == 0 || *count > lines.size()) {
    out.kind = Kind::unexplained;
    return out;
  }
  if (*count == lines.size()) {
    std::vector<std::size_t> all(lines.size());
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
    out.refused = all_with(all, out.reason);
    return out;
  }
  std::vector<std::size_t> meant;
  if (has(message, "beyond retention policy")) {
    // They are the oldest.
    std::vector<std::size_t> by_age(lines.size());
    for (std::size_t i = 0; i < by_age.size(); ++i) by_age[i] = i;
    std::stable_sort(by_age.begin(), by_age.end(),
                     [&](std::size_t a, std::size_t b) { return time_of(lines[a]) < time_of(lines[b]); });
    meant.assign(by_age.begin(), by_age.begin() + static_cast<std::ptrdiff_t>(*count));
    std::sort(meant.begin(), meant.end());
  } else if (has(message, "field type conflict")) {
    const std::string_view measurement = quoted_after(message, "measurement ");
    meant = lines_with(lines, measurement, std::string(quoted_after(message, "input field ")) + '=');
  } else if (has(message, "max-values-per-tag")) {
    const std::string_view tag = quoted_after(message, "tag=");
    meant = lines_with(lines, quoted_after(message, "measurement="),
                       std::string(tag) + '=' + std::string(quoted_after(message, "value=")));
  }
  if (meant.size() != *count) {
    out.kind = Kind::unexplained;
    return out;
  }
  out.refused = all_with(meant, out.reason);
  return out;
}

bool speaks_of_gzip(std::string_view message) {
  constexpr std::array<std::string_view, 5> kWords = {"gzip", "flate", "unexpected EOF", "zlib",
                                                      "incorrect header check"};
  return std::ranges::any_of(kWords, [&](std::string_view word) { return has(message, word); });
}

std::string missing(const Written& written, const std::string& message) {
  const std::string target(written.target);
  const std::string org(written.org);
  const std::string place(written.place);
  switch (written.api) {
    case Api::v2:
      if (has(message, "organization"))
        return "there is no organization " + org + " at " + place + "; set org, or make it: influx org create --name " +
               org;
      return "there is no bucket " + target + " at " + place + "; make it: influx bucket create --name " + target +
             " --org " + org;
    case Api::v3:
      return "there is no database " + target + " at " + place + "; make it: influxdb3 create database " + target;
    default:
      if (has(message, "retention policy"))
        return shortened(message) + " in database " + target + " at " + place +
               R"(; make it, or leave retention_policy out)";
      return "there is no database " + target + " at " + place + "; make it: influx -execute 'CREATE DATABASE \"" +
             target + "\"'";
  }
}

}  // namespace

std::string said(const http::Answer& answer) {
  const std::string message = message_of(answer, json::parse(answer.body, nullptr, false));
  const std::string text = shortened(message);
  return text.empty() ? "status " + std::to_string(answer.status) : text;
}

Verdict judge(const http::Answer& answer, const Written& written, std::span<const std::string_view> lines) {
  const std::string place(written.place);
  if (answer.ending != http::Ending::answered) {
    return {.kind = Kind::unreachable, .reason = place + ": " + answer.error};
  }
  if (answer.status == 204 || (answer.status == 200 && answer.body.empty())) return {.kind = Kind::stored};
  const json body = json::parse(answer.body, nullptr, false);
  const std::string message = message_of(answer, body);
  const std::string status = place + " answers " + std::to_string(answer.status);
  const std::string words = status + ": " + said(answer);
  const std::uint32_t after_ms = http::retry_after_ms(answer);
  switch (answer.status) {
    case 401:
    case 403:
      return {.kind = Kind::secret_refused,
              .reason = words + (written.api == Api::v1 ? "; look at user and password_file, and at its grants"
                                                        : "; look at token_file, and what the token may write")};
    case 404:
      if (has(message, "page not found") || !has(message, "not found")) {
        return {.kind = Kind::hold, .reason = words + "; nothing writes under this path there: look at url and api"};
      }
      return {.kind = Kind::hold, .reason = missing(written, message)};
    case 413: return {.kind = Kind::too_large, .reason = words};
    case 429:
    case 503: return {.kind = Kind::hold, .reason = words, .retry_after_ms = after_ms};
    default: break;
  }
  if (answer.status >= 300 && answer.status < 400) {
    return {.kind = Kind::hold,
            .reason = status + ", a redirection to " + shortened(answer.header("location")) + "; put that into url"};
  }
  // Old versions say 500 where they mean 400, and so for ever.
  const bool of_points = has(message, "partial write") || has(message, "unable to parse");
  if (answer.status != 400 && answer.status != 422 && !of_points) {
    return {.kind = answer.status >= 500 ? Kind::unreachable : Kind::hold, .reason = words, .retry_after_ms = after_ms};
  }
  if (Refused refused = listed(body, lines); !refused.empty()) {
    // Its list may end early: of those behind it nothing is known.
    constexpr std::size_t kLongestList = 100;
    const bool is_partial = has(message, "partial write");
    const bool is_whole = refused.size() < kLongestList && !answer.body_is_cut;
    return {.kind = Kind::partly,
            .reason = words,
            .refused = std::move(refused),
            .rest = is_partial && is_whole ? Rest::stored : Rest::again};
  }
  if (has(message, "database") && has(message, "not found")) {
    return {.kind = Kind::hold, .reason = missing(written, message)};
  }
  if (has(message, "partial write:")) {
    Verdict out = partial(message, lines);
    if (answer.body_is_cut) out.rest = Rest::again;
    return out;
  }
  if (Refused refused = unparsed(message, lines); !refused.empty()) {
    return {.kind = Kind::partly, .reason = words, .refused = std::move(refused), .rest = Rest::again};
  }
  if (speaks_of_gzip(message)) return {.kind = Kind::broken_gzip, .reason = words};
  return {.kind = Kind::unexplained, .reason = words};
}

}  // namespace influx
