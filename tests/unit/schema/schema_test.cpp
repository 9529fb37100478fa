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
  EXPECT_THAT(refusal(property(R"({"type": "string", "minLength": 1})")),
              HasSubstr("/properties/a: keyword \"minLength\" is not supported"));
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
  ASSERT_EQ(options.size(), 14U);
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
  EXPECT_THAT(describe_schema("nonsense"), IsEmpty());
}

}  // namespace
}  // namespace nfbus::test
