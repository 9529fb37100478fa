#include "config/option_places.hpp"

#include "given.hpp"

#include <gmock/gmock.h>

namespace nfbus::test {
namespace {

using host::OptionPlace;
using host::OptionPlaces;

class OptionsOfASink : public testing::Test {
 protected:
  // "LINE:COLUMN NAME", or "nowhere".
  [[nodiscard]] std::string place(std::string_view pointer) const {
    const auto found = places_.find(pointer);
    if (!found) return "nowhere";
    EXPECT_EQ(found->where.file, given_.path("c.toml"));
    return std::to_string(found->where.line) + ':' + std::to_string(found->where.column) + ' ' + found->name;
  }

 private:
  Given given_{
      "[sink.a]\nplugin = 'files'\nfile = '/x'\nrules = [{weight = 1}, {dst = [\n  'x', 'y']}]\n"
      "token_file = 'secret'\n[sink.a.tags]\n10 = 'ten'\n'a/b~c' = 'd'\n"};
  OptionPlaces places_ = [this] {
    given_.write("secret", "sesame");
    return given_.load().config.sinks.at(0).places;
  }();
};

TEST_F(OptionsOfASink, AreFoundByAPointer) {
  EXPECT_EQ(place("/file"), "3:8 sink.a.file");
  EXPECT_EQ(place("/rules"), "4:9 sink.a.rules");
  EXPECT_EQ(place("/rules/1/dst"), "4:31 sink.a.rules[1].dst");
  EXPECT_EQ(place("/rules/1/dst/1"), "5:8 sink.a.rules[1].dst[1]");
  EXPECT_EQ(place("/tags/10"), "8:6 sink.a.tags.10") << "a key of digits";
  EXPECT_EQ(place("/tags/a~1b~0c"), "9:11 sink.a.tags.\"a/b~c\"");
}

TEST_F(OptionsOfASink, ThatWereNotWrittenAreNamedAtTheNearestTable) {
  EXPECT_EQ(place("/format"), "1:1 sink.a.format") << "a default";
  EXPECT_EQ(place("/rules/0/dst"), "4:10 sink.a.rules[0].dst");
  EXPECT_EQ(place("/rules/7/dst"), "4:9 sink.a.rules[7].dst");
}

TEST_F(OptionsOfASink, ThatAreSecretsStandWhereTheirFileIsNamed) {
  EXPECT_EQ(place("/token"), "6:14 sink.a.token_file");
}

TEST_F(OptionsOfASink, AreNotFoundByWhatIsNoPointer) {
  for (const char* wrong : {"", "file", "rules/1", "/a~", "/a~2"}) EXPECT_EQ(place(wrong), "nowhere") << wrong;
  std::string deep;
  for (int i = 0; i < 33; ++i) deep += "/a";
  EXPECT_EQ(place(deep), "nowhere");
  EXPECT_FALSE(OptionPlaces().find("/file")) << "an instance that no file has made";
}

TEST_F(OptionsOfASink, ThatNobodyCouldPrintAreQuoted) {
  EXPECT_EQ(place("/\x1b[2J\n"), "1:1 sink.a.\"\\u001b[2J\\n\"");
}

TEST(OptionPlaces, DoNotMakeTwoInstancesDiffer) {
  const std::string sink = "[sink.a]\nplugin = 'files'\nfile = '/x'\n";
  EXPECT_EQ(Given(sink).load().config.sinks, Given("\n\n" + sink).load().config.sinks);
}

}  // namespace
}  // namespace nfbus::test
