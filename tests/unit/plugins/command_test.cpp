#include "plugins/command.hpp"

#include "instances.hpp"

#include <gmock/gmock.h>

#include <array>
#include <functional>
#include <stdexcept>

namespace nfbus::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr nfbus_text lit(std::string_view text) { return {text.data(), text.size()}; }

// A library of one plugin, which has one command.
struct FakeLibrary {
  FakeLibrary(std::string_view plugin, std::string_view command_name, decltype(nfbus_command::run) run) {
    command = {.struct_size = sizeof command, .reserved = 0, .name = lit(command_name), .summary = lit(""), .run = run};
    entry.struct_size = sizeof entry;
    entry.plugin_kind = NFBUS_PLUGIN_FILTER;
    entry.name = lit(plugin);
    entry.commands = commands.data();
    entry.command_count = 1;
  }
  FakeLibrary(const FakeLibrary&) = delete;
  FakeLibrary& operator=(const FakeLibrary&) = delete;

  [[nodiscard]] Plugin plugin() const { return {.entry = &entry, .file = "/x.so", .library = &library}; }

  nfbus_command command{};
  nfbus_plugin entry{};
  nfbus_library library{};
  std::array<const nfbus_command*, 1> commands{&command};
};

class PluginCommands : public Instances {
 protected:
  Result<int> run(decltype(nfbus_command::run) function, std::vector<ConfiguredInstance> instances = {}) {
    const FakeLibrary library("mine", "say", function);
    const Plugin plugin = library.plugin();
    for (ConfiguredInstance& instance : instances) {
      if (instance.plugin == nullptr) instance.plugin = &plugin;
    }
    const std::vector<std::string> words{"say", "a word"};
    return run_plugin_command({.entry = &library.command, .plugin = &plugin}, words, instances, shared_);
  }
};

TEST_F(PluginCommands, AreFoundByNameOncePerLibrary) {
  const FakeLibrary first("first", "say", nullptr);
  const FakeLibrary second("second", "tell", nullptr);
  const FakeLibrary third("third", "say", nullptr);
  const auto registry = PluginRegistry::of({first.plugin(), first.plugin(), second.plugin(), third.plugin()});
  const auto found = find_commands(registry, "say");
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].entry, &first.command);
  EXPECT_EQ(found[1].entry, &third.command);
  EXPECT_TRUE(find_commands(registry, "sa").empty());
  EXPECT_THAT(command_names(registry), ElementsAre("say", "say", "tell", "say"));
}

TEST_F(PluginCommands, GetTheirWordsAndTheInstancesOfTheirLibraryAlone) {
  const FakeLibrary other("other", "tell", nullptr);
  const Plugin stranger = other.plugin();
  const auto status = run(
      [](const nfbus_host* host, const nfbus_command_call* call) -> int32_t {
        EXPECT_EQ(view(host->instance_name), "say");
        EXPECT_EQ(call->argument_count, 2U);
        EXPECT_STREQ(call->arguments[1], "a word");
        EXPECT_EQ(call->arguments[2], nullptr);
        EXPECT_EQ(call->instance_count, 2U);
        const nfbus_configured& second = *call->instances[1];
        EXPECT_EQ(second.plugin_kind, NFBUS_PLUGIN_FILTER);
        EXPECT_EQ(view(second.plugin), "mine");
        EXPECT_EQ(view(second.name), "b");
        EXPECT_EQ(view(second.options->json), R"({"port":2})");
        nfbus_value value{};
        value.struct_size = sizeof value;
        EXPECT_EQ(second.options->get(second.options->context, lit("/port"), &value), NFBUS_OK);
        return static_cast<int32_t>(value.integer);
      },
      {{.plugin = nullptr, .name = "a", .options_json = R"({"port":1})"},
       {.plugin = &stranger, .name = "x", .options_json = "{}"},
       {.plugin = nullptr, .name = "b", .options_json = R"({"port":2})"}});
  ASSERT_TRUE(status.ok()) << status.error().text;
  EXPECT_EQ(*status, 2);
}

TEST_F(PluginCommands, ThatThrowAreErrors) {
  const auto status =
      run([](const nfbus_host*, const nfbus_command_call*) -> int32_t { throw std::runtime_error("no such rule"); });
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().text, HasSubstr("say: it threw an exception: no such rule"));
}

TEST_F(PluginCommands, EndWithExitStatusesAlone) {
  EXPECT_EQ(run([](const nfbus_host*, const nfbus_command_call*) -> int32_t { return 255; }).value(), 255);
  EXPECT_FALSE(run([](const nfbus_host*, const nfbus_command_call*) -> int32_t { return 256; }).ok());
  EXPECT_FALSE(run([](const nfbus_host*, const nfbus_command_call*) -> int32_t { return -1; }).ok());
}

}  // namespace
}  // namespace nfbus::host::test
