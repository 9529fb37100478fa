#include "settings.hpp"

#include "../../lib/http/options.hpp"
#include "../../lib/options.hpp"

#include <nlohmann/json.hpp>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>

namespace webhook {
namespace {

using nfbus::OptionError;
using nfbus::Options;
using nlohmann::json;
using output::text_or_empty;

// Runs what throws std::invalid_argument; the option is what it is about.
template <typename Make>
auto made_of(const std::string& key, Make make) {
  try {
    return make();
  } catch (const OptionError&) {
    throw;
  } catch (const std::invalid_argument& error) {
    throw OptionError(key, error.what());
  }
}

// A part of a JSON pointer (RFC 6901, section 3).
std::string pointer_part(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return out;
}

std::string in_lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

// RFC 9110, section 5.6.2.
void check_header_name(const std::string& name, const std::string& key) {
  constexpr std::string_view kToken = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  if (name.empty() || name.find_first_not_of(kToken) != std::string::npos) {
    throw OptionError(key, "a header's name has letters, digits and -, no blanks, no colon and no control characters");
  }
  constexpr std::array<std::string_view, 5> kOurs = {"host", "content-length", "transfer-encoding", "connection",
                                                     "expect"};
  if (std::ranges::find(kOurs, in_lower_case(name)) != kOurs.end()) {
    throw OptionError(key, "the header " + name + " says how a request is sent: it is not the user's");
  }
}

// Of a text that becomes a header, its placeholders aside.
void check_header_text(std::string_view text, const std::string& key) {
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
      throw OptionError(key, "a header has one line, without control characters");
    }
  }
}

void read_headers(const Options& options, Settings& out) {
  if (!options.has("headers")) return;
  const json given = json::parse(options.json("headers"));
  for (const auto& [name, value] : given.items()) {
    const std::string key = "headers/" + pointer_part(name);
    check_header_name(name, key);
    const std::string lower = in_lower_case(name);
    if (lower == "content-type") throw OptionError(key, R"(give content_type = "..." in its place)");
    if (lower == "authorization") {
      throw OptionError(key,
                        "a secret does not stand in the configuration itself: give token_file = \"PATH\" (with "
                        "token_scheme, where it is not Bearer), or user and password_file");
    }
    out.names_agent = out.names_agent || lower == "user-agent";
    const std::string text = value.get<std::string>();
    check_header_text(text, key);
    out.headers.emplace_back(name, made_of(key, [&] { return Template::of_text(text, Form::header); }));
  }
}

Lookup lookup_of(const std::string& name, const json& table, const std::string& key) {
  if (std::ranges::find(kOwnNames, name) != std::end(kOwnNames)) {
    throw OptionError(key, '{' + name + "} is nfbus's own: choose another name");
  }
  if (name.empty() || name.find_first_of(".|{}") != std::string::npos) {
    throw OptionError(key, "the name stands between braces: it has no dots, bars and braces");
  }
  Lookup out;
  out.of = made_of(key + "/of", [&] { return placeholder_of(table.at("of").get<std::string>()); });
  if (const auto values = table.find("values"); values != table.end()) {
    for (const auto& [value, becomes] : values->items()) out.values[value] = becomes.dump();
  }
  if (const auto other = table.find("other"); other != table.end()) out.other = other->dump();
  return out;
}

void read_lookups(const Options& options, Settings& out) {
  if (!options.has("lookup")) return;
  const json given = json::parse(options.json("lookup"));
  for (const auto& [name, table] : given.items()) {
    out.lookups.emplace(name, lookup_of(name, table, "lookup/" + pointer_part(name)));
  }
}

// A text's values could say more than its author wants where the text has a grammar.
void check_text_type(const std::string& type) {
  const std::string lower = in_lower_case(type.substr(0, type.find(';')));
  if (lower.ends_with("json")) throw OptionError("content_type", "a body of JSON is given by json, not by text");
  if (lower.ends_with("x-www-form-urlencoded")) {
    throw OptionError("content_type",
                      "text does not encode its values as a form needs it: most servers take json, too");
  }
}

void read_body(const Options& options, Settings& out) {
  const Escape escape = options.text("escape") == "entities" ? Escape::entities : Escape::none;
  const bool is_batch = out.batch_events > 1;
  const bool is_lines = is_batch && out.batch_form == BatchForm::lines;
  out.content_type = is_lines ? "application/x-ndjson" : "application/json";
  if (options.has("json") && options.has("text")) throw OptionError("text", "give either json or text, not both");
  if (options.has("json")) {
    out.body = made_of("json", [&] { return Template::of_json(options.text("json"), escape); });
  } else if (options.has("text")) {
    if (is_batch) throw OptionError("text", "a text is of one event: leave batch_events out, or give json");
    out.body = made_of("text", [&] { return Template::of_text(options.text("text"), Form::text, escape); });
    out.content_type = "text/plain; charset=utf-8";
  } else if (escape == Escape::entities) {
    throw OptionError("escape", "this changes values of json or text: give one of them");
  }
  if (!options.has("content_type")) return;
  out.content_type = options.text("content_type");
  check_header_text(out.content_type, "content_type");
  if (options.has("text")) check_text_type(out.content_type);
}

void read_url(const Options& options, Settings& out) {
  out.url_file = text_or_empty(options, "url_file");
  if (options.has("url") && !out.url_file.empty())
    throw OptionError("url_file", "give either url or url_file, not both");
  if (!options.has("url") && out.url_file.empty()) {
    throw OptionError("url", "this key is required, or url_file = \"PATH\" in its place");
  }
  if (options.has("url")) out.target = made_of("url", [&] { return target_of(options.text("url")); });
}

void read_secrets(const Options& options, Settings& out) {
  out.token = http::secret_of(options, "token");
  out.password = http::secret_of(options, "password");
  out.hmac_secret = http::secret_of(options, "hmac_secret");
  out.user = text_or_empty(options, "user");
  if (out.user.empty() && out.password.is_given()) {
    throw OptionError("user", R"(a password is somebody's: give user = "NAME")");
  }
  if (out.user.find(':') != std::string::npos) throw OptionError("user", "a user's name has no colon (RFC 7617)");
  out.token_header = options.text("token_header");
  check_header_name(out.token_header, "token_header");
  const bool is_authorization = in_lower_case(out.token_header) == "authorization";
  out.token_scheme = options.has("token_scheme") ? options.text("token_scheme") : is_authorization ? "Bearer" : "";
  check_header_text(out.token_scheme, "token_scheme");
  if (!out.token.is_given() && (options.has("token_scheme") || !is_authorization)) {
    throw OptionError(is_authorization ? "token_scheme" : "token_header",
                      R"(this is of a token: give token_file = "PATH")");
  }
  out.hmac_header = options.text("hmac_header");
  check_header_name(out.hmac_header, "hmac_header");
  out.hmac_time_header = text_or_empty(options, "hmac_time_header");
  if (!out.hmac_time_header.empty()) check_header_name(out.hmac_time_header, "hmac_time_header");
  const bool has_time = !out.hmac_time_header.empty();
  if (!out.hmac_secret.is_given() && (has_time || out.hmac_header != "X-Nfbus-Signature")) {
    throw OptionError(has_time ? "hmac_time_header" : "hmac_header",
                      R"(this is of a signature: give hmac_secret_file = "PATH")");
  }
}

// Of two headers of one name, a server takes either.
void check_header_names(const Settings& settings) {
  std::vector<std::pair<std::string, std::string>> made = {{"content-type", "content_type"}};  // with their options
  if (!settings.user.empty()) made.emplace_back("authorization", "user");
  if (settings.token.is_given()) made.emplace_back(in_lower_case(settings.token_header), "token_header");
  if (settings.hmac_secret.is_given()) {
    made.emplace_back(in_lower_case(settings.hmac_header), "hmac_header");
    if (!settings.hmac_time_header.empty()) {
      made.emplace_back(in_lower_case(settings.hmac_time_header), "hmac_time_header");
    }
  }
  for (const auto& [name, value] : settings.headers) {
    made.emplace_back(in_lower_case(name), "headers/" + pointer_part(name));
  }
  for (auto one = made.begin(); one != made.end(); ++one) {
    const auto before = std::find_if(made.begin(), one, [&](const auto& other) { return other.first == one->first; });
    if (before == one) continue;
    throw OptionError(one->second, "this header is made by " + before->second + ", too: one of them must go");
  }
}

// Of several events, none can say what the header or the url is.
void check_batch(const Settings& settings) {
  if (settings.batch_events == 1) return;
  constexpr std::string_view kWhy = "placeholders are of one event: leave them out here, or batch_events";
  for (const auto& [name, value] : settings.headers) {
    if (value.has_placeholders()) throw OptionError("headers/" + pointer_part(name), std::string(kWhy));
  }
  if (settings.target && settings.target->url.has_placeholders()) throw OptionError("url", std::string(kWhy));
}

std::string machine_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace

Settings settings_of(const Options& options) {
  Settings out;
  out.batch_events = static_cast<std::size_t>(options.integer("batch_events"));
  out.batch_form = options.text("batch_form") == "lines" ? BatchForm::lines : BatchForm::array;
  const std::uint32_t age_ms = out.batch_events > 1 ? 1000 : 0;
  out.batch_age_ms = options.has("batch_age_ms") ? static_cast<std::uint32_t>(options.integer("batch_age_ms")) : age_ms;
  out.max_in_flight = static_cast<std::size_t>(options.integer("max_in_flight"));
  out.method = options.text("method") == "PUT" ? http::Method::put : http::Method::post;
  out.with_payload = options.text("payload") == "full";
  out.device = options.has("device") ? options.text("device") : machine_name();
  out.http = http::settings_of(options);
  read_url(options, out);
  read_lookups(options, out);
  read_headers(options, out);
  read_body(options, out);
  read_secrets(options, out);
  check_header_names(out);
  check_batch(out);
  return out;
}

}  // namespace webhook
