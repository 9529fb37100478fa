// Conditions of SPR's alerts: which are understood, and when they hold.
#include "rules/condition.hpp"

#include "rules/pattern.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <utility>

namespace rules {
namespace {

using ::testing::HasSubstr;

constexpr const char* kEvent = R"({
  "TCP": {"SrcPort": 40000, "DstPort": 23, "SYN": true, "Options": [{"OptionType": 2}]},
  "IP": {"SrcIP": "10.0.0.2", "DstIP": "10.0.0.1", "TTL": 64},
  "Prefix": "drop:input ", "InDev": "wlan1.1024", "OutDev": "", "Nothing": null, "Port": "53", "a b": 1})";

bool holds(const std::string& path) { return Condition(path).holds(Json::parse(kEvent)); }

std::string error_of(const std::string& path) {
  try {
    (void)Condition(path);
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return {};
}

TEST(Condition, HoldsAsItsComparisonsDo) {
  for (const char* path :
       {R"($[?(@.TCP.DstPort==23)])", R"($[?(@.TCP.DstPort == 23)])", R"($[?(@.TCP.DstPort!=22)])",
        R"($[?(@.TCP.DstPort<24 && @.TCP.DstPort<=23 && @.TCP.DstPort>22 && @.TCP.DstPort>=23)])",
        R"($[?(@.InDev=="wlan1.1024")])", R"($[?(@.InDev=='wlan1.1024')])", R"($[?(@.OutDev=="")])",
        R"($[?(@.TCP.SYN==true)])", R"($[?(@.TCP.SYN=="true")])", R"($[?(@.Nothing==null)])",
        R"($[?(@.InDev=~"^wlan[0-9]\\.1")])", R"($[?(@.TCP.Options[0].OptionType==2)])", R"($[?(@["a b"]==1)])",
        R"($[?@.IP.TTL==64])", R"($[?((@.IP.TTL==64))])", R"($[?(@.IP.SrcIP>"10.0.0.1")])",
        R"($[?(@.IP.SrcIP!="10.0.0.2" || @.IP.DstIP!="10.0.0.9")])"}) {
    EXPECT_TRUE(holds(path)) << path;
  }
  for (const char* path : {R"($[?(@.TCP.DstPort==22)])", R"($[?(@.TCP.DstPort==23 && @.IP.TTL==63)])",
                           R"($[?(@.IP.SrcIP=="10.0.0.20")])", R"($[?(@.TCP.SYN==false)])", R"($[?(@.InDev=~"^1024")])",
                           R"($[?(@.TCP==23)])", R"($[?(@.IP.SrcIP!="10.0.0.2" || @.IP.DstIP!="10.0.0.1")])"}) {
    EXPECT_FALSE(holds(path)) << path;
  }
}

TEST(Condition, TakesTextsForNumbersWhereTheyAreComparedWithOne) {
  EXPECT_TRUE(holds(R"($[?(@.Port==53)])"));
  EXPECT_TRUE(holds(R"($[?(@.TCP.DstPort=="23")])"));
  EXPECT_FALSE(holds(R"($[?(@.InDev==0)])"));
  EXPECT_TRUE(holds(R"($[?(@.InDev!=0)])"));
}

// What gval 1.2.4 says, which SPR evaluates them by.
TEST(Condition, ComparesValuesOfDifferentTypesAsSprDoes) {
  const auto is = [](const std::string& value, const std::string& comparison) {
    return Condition("$[?(@.a" + comparison + ")]").holds(Json::parse(R"({"a":)" + value + "}"));
  };
  for (const auto& [value, comparison] :
       std::initializer_list<std::pair<const char*, const char*>>{{"true", "==1"},
                                                                  {"true", "==23"},
                                                                  {"true", R"(=="TRUE")"},
                                                                  {"true", R"(=="1.0")"},
                                                                  {"true", "!=0"},
                                                                  {"true", R"(!="True")"},
                                                                  {"false", "==0"},
                                                                  {"false", R"(=="false")"},
                                                                  {"false", R"(=="0")"},
                                                                  {"false", "!=1"},
                                                                  {"false", R"(!="")"},
                                                                  {"1", "==true"},
                                                                  {"0", "==false"},
                                                                  {"2", R"(=="true")"},
                                                                  {"0", R"(=="FALSE")"},
                                                                  {R"("23")", R"(=="23.0")"},
                                                                  {R"("+23")", "==23"},
                                                                  {R"("0")", "==false"},
                                                                  {R"("TRUE")", "==1"},
                                                                  {R"("1e400")", "!=true"},
                                                                  {R"("1e-400")", "==0"},
                                                                  {"null", "==false"},
                                                                  {"null", "==0"},
                                                                  {"null", R"(!="")"},
                                                                  {"{}", "!=false"},
                                                                  {"[]", "!=0"},
                                                                  {"23", R"(<"abc")"},
                                                                  {"23", R"(>"9")"},
                                                                  {R"("23")", R"(<"9")"},
                                                                  {R"("10")", ">9"},
                                                                  {"1000000", R"(<"1e+07x")"},
                                                                  {"true", R"(>"false")"},
                                                                  {"123456", R"(=~"^12")"},
                                                                  {"1000000", R"(=~"^1e[+]06$")"},
                                                                  {"1.5", R"(=~"^1\\.5$")"},
                                                                  {"true", R"(=~"^true$")"},
                                                                  {"null", R"(=~"nil")"},
                                                                  {"-0.00001", R"(=~"^-1e-05$")"}}) {
    EXPECT_TRUE(is(value, comparison)) << value << comparison;
  }
  for (const auto& [value, comparison] :
       std::initializer_list<std::pair<const char*, const char*>>{{"true", "==0"},
                                                                  {"true", "!=1"},
                                                                  {"true", R"(=="yes")"},
                                                                  {"false", "!=0"},
                                                                  {"1", "!=true"},
                                                                  {R"("23 ")", "==23"},
                                                                  {R"("nan")", R"(=="nan")"},
                                                                  {R"x("nan(1)")x", "==true"},
                                                                  {"null", "==1"},
                                                                  {R"("")", "==false"},
                                                                  {R"("1e400")", "==true"},
                                                                  {"{}", "==false"},
                                                                  {"{}", R"(=~"map")"},
                                                                  {"[1]", "==1"},
                                                                  {"null", "<1"},
                                                                  {R"("True")", "==true"}}) {
    EXPECT_FALSE(is(value, comparison)) << value << comparison;
  }
}

TEST(Condition, TakesDigitsForTheNumberThatTheyAreHoweverManyTheyAre) {
  const auto is_zero = [](const std::string& text) { return Condition("$[?(@.a==0)]").holds(Json{{"a", text}}); };
  EXPECT_TRUE(is_zero("0." + std::string(400, '0') + "1"));
  EXPECT_FALSE(is_zero(std::string(400, '1')));
}

TEST(Condition, BindsAndTighterThanOr) {
  EXPECT_TRUE(holds(R"($[?(@.IP.TTL==64 || @.IP.TTL==1 && @.IP.TTL==2)])"));
  EXPECT_FALSE(holds(R"($[?((@.IP.TTL==64 || @.IP.TTL==1) && @.IP.TTL==2)])"));
}

// As SPR's evaluator: `unknown key` ends it.
TEST(Condition, DoesNotHoldWhereAPathOnTheWayIsNotThere) {
  EXPECT_FALSE(holds(R"($[?(@.UDP.DstPort!=53)])"));
  EXPECT_FALSE(holds(R"($[?(@.UDP.DstPort==53 || @.IP.TTL==64)])"));
  EXPECT_TRUE(holds(R"($[?(@.IP.TTL==64 || @.UDP.DstPort==53)])"));
  EXPECT_FALSE(holds(R"($[?(@.TCP.Options[1].OptionType==2)])"));
}

TEST(Condition, NamesWhatIsBeyondTheSubset) {
  const auto expect = [](const char* path, const char* part) { EXPECT_THAT(error_of(path), HasSubstr(part)) << path; };
  expect(R"($..[?(@.a>0)].value)", R"("..[?(@.a>0)].value" (column 2))");
  expect(R"($[?(@.a>0)].value)", R"(".value" (column 12))");
  expect(R"($[?(@.a)])", "\")]\" (column 8) is not understood here: a path is compared by");
  expect(R"($[?(@.a+1==2)])", R"("+1==2)");
  expect(R"($[?(length(@.a)==2)])", R"("length(@.a)==2)");
  expect(R"($[?(!(@.a==2))])", R"("!(@.a==2))");
  expect(R"($[?(@.a==@.b)])", "\"@.b)]");
  expect(R"($[?(@.*==1)])", R"("*==1)");
  expect(R"($[?(@.a==1])", "a \")\" for each \"(\"");
  expect(R"($[?(@.a=="x)])", "no quote behind it");
  expect(R"($[?(@.a=="\q")])", "an escape");
  expect(R"($[?(@.a=~5)])", "takes a text");
  expect("$[?(@.a=~\"(a|b)\")]", R"("(" in a regular expression)");
  expect(R"($[?(@.a==1e999)])", "no constant");
  expect("", "the end (column 1)");
  EXPECT_THAT(error_of("$[?(" + std::string(100, '(') + "@.a==1)])"), HasSubstr("nested too deep"));
  EXPECT_THAT(error_of("$[?(@.a==\"" + std::string(5000, 'x') + "\")]"), HasSubstr("longer than 4096 bytes"));
}

TEST(Pattern, FindsWhatRegularExpressionsFind) {
  const auto found = [](const char* pattern, const std::string& text) { return Pattern(pattern).found_in(text); };
  EXPECT_TRUE(found("", ""));
  EXPECT_TRUE(found("", "x"));
  EXPECT_TRUE(found("b", "abc"));
  EXPECT_FALSE(found("^b", "abc"));
  EXPECT_FALSE(found("b$", "abc"));
  EXPECT_TRUE(found("^abc$", "abc"));
  EXPECT_FALSE(found("^abc$", "abcd"));
  EXPECT_TRUE(found("^$", ""));
  EXPECT_FALSE(found("^$", "x"));
  EXPECT_TRUE(found("^a0:[0-9a-f]+:", "a0:1f:22"));
  EXPECT_FALSE(found("^a0:[0-9a-f]+:", "a0::22"));
  EXPECT_TRUE(found("test*", "tes"));
  EXPECT_FALSE(found("zest*", "testValue"));
  EXPECT_TRUE(found("^colou?r$", "color"));
  EXPECT_TRUE(found("a.*z", "a bc z!"));
  EXPECT_FALSE(found("a.z", "a\nz"));
  EXPECT_TRUE(found("\\d\\.\\d", "1.2"));
  EXPECT_FALSE(found("\\d\\.\\d", "1x2"));
  EXPECT_TRUE(found("^[^:]+$", "abc"));
  EXPECT_TRUE(found("[]a-]", "-"));
  EXPECT_TRUE(found("^\\W\\D\\S$", "-xy"));
}

// Which takes backtracking matchers for ever.
TEST(Pattern, TakesNoLongerForHostileTexts) {
  EXPECT_FALSE(Pattern("a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b").found_in(std::string(100'000, 'a')));
}

TEST(Pattern, NamesWhatItDoesNotKnow) {
  for (const char* pattern :
       {"(a)", "a|b", "a{2}", "a**", "*a", "[a", "[z-a]", "\\", "\\b", "[[:alpha:]]", "a^b", "a$b"}) {
    EXPECT_THROW(Pattern{pattern}, std::invalid_argument) << pattern;
  }
  EXPECT_THROW(Pattern(std::string(64, 'a')), std::invalid_argument);
  EXPECT_NO_THROW(Pattern(std::string(63, 'a')));
}

}  // namespace
}  // namespace rules
