#include <nfbus/options.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using nfbus::Options;
using nfbus::test::Array;
using nfbus::test::FakeOptions;
using testing::ElementsAre;

template <typename Body>
std::string thrown_by(Body&& body) {
  try {
    body();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "nothing";
}

TEST(OptionsView, GivesEachTypeOfValue) {
  const FakeOptions raw({{"/file", "a.json"}, {"/keep", std::int64_t{3}}, {"/ratio", 0.5}, {"/on", true}});
  const Options options(raw.raw());
  EXPECT_TRUE(options.has("file"));
  EXPECT_FALSE(options.has("fil"));
  EXPECT_EQ(options.text("file"), "a.json");
  EXPECT_EQ(options.integer("keep"), 3);
  EXPECT_DOUBLE_EQ(options.number("ratio"), 0.5);
  EXPECT_DOUBLE_EQ(options.number("keep"), 3.0);
  EXPECT_TRUE(options.boolean("on"));
}

TEST(OptionsView, GivesListsAndTablesBelowAKey) {
  const FakeOptions raw({{"/drop", Array{2}},
                         {"/drop/1/dst", Array{2}},
                         {"/drop/1/dst/0", "192.0.2.0/24"},
                         {"/drop/1/dst/1", "ff00::/8"}});
  const Options options(raw.raw());
  EXPECT_EQ(options.count("drop"), 2U);
  EXPECT_EQ(options.count("keep"), 0U);
  EXPECT_THAT(options.below("drop/1").list("dst"), ElementsAre("192.0.2.0/24", "ff00::/8"));
}

TEST(OptionsView, GivesTheJsonOfATableOrAnArray) {
  const FakeOptions raw({{"/drop", Array{1, R"([{"dst":"::1"}])"}}, {"/file", "x"}});
  const Options options(raw.raw());
  EXPECT_EQ(options.json("drop"), R"([{"dst":"::1"}])");
  EXPECT_EQ(thrown_by([&] { (void)options.json("file"); }), "option file must be a table or an array");
  EXPECT_EQ(thrown_by([&] { (void)options.json("keep"); }), "option keep is missing");
}

TEST(OptionsView, NamesTheKeyThatIsMissingOrOfAnotherType) {
  const FakeOptions raw({{"/drop/0/dst", std::int64_t{1}}});
  const Options options(raw.raw());
  EXPECT_EQ(thrown_by([&] { (void)options.text("file"); }), "option file is missing");
  EXPECT_EQ(thrown_by([&] { (void)options.below("drop/0").list("dst"); }), "option drop/0/dst must be an array");
}

}  // namespace
