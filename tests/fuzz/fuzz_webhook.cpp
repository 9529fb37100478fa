// Any bytes as a message and as a template of the webhook sink: what is made of them is JSON, and a header has one
// line.
#include "json_parts.hpp"
#include "must.hpp"
#include "template.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

using namespace webhook;
using nfbus::fuzz::must;
using nlohmann::json;

// As the host puts a message's text into its line.
std::string line_of(std::string_view message) {
  const bool is_json = !nfbus::util::is_nested_deeper(message) && message.find('\0') == std::string_view::npos &&
                       !message.starts_with("\xef\xbb\xbf") && json::accept(message);
  return R"({"Topic":"t","Timestamp":"2026-11-27T10:00:00Z","Message":)" +
         (is_json ? std::string(message) : json_string(message)) + '}';
}

void check_json(const Template& made, const Facts& facts) {
  std::string out;
  must(made.append(facts, out), "a body is always made");
  must(json::accept(out), "a body is JSON");
}

void check_template(std::string_view text, const Facts& facts, Escape escape) {
  try {
    check_json(Template::of_json(text, escape), facts);
  } catch (const std::invalid_argument&) {
  }
  try {
    std::string out;
    static_cast<void>(Template::of_text(text, Form::text, escape).append(facts, out));
    static_cast<void>(Template::of_text(text, Form::header).append(facts, out));
    static_cast<void>(Template::of_text(text, Form::url).append(facts, out));
  } catch (const std::invalid_argument&) {
  }
}

}  // namespace

// The first byte says how much of the rest is the template, in steps of two bytes, and whether values have entities.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view text = rest.substr(0, data[0]);
  const std::string line = line_of(rest.substr(text.size()));
  must(json::accept(line), "a line is JSON");
  const Lookups lookups{{"word", {.of = placeholder_of("a|event"), .values = {{"1", "2"}}, .other = "\"x\""}}};
  Facts facts(lookups, "router");
  facts.set({.line = line, .is_message = true, .topic = rest, .id = "0"});
  must(find_part(line, {}) == line, "the whole is found");

  for (const Escape escape : {Escape::none, Escape::entities}) {
    static const std::string_view kText =
        R"({"a": "{event}", "b": "<{event}>", "c": ["{a|b.0|word}{topic}", "{word}", "{a}"]})";
    const Template made = Template::of_json(kText, escape);
    check_json(made, facts);
    std::string out;
    static_cast<void>(made.append(facts, out));
    const json body = json::parse(out);
    must(body.size() == 3 && body["b"].is_string() && body["c"].size() == 3, "no value adds to the template");
    check_template(text, facts, escape);
  }
  std::string header;
  static_cast<void>(Template::of_text("{event}{a}{topic}", Form::header).append(facts, header));
  for (const char c : header) must(static_cast<unsigned char>(c) >= 0x20 && c != '\x7f', "a header has one line");
  std::string url;
  static_cast<void>(Template::of_text("{event}{a}{topic}", Form::url).append(facts, url));
  must(url.find_first_of("/?#&: \n") == std::string::npos, "a value is one part of a url");
  return 0;
}
