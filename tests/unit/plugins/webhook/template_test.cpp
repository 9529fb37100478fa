#include "template.hpp"

#include "json_parts.hpp"

#include <nlohmann/json.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace {

using nlohmann::json;
using testing::HasSubstr;
using webhook::Escape;
using webhook::Facts;
using webhook::Form;
using webhook::Lookups;
using webhook::Shown;
using webhook::Template;

// A message, as the host shows it.
std::string message_line(const std::string& message) {
  return R"({"Topic":"alert:x","Timestamp":"2026-11-27T10:00:00.5Z","Message":)" + message +
         R"(,"Fields":{"rule":"block"}})";
}

class TemplateTest : public testing::Test {
 protected:
  void of_message(const std::string& message) {
    line_ = message_line(message);
    facts_.set({.line = line_, .is_message = true, .topic = "alert:x", .id = "0123"});
  }
  void of_packet(const std::string& line) {
    line_ = line;
    facts_.set({.line = line_, .is_message = false, .topic = "nft:drop\xff", .id = "0123"});
  }

  std::string filled(const Template& made) {
    std::string out;
    EXPECT_TRUE(made.append(facts_, out));
    return out;
  }
  std::string from_json(std::string_view text, Escape escape = Escape::none) {
    return filled(Template::of_json(text, escape));
  }
  std::string from_text(std::string_view text, Form form = Form::text, Escape escape = Escape::none) {
    return filled(Template::of_text(text, form, escape));
  }

  Lookups lookups_;
  std::string line_;
  Facts facts_{lookups_, "router"};
};

TEST_F(TemplateTest, AStringThatIsOnePlaceholderBecomesTheValue) {
  of_message(
      R"({"Count":12345678901234567890,"Ratio":1.50,"Title":"t","On":true,"Event":{"IP":{"SrcIP":"10.0.0.1"}}})");
  EXPECT_EQ(
      from_json(R"({"n": "{Count}", "r": "{Ratio}", "t": "{Title}", "b": "{On}", "e": "{Event}", "no": "{Nothing}"})"),
      R"({"n":12345678901234567890,"r":1.50,"t":"t","b":true,"e":{"IP":{"SrcIP":"10.0.0.1"}},"no":null})");
}

TEST_F(TemplateTest, InALongerStringStandsTheText) {
  of_message(R"({"Count":3,"Title":"a\"b","Event":{"k":"v"},"Nil":null})");
  const json made =
      json::parse(from_json(R"(["{Count} x {Title}", "{Event}!", "[{Nil}{Nothing}]", "{{Title}}", "{{{Count}}}"])"));
  EXPECT_EQ(made, json::array({"3 x a\"b", R"({"k":"v"}!)", "[]", "{Title}", "{3}"}));
}

TEST_F(TemplateTest, TheTemplatesOwnJsonStaysAsItIs) {
  of_message(R"({})");
  EXPECT_EQ(from_json(R"( {"z": 1, "a": [true, null, -1.5, {}, []], "k\n\"": "\u00e4\n\\"} )"),
            "{\"z\":1,\"a\":[true,null,-1.5,{},[]],\"k\\n\\\"\":\"\u00e4\\n\\\\\"}");
  EXPECT_EQ(from_json(R"("{topic}")"), R"("alert:x")");
  EXPECT_EQ(from_json("7"), "7");
}

TEST_F(TemplateTest, NoValueBreaksOutOfTheJson) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  const std::string hostile[] = {
      R"(","admin":true,"x":")", "\\", "\\\"", "\"", "\n\r\t\b\f", "{Title}", "{{", "</script>", "\u2028\u2029", bytes,
      std::string(100'000, '"')};
  for (const std::string& value : hostile) {
    of_message(R"({"Title":)" + webhook::json_string(value) + "}");
    for (const Escape escape : {Escape::none, Escape::entities}) {
      const json made =
          json::parse(from_json(R"({"a": "{Title}", "b": "<{Title}>", "c": {"d": ["{Title}{Title}"]}})", escape));
      ASSERT_EQ(made.size(), 3U);
      ASSERT_TRUE(made["a"].is_string() && made["b"].is_string() && made["c"]["d"][0].is_string());
      if (escape != Escape::none) continue;
      const std::string plain = json::parse(webhook::json_string(value)).get<std::string>();
      EXPECT_EQ(made["a"], plain);
      EXPECT_EQ(made["b"], '<' + plain + '>');
      EXPECT_EQ(made["c"]["d"][0], plain + plain);
    }
  }
}

TEST_F(TemplateTest, EntitiesAreOfValuesAndOfEscapedOnesToo) {
  of_message(R"({"Title":"<!channel> & \u003cb\u003e"})");
  EXPECT_EQ(json::parse(from_json(R"(["<i>{Title}", "{Title}"])", Escape::entities)),
            json::array({"<i>&lt;!channel&gt; &amp; &lt;b&gt;", "&lt;!channel&gt; &amp; &lt;b&gt;"}));
  EXPECT_EQ(from_text("<{Title}>", Form::text, Escape::entities), "<&lt;!channel&gt; &amp; &lt;b&gt;>");
  // Whatever the value is, and however it is written.
  of_message(R"({"Event":{"<a>":["<!channel>","\u003c\u003E\u0026\\u003c\"",1,null,true]}})");
  const std::string escaped = R"({"&lt;a&gt;":["&lt;!channel&gt;","&lt;&gt;&amp;\\u003c\"",1,null,true]})";
  EXPECT_EQ(from_json(R"({"e":"{Event}","n":"{Nothing}"})", Escape::entities), R"({"e":)" + escaped + R"(,"n":null})");
  EXPECT_EQ(json::parse(from_json(R"(["< {Event}"])", Escape::entities))[0], "< " + escaped);
  EXPECT_EQ(from_text("<{Event}", Form::text, Escape::entities), "<" + escaped);
}

TEST_F(TemplateTest, PathsLeadIntoMessagesAndWhatIsAroundThem) {
  of_message(R"({"Topic":"nft:drop","topic":"own","List":[{"x":1},{"x":2}]})");
  EXPECT_EQ(from_text("{topic} {time} {device} {id}"), "alert:x 2026-11-27T10:00:00.5Z router 0123");
  EXPECT_EQ(from_text("{Topic} {event.topic} {List.1.x} {Fields.rule} {Timestamp}"),
            "nft:drop own 2 block 2026-11-27T10:00:00.5Z");
  EXPECT_EQ(from_text("{event}"), R"({"Topic":"nft:drop","topic":"own","List":[{"x":1},{"x":2}]})");
}

TEST_F(TemplateTest, AMessageThatIsNoObjectIsTheEvent) {
  of_message(R"("just\ntext")");
  EXPECT_EQ(from_text("{Body|event}"), "just\ntext");
  EXPECT_EQ(from_json(R"(["{event}", "{event.x}", "{Title|topic}"])"), R"(["just\ntext",null,"alert:x"])");
  of_message("5");
  EXPECT_EQ(from_json(R"("{event}")"), "5");
}

TEST_F(TemplateTest, APacketIsTheEvent) {
  of_packet(R"({"IP":{"SrcIP":"10.0.0.1"},"Timestamp":"2026-11-27T10:00:00Z"})");
  EXPECT_EQ(from_text("{IP.SrcIP} {event.IP.SrcIP} {time} {topic}"),
            "10.0.0.1 10.0.0.1 2026-11-27T10:00:00Z nft:drop\ufffd");
  EXPECT_EQ(from_json(R"("{event}")"), line_);
}

TEST_F(TemplateTest, OfAlternativesTheFirstThatSaysSomethingCounts) {
  of_message(R"({"a":null,"b":"","c":0,"d":"d"})");
  EXPECT_EQ(from_text("{x|a|b|c|d}"), "0");
  EXPECT_EQ(from_json(R"("{x|a}")"), "null");
  EXPECT_EQ(from_json(R"("{a|b}")"), R"("")");
}

TEST_F(TemplateTest, ALookupSaysWhatAValueBecomes) {
  lookups_["priority"] = {
      .of = webhook::placeholder_of("Type|event.Kind"), .values = {{"danger", "5"}, {"1", "\"one\""}}, .other = "3"};
  lookups_["mark"] = {.of = webhook::placeholder_of("Type"), .values = {{"danger", "\"!\""}}, .other = {}};
  of_message(R"({"Type":"danger"})");
  EXPECT_EQ(from_json(R"(["{priority}", "{priority}{mark}"])"), R"([5,"5!"])");
  of_message(R"({"Kind":1})");
  EXPECT_EQ(from_json(R"(["{priority}", "{mark|topic}"])"), R"(["one","alert:x"])");
  of_message(R"({})");
  EXPECT_EQ(from_json(R"(["{priority}", "{mark}"])"), "[3,null]");
}

TEST_F(TemplateTest, NoValueEndsAHeader) {
  of_message(R"({"Title":"a\r\nX-Evil: 1\u0000\u007f\u0085z","Long":)" +
             webhook::json_string(std::string(1023, 'x') + "\u20ac\u20ac") + "}");
  EXPECT_EQ(from_text("T: {Title}", Form::header), "T: a  X-Evil: 1  \u0085z");
  EXPECT_EQ(from_text("{Long}", Form::header), std::string(1023, 'x') + "\u20ac") << "cut between characters";
}

TEST_F(TemplateTest, ValuesInUrlsAreEncoded) {
  of_message(R"({"a":"../x?y=1&z#\u00e4 %","n":7})");
  EXPECT_EQ(from_text("https://h/{a}/{n}", Form::url), "https://h/..%2Fx%3Fy%3D1%26z%23%C3%A4%20%25/7");
  std::string out;
  EXPECT_FALSE(Template::of_text("https://h/{nothing}", Form::url).append(facts_, out));
}

TEST_F(TemplateTest, TextTakesValuesAsTheyAre) {
  of_message(R"({"Body":"line\nline \"x\""})");
  EXPECT_EQ(from_text("{Body} }}{{"), "line\nline \"x\" }{");
}

void expect_wrong(std::string_view given, const std::string& text) {
  try {
    (void)Template::of_json(given, Escape::none);
    ADD_FAILURE() << "no error: " << given;
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(Template, MistakesSayWhere) {
  expect_wrong("{\"a\": 1,\n \"b\": }", "at its line 2, column 7");
  expect_wrong("", "line 1, column 1");
  expect_wrong(R"({"a": ["x", "{b"]})", "in /a/1, at its character 1: a brace is not closed");
  expect_wrong(R"({"a": "b}"})", "in /a, at its character 2: a brace closes nothing");
  expect_wrong(R"("{}")", "at its character 1: a key is missing");
  expect_wrong(R"("{a..b}")", "a key is missing");
  expect_wrong(R"("{a|}")", "a key is missing");
  expect_wrong(R"("{a{b}")", "no braces");
  expect_wrong(R"({"{a}": 1})", "in the key \"{a}\"");
  expect_wrong(R"(["1e999", 1e999])", "this is no JSON");
  expect_wrong(std::string(100'000, '['), "nested deeper than 64");
  expect_wrong("{\"a\": \"\xff\"}", "this is no JSON");
}

TEST(Template, SaysWhatItAsksFor) {
  const Template only_id = Template::of_text("https://h/{id}/{device}", Form::url);
  EXPECT_TRUE(only_id.has_placeholders());
  EXPECT_FALSE(only_id.depends_on_event());
  EXPECT_TRUE(only_id.asks_for("id"));
  EXPECT_TRUE(Template::of_text("{id|Title}", Form::url).depends_on_event());
  EXPECT_FALSE(Template::of_text("{{id}}", Form::url).has_placeholders());
}

}  // namespace
