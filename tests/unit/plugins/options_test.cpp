#include "plugins/options.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace nfbus::host {
namespace {

// Runs `look` in a create(), which is where options live.
void with_options(const std::string& json, const std::function<void(const nfbus_options&)>& look) {
  static const std::function<void(const nfbus_options&)>* current = nullptr;
  current = &look;
  const auto created = create_instance(
      "sink.x",
      [](const nfbus_host*, const nfbus_options* options, void**, nfbus_error*) {
        (*current)(*options);
        return NFBUS_OK;
      },
      nfbus_host{}, json);
  ASSERT_TRUE(created.ok()) << created.error().text;
}

nfbus_value get(const nfbus_options& options, std::string_view pointer) {
  nfbus_value value{};
  value.struct_size = sizeof value;
  if (options.get(options.context, {pointer.data(), pointer.size()}, &value) != NFBUS_OK) value.type = 0;
  return value;
}

TEST(PluginOptions, AreFoundByJsonPointer) {
  with_options(R"({"file":"/x","drop":[{"dst":["a","b"]}],"a/b":1,"m~n":2,"size":-3,"rate":0.5,"on":true})",
               [](const nfbus_options& options) {
                 EXPECT_EQ(get(options, "").type, NFBUS_VALUE_TABLE);
                 EXPECT_EQ(get(options, "").count, 7U);
                 EXPECT_EQ(get(options, "/drop").type, NFBUS_VALUE_ARRAY);
                 EXPECT_EQ(get(options, "/drop/0/dst").count, 2U);
                 const nfbus_value text = get(options, "/drop/0/dst/1");
                 EXPECT_EQ(text.type, NFBUS_VALUE_TEXT);
                 EXPECT_EQ(std::string_view(text.text.data, text.text.size), "b");
                 EXPECT_EQ(get(options, "/a~1b").integer, 1);
                 EXPECT_EQ(get(options, "/m~0n").integer, 2);
                 EXPECT_EQ(get(options, "/size").type, NFBUS_VALUE_INTEGER);
                 EXPECT_EQ(get(options, "/size").integer, -3);
                 EXPECT_EQ(get(options, "/size").number, -3.0);
                 EXPECT_EQ(get(options, "/rate").type, NFBUS_VALUE_NUMBER);
                 EXPECT_EQ(get(options, "/rate").number, 0.5);
                 EXPECT_EQ(get(options, "/on").type, NFBUS_VALUE_BOOLEAN);
                 EXPECT_EQ(get(options, "/on").integer, 1);
               });
}

TEST(PluginOptions, GiveTheJsonOfTablesAndArrays) {
  with_options(R"({"when":{"dst":["::1"]},"drop":[{"port":53},{"!proto":"udp"}]})", [](const nfbus_options& options) {
    const nfbus_value table = get(options, "/when");
    const nfbus_value array = get(options, "/drop");
    EXPECT_EQ(std::string_view(table.text.data, table.text.size), R"({"dst":["::1"]})");
    EXPECT_EQ(std::string_view(array.text.data, array.text.size), R"([{"port":53},{"!proto":"udp"}])");
  });
}

TEST(PluginOptions, AnswerNotFoundForWhatIsNotThereAndForBrokenPointers) {
  with_options(R"({"list":[1],"file":"x"})", [](const nfbus_options& options) {
    for (const char* pointer : {"/nothing", "/list/1", "/list/-", "/list/x", "/list/01", "/file/x", "file", "/list/0/0",
                                "/~", "/~2", "/list/99999999999999999999"}) {
      EXPECT_EQ(get(options, pointer).type, 0U) << pointer;
    }
    EXPECT_EQ(options.get(options.context, {nullptr, 3}, nullptr), NFBUS_REFUSED);
  });
}

TEST(PluginOptions, LeaveTheValueAloneWhenThereIsNone) {
  with_options("{}", [](const nfbus_options& options) {
    nfbus_value value{};
    value.struct_size = sizeof value;
    value.integer = 17;
    EXPECT_EQ(options.get(options.context, NFBUS_TEXT("/size"), &value), NFBUS_REFUSED);
    EXPECT_EQ(value.integer, 17);
  });
}

TEST(PluginOptions, WriteNoFurtherThanTheCallersStruct) {
  with_options(R"({"size":5})", [](const nfbus_options& options) {
    nfbus_value value{};
    value.struct_size = offsetof(nfbus_value, number);
    value.number = 17;
    EXPECT_EQ(options.get(options.context, NFBUS_TEXT("/size"), &value), NFBUS_OK);
    EXPECT_EQ(value.integer, 5);
    EXPECT_EQ(value.number, 17);
    EXPECT_EQ(value.struct_size, offsetof(nfbus_value, number));
  });
}

TEST(PluginOptions, KeepTextsThatWereGivenEarlierInTheSameCall) {
  with_options(R"({"a":"first","b":"second"})", [](const nfbus_options& options) {
    const nfbus_value first = get(options, "/a");
    const nfbus_value second = get(options, "/b");
    EXPECT_EQ(std::string_view(first.text.data, first.text.size), "first");
    EXPECT_EQ(std::string_view(second.text.data, second.text.size), "second");
  });
}

TEST(PluginOptions, MustBeAJsonObject) {
  const auto never = [](const nfbus_host*, const nfbus_options*, void**, nfbus_error*) { return NFBUS_OK; };
  EXPECT_FALSE(create_instance("sink.x", never, nfbus_host{}, "[]").ok());
  EXPECT_FALSE(create_instance("sink.x", never, nfbus_host{}, "{").ok());
}

}  // namespace
}  // namespace nfbus::host
