#include "schema/schema.hpp"

#include "file_sink_schema.hpp"

#include <nfbus/abi.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nfbus::test {
namespace {

using host::check_schema;
using host::describe_schema;
using testing::HasSubstr;
using testing::IsEmpty;

std::string refusal(std::string_view schema, std::uint32_t kind = NFBUS_PLUGIN_SINK) {
  const Result<void> result = check_schema(schema, kind);
  return result ? "accepted" : result.error().text;
}

std::string property(const std::string& schema) { return R"({"type": "object", "properties": {"a": )" + schema + "}}"; }

TEST(Schema, OfTheSubsetIsAccepted) {
  EXPECT_EQ(refusal(kFileSinkSchema), "accepted");
  EXPECT_EQ(refusal(""), "accepted");
  EXPECT_EQ(refusal(R"({"$schema": "x", "title": "t", "type": "object"})"), "accepted");
}

TEST(Schema, WithAnUnknownKeywordIsRefused) {
  EXPECT_THAT(refusal(property(R"({"type": "string", "minWords": 1})")),
              HasSubstr("/properties/a: keyword \"minWords\" is not supported"));
  EXPECT_THAT(refusal(property(R"({"type": "integer", "minimun": 1})")), HasSubstr("did you mean \"minimum\"?"));
  EXPECT_THAT(refusal(property(R"({"type": "array", "items": {"oneOf": []}})")), HasSubstr("/properties/a/items: "));
}

TEST(Schema, WithAWordOfALaterHostIsAcceptedUnlessItIsASlip) {
  EXPECT_EQ(refusal(property(R"({"type": "string", "x-later": {"any": [1]}})")), "accepted");
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-secrte": true})")), HasSubstr("did you mean \"x-secret\"?"));
}

TEST(Schema, MarksOutputsAmongTexts) {
  EXPECT_EQ(refusal(property(R"({"type": "string", "x-output": true})")), "accepted");
  EXPECT_THAT(refusal(property(R"({"type": "integer", "x-output": true})")), HasSubstr("x-output is for"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-output": 1})")), HasSubstr("must be true or false"));
  EXPECT_EQ(refusal(property(R"({"type": "string", "x-output": true, "x-stdout": true, "x-strftime": ["a"]})")),
            "accepted");
  EXPECT_EQ(refusal(property(R"({"type": "string", "x-output": true, "x-strftime": true})")), "accepted");
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-stdout": true})")), HasSubstr("x-stdout is for outputs"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-path": true, "x-strftime": true})")),
              HasSubstr("is for outputs"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-output": true, "x-strftime": []})")),
              HasSubstr("or an array of"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-output": true, "x-stdout": "-"})")),
              HasSubstr("true or false"));
  EXPECT_EQ(refusal(property(R"({"type": "integer", "x-needs": ["a", "b"]})")), "accepted");
  for (const char* needs : {"[]", "[1]", "\"a\"", "true"}) {
    EXPECT_THAT(refusal(property(R"({"type": "integer", "x-needs": )" + std::string(needs) + "}")),
                HasSubstr("x-needs must be an array"));
  }
}

TEST(Schema, NamesTheTopicsOfASinkThatNamesNone) {
  EXPECT_EQ(refusal(R"({"type": "object", "x-default-topics": [""]})"), "accepted");
  for (const char* topics : {"[]", "[1]", "\"a\"", "true"}) {
    EXPECT_THAT(refusal(R"({"type": "object", "x-default-topics": )" + std::string(topics) + "}"),
                HasSubstr("x-default-topics must be an array"));
  }
}

TEST(Schema, MarksPathsWhereATextMayStand) {
  EXPECT_EQ(refusal(property(R"({"type": "string", "x-path": true, "x-output": true})")), "accepted");
  EXPECT_EQ(refusal(property(R"({"type": ["string", "array"], "x-path": true,
                                 "items": {"type": "string", "x-path": true}})")),
            "accepted");
  EXPECT_THAT(refusal(property(R"({"type": "integer", "x-path": true})")), HasSubstr("x-path is for"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-path": true, "x-secret": true})")),
              HasSubstr("not for secrets"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-path": "/"})")), HasSubstr("x-path must be true or false"));
}

TEST(Schema, LimitsTextsAndArraysByWholeNumbers) {
  EXPECT_EQ(refusal(property(R"({"minLength": 0, "maxLength": 0, "minItems": 1, "maxItems": 9})")), "accepted");
  for (const char* wrong : {"-1", "1.5", "\"1\"", "18446744073709551615"}) {
    for (const std::string word : {"minLength", "maxLength", "minItems", "maxItems"}) {
      EXPECT_THAT(refusal(property("{\"" + word + "\": " + wrong + "}")),
                  HasSubstr(word + " must be an integer, 0 or more"));
    }
  }
  EXPECT_THAT(refusal(property(R"({"minLength": 2, "maxLength": 1})")), HasSubstr("minLength is above maxLength"));
  EXPECT_THAT(refusal(property(R"({"minItems": 2, "maxItems": 1})")), HasSubstr("minItems is above maxItems"));
  EXPECT_THAT(refusal(property(R"({"type": "string", "minLength": 2, "default": "x"})")),
              HasSubstr("default does not fit: \"x\" must have at least 2 characters"));
}

TEST(Schema, DeprecatesOptionsAndNotThePlugin) {
  EXPECT_EQ(refusal(property(R"({"type": "object", "properties": {"b": {"deprecated": true}}, "deprecated": true,
                                 "default": {"b": 1}})")),
            "accepted");
  EXPECT_THAT(refusal(property(R"({"deprecated": "since 2"})")), HasSubstr("deprecated must be true or false"));
  EXPECT_THAT(refusal(R"({"type": "object", "deprecated": true})"), HasSubstr("deprecated is for options"));
}

TEST(Schema, ThatIsWrongIsRefused) {
  EXPECT_THAT(refusal("{"), HasSubstr("schema is wrong"));
  EXPECT_THAT(refusal("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(refusal("{}"), HasSubstr("type must be \"object\""));
  EXPECT_THAT(refusal(property("5")), HasSubstr("must be an object"));
  EXPECT_THAT(refusal(property(R"({"type": "text"})")), HasSubstr("type \"text\" is not known"));
  EXPECT_THAT(refusal(property(R"({"type": []})")), HasSubstr("type must be"));
  EXPECT_THAT(refusal(property(R"({"enum": []})")), HasSubstr("enum must be"));
  EXPECT_THAT(refusal(property(R"({"pattern": "("})")), HasSubstr("not a regular expression"));
  EXPECT_THAT(refusal(property(R"({"minimum": 2, "maximum": 1})")), HasSubstr("minimum is above maximum"));
  EXPECT_THAT(refusal(property(R"({"maximum": 18446744073709551615})")), HasSubstr("below 2^63"));
  EXPECT_THAT(refusal(property(R"({"type": "integer", "x-secret": true})")), HasSubstr("x-secret is for"));
  EXPECT_THAT(refusal(property(R"({"type": "integer", "default": "x"})")), HasSubstr("default does not fit"));
  EXPECT_THAT(refusal(R"({"type": "object", "required": ["b"]})"), HasSubstr("required names \"b\""));
}

TEST(Schema, HasMatchesOnlyInThePlaceOfTables) {
  EXPECT_EQ(refusal(property(R"({"type": "object", "x-match": true, "default": {"port": 53, "country": "DE"}})")),
            "accepted");
  EXPECT_THAT(refusal(property(R"({"type": "string", "x-match": true})")), HasSubstr("x-match is for type \"object\""));
  EXPECT_THAT(refusal(property(R"({"type": "object", "x-match": true, "properties": {}})")),
              HasSubstr("in place of properties"));
  EXPECT_THAT(refusal(property(R"({"type": "object", "x-match": 1})")), HasSubstr("x-match must be true or false"));
  EXPECT_THAT(refusal(property(R"({"type": "object", "x-match": true, "default": {"port": "x"}})")),
              HasSubstr("default does not fit"));
}

TEST(Schema, MayNotUseTheHostsKeys) {
  const std::string schema = R"({"type": "object", "properties": {"queue": {"type": "integer"}}})";
  EXPECT_THAT(refusal(schema), HasSubstr("/properties/queue: this key is the host's own"));
  EXPECT_EQ(refusal(schema, NFBUS_PLUGIN_FILTER), "accepted");
}

TEST(Schema, ThatIsNestedWithoutEndIsRefused) {
  std::string schema = R"({"type": "string"})";
  for (int i = 0; i < 20; ++i) schema = R"({"type": "array", "items": )" + schema + "}";
  EXPECT_THAT(refusal(property(schema)), HasSubstr("more than 16 levels"));
}

TEST(Schema, ThatIsNestedTooDeepInAnyPartIsRefusedBeforeItIsRead) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  EXPECT_THAT(refusal(property(R"({"type": "array", "default": )" + deep + "}")), HasSubstr("nested too deep"));
  EXPECT_THAT(refusal(property(R"({"type": "array", "enum": [)" + deep + "]}")), HasSubstr("nested too deep"));
}

TEST(Schema, IsDescribedInItsOwnOrder) {
  const auto options = describe_schema(kFileSinkSchema);
  ASSERT_EQ(options.size(), 22U);
  EXPECT_EQ(options[0].name, "file");
  EXPECT_TRUE(options[0].required);
  EXPECT_EQ(options[0].type, "string");
  EXPECT_EQ(options[0].allowed, "matches \"^[^ ]+$\"");
  EXPECT_EQ(options[1].default_value, "\"ulogd\"");
  EXPECT_EQ(options[1].allowed, "\"ulogd\" or \"packet\"");
  EXPECT_EQ(options[2].unit, "bytes");
  EXPECT_EQ(options[2].allowed, "0 to 1000");
  EXPECT_EQ(options[6].type, "array of table");
  EXPECT_EQ(options[7].name, "rules[].dst");
  EXPECT_EQ(options[7].type, "string or array of string");
  EXPECT_TRUE(options[10].secret);
  EXPECT_EQ(options[11].type, "match or array of match");
  EXPECT_EQ(options[14].name, "names");
  EXPECT_EQ(options[14].allowed, "1 to 3 elements");
  EXPECT_EQ(options[15].name, "certificate");
  EXPECT_TRUE(options[15].path);
  EXPECT_TRUE(options[17].path) << "of its elements";
  EXPECT_TRUE(options[18].deprecated);
  EXPECT_FALSE(options[19].deprecated || options[19].path);
  EXPECT_THAT(describe_schema("nonsense"), IsEmpty());
}

}  // namespace
}  // namespace nfbus::test
