#include "plugins/registry.hpp"

#include "folder.hpp"

#include <dlfcn.h>
#include <gmock/gmock.h>

#include <fstream>
#include <set>
#include <string>
#include <string_view>

namespace nfbus::host::test {
namespace {

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
}

TEST(PluginRegistry, FindsAllPluginsOfAFolderByName) {
  const PluginRegistry registry = PluginRegistry::scan({kGood});
  std::set<std::string> names;
  for (const Plugin& plugin : registry.plugins()) names.emplace(plugin.entry->name.data, plugin.entry->name.size);
  EXPECT_THAT(
      names, ::testing::ElementsAre("asks", "complains", "echoes", "ends", "fails", "feeds", "feeds_all",
                                    "filter_annotates", "filter_drops", "filter_hangs", "filter_masks", "filter_throws",
                                    "hangs", "late", "noop", "own_pcap", "rejects", "retries", "tells_rights", "throws",
                                    "tries", "waits", "waits_filter", "waits_source", "wavers"));
  EXPECT_TRUE(registry.refused().empty());
  ASSERT_NE(registry.find("noop"), nullptr);
  EXPECT_EQ(registry.find("noop")->file, kGood / "noop.so");
  EXPECT_EQ(registry.find("nooq"), nullptr);
}

TEST(PluginRegistry, LooksOnlyAtFilesThatEndInSo) {
  const Folder folder;
  folder.add(kGood / "noop.so", "noop.so.1");
  folder.add(kGood / "noop.so", "noop.so.dpkg-new");
  folder.add(kGood / "noop.so", ".so");
  folder.add(kBad / "not_elf.so", "README.md");
  const PluginRegistry registry = folder.scan();
  EXPECT_TRUE(registry.plugins().empty());
  EXPECT_TRUE(registry.refused().empty());
}

TEST(PluginRegistry, KeepsGoodPluginsBesideBadOnes) {
  const Folder folder;
  folder.add(kBad / "not_elf.so");
  folder.add(kBad / "other_major.so");
  folder.add(kGood / "noop.so");
  const PluginRegistry registry = folder.scan();
  EXPECT_NE(registry.find("noop"), nullptr);
  EXPECT_EQ(registry.refused().size(), 2U);
}

TEST(PluginRegistry, PrefersTheFirstFolder) {
  const Folder first;
  const Folder second;
  first.add(kGood / "noop.so");
  second.add(kGood / "noop.so");
  const PluginRegistry registry = PluginRegistry::scan({first.path(), second.path()});
  ASSERT_NE(registry.find("noop"), nullptr);
  EXPECT_EQ(registry.find("noop")->file, first.path() / "noop.so");
  ASSERT_EQ(registry.refused().size(), 1U);
  EXPECT_EQ(registry.refused()[0].file, second.path() / "noop.so");
}

TEST(PluginRegistry, LooksOnceAtAFolderThatIsNamedTwice) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  const PluginRegistry registry = PluginRegistry::scan({folder.path(), folder.path() / "."});
  EXPECT_EQ(registry.plugins().size(), 1U);
  EXPECT_TRUE(registry.refused().empty());
}

TEST(PluginRegistry, KeepsNoFurtherDescriptorWhenItScansAgain) {
  const Folder folder;
  folder.add(kGood / "noop.so");
  folder.add(kBad / "no_symbol.so");
  const PluginRegistry first = folder.scan();
  const std::size_t before = open_descriptors();
  const PluginRegistry second = folder.scan();
  EXPECT_EQ(open_descriptors(), before);
  EXPECT_EQ(second.find("noop")->entry, first.find("noop")->entry);
}

TEST(PluginRegistry, LoadsTheNewFileOfAPluginThatWasReplaced) {
  const Folder folder;
  folder.add(kGood / "noop.so", "plugin.so");
  const PluginRegistry first = folder.scan();
  fs::remove(folder.path() / "plugin.so");
  folder.add(kGood / "throws.so", "plugin.so");
  const PluginRegistry second = folder.scan();
  EXPECT_NE(second.find("throws"), nullptr);
  EXPECT_EQ(second.find("noop"), nullptr);
  EXPECT_NE(first.find("noop"), nullptr);  // and its code is still there
  EXPECT_EQ(std::string_view(first.find("noop")->entry->version.data, 3), "1.0");
}

// The name that debuggers and core files know the library of a plugin by.
std::string name_of_library(const PluginRegistry& registry, std::string_view plugin) {
  Dl_info info{};
  const Plugin* const found = registry.find(plugin);
  if (found == nullptr || ::dladdr(found->entry, &info) == 0) return {};
  return info.dli_fname;
}

TEST(PluginRegistry, LoadsALibraryByARealPathThatLeadsToIt) {
  const Folder folder;
  const fs::path file = folder.add(kGood / "noop.so", "plugin.so");
  std::set<std::string> names;
  for (const char* plugin : {"noop", "throws", "retries", "noop"}) {
    fs::remove(file);
    folder.add(kGood / (std::string(plugin) + ".so"), "plugin.so");
    const PluginRegistry registry = folder.scan();
    const std::string name = name_of_library(registry, plugin);
    EXPECT_EQ(fs::path(name).lexically_normal(), file) << name;
    EXPECT_TRUE(names.insert(name).second) << "the name of an earlier file: " << name;
  }
}

TEST(PluginRegistry, APluginsOwnFunctionIsNotReplacedByTheHostsOfThatName) {
  const PluginRegistry registry = PluginRegistry::scan({kGood});
  ASSERT_NE(registry.find("own_pcap"), nullptr);
  const nfbus_text summary = registry.find("own_pcap")->entry->summary;
  EXPECT_EQ(std::string_view(summary.data, summary.size), "its own");
}

TEST(PluginRegistry, RefusesALibraryThatWasWrittenOverWhileItsCodeIsMapped) {
  const Folder folder;
  const fs::path file = folder.add(kGood / "noop.so");
  const PluginRegistry before = folder.scan();
  ASSERT_NE(before.find("noop"), nullptr);
  {
    // As `cp` does, but the same bytes: what is mapped here must stay sound.
    std::ifstream in(kGood / "noop.so", std::ios::binary);
    std::ofstream(file, std::ios::binary | std::ios::in) << in.rdbuf();
  }
  EXPECT_THAT(refusal(folder),
              testing::AllOf(testing::HasSubstr("overwritten in place"), testing::HasSubstr("rename")));
  fs::remove(file);
  folder.add(kGood / "noop.so");
  EXPECT_NE(folder.scan().find("noop"), nullptr) << "a new file is another one";
}

TEST(PluginRegistry, TakesNeitherLibraryForTheOtherAfterARefusal) {
  const Folder folder;
  folder.add(kBad / "missing_library.so", "a.so");
  folder.add(kBad / "no_symbol.so", "b.so");
  folder.add(kGood / "noop.so", "c.so");
  folder.add(kGood / "throws.so", "d.so");
  const PluginRegistry registry = folder.scan();
  EXPECT_EQ(registry.refused().size(), 2U);
  ASSERT_NE(registry.find("noop"), nullptr);
  EXPECT_EQ(registry.find("noop")->file, folder.path() / "c.so");
  ASSERT_NE(registry.find("throws"), nullptr);
  EXPECT_EQ(registry.find("throws")->file, folder.path() / "d.so");
}

TEST(PluginRegistry, FindsTheBuiltInPluginsRelativeToTheProgram) {
  EXPECT_EQ(builtin_plugin_folders().front(), fs::canonical(NFBUS_BUILD_DIR) / "lib/nfbus/plugins");
}

TEST(PluginRegistry, FindsTheBuiltInPluginsWhereAPackageMayHavePutThem) {
  const Folder prefix;
  EXPECT_THAT(builtin_plugin_folders(prefix.path()), testing::ElementsAre(prefix.path() / "lib/nfbus/plugins"));
  fs::create_directories(prefix.path() / "lib64/nfbus/plugins");
  EXPECT_THAT(builtin_plugin_folders(prefix.path()), testing::ElementsAre(prefix.path() / "lib64/nfbus/plugins"));
  fs::create_directories(prefix.path() / "lib/nfbus/plugins");
  EXPECT_THAT(builtin_plugin_folders(prefix.path()),
              testing::ElementsAre(prefix.path() / "lib/nfbus/plugins", prefix.path() / "lib64/nfbus/plugins"));
  fs::remove_all(prefix.path() / "lib64");
  fs::create_directory_symlink("lib", prefix.path() / "lib64");
  EXPECT_THAT(builtin_plugin_folders(prefix.path()), testing::ElementsAre(prefix.path() / "lib/nfbus/plugins"));
}

}  // namespace
}  // namespace nfbus::host::test
