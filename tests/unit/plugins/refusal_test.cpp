// A refusal for each way a plugin can be wrong. The texts are what the user sees: both sides, and what to do.
#include "folder.hpp"

#include <gmock/gmock.h>

namespace nfbus::host::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string refusal_of(const std::string& bad_plugin) {
  const Folder folder;
  folder.add(kBad / (bad_plugin + ".so"));
  return refusal(folder);
}

TEST(PluginRefusal, NamesAFileThatIsNoElfFile) {
  EXPECT_EQ(refusal_of("not_elf"), "not a shared object (no ELF file): remove it from the plugin folder");
}

TEST(PluginRefusal, NamesATruncatedFile) {
  EXPECT_EQ(refusal_of("truncated"), "the file is cut short (4000 bytes are not all of it): copy it again");
}

TEST(PluginRefusal, SurvivesAFileCutAnywhere) {
  std::ifstream file(kGood / "noop.so", std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(file)), {});
  for (std::size_t i = 0; i < 64; ++i) {
    const Folder folder;
    std::ignore = folder.add_bytes("cut.so", whole.substr(0, whole.size() * i / 64));
    EXPECT_THAT(refusal(folder), HasSubstr(i == 0 ? "no ELF file" : "cut short")) << i;
  }
}

TEST(PluginRefusal, NamesAMissingEntrySymbol) {
  EXPECT_EQ(refusal_of("no_symbol"),
            "it exports no symbol nfbus_library_v1: not an nfbus plugin, or the symbol lacks NFBUS_EXPORT");
}

TEST(PluginRefusal, NamesTheSymbolThatTheLoaderMisses) {
  const std::string text = refusal_of("missing_library");
  EXPECT_THAT(text, AllOf(HasSubstr("the loader refuses it: "),
                          HasSubstr("undefined symbol: nfbus_test_function_that_nobody_defines"),
                          Not(HasSubstr("/proc/self/fd")), Not(HasSubstr("Bad file descriptor"))));
}

TEST(PluginRefusal, NamesBothVersionsOfAnotherMajor) {
  EXPECT_EQ(refusal_of("other_major"), "plugin speaks ABI 2.0, this host 1.0: rebuild it against sdk 1.x");
}

TEST(PluginRefusal, NamesBothVersionsOfANewerMinor) {
  EXPECT_EQ(refusal_of("newer_minor"),
            "plugin needs ABI 1.1, this host has 1.0: update nfbus, or build the plugin for sdk 1.0 "
            "(NFBUS_ABI_TARGET_MINOR)");
}

TEST(PluginRefusal, SaysThatAPluginFromBeforeAbi10MustBeRebuilt) {
  EXPECT_EQ(refusal_of("before_abi_1_0"),
            "it was built against a header from before ABI 1.0: rebuild it against this SDK");
}

TEST(PluginRefusal, NamesBothSizesOfAShortStruct) {
  EXPECT_THAT(refusal_of("short_library"),
              AllOf(HasSubstr("its nfbus_library says struct_size 16, ABI 1.0 of this host needs "),
                    HasSubstr("set it to sizeof(nfbus_library) and rebuild")));
  EXPECT_THAT(refusal_of("short_plugin"),
              HasSubstr("its nfbus_plugin says struct_size 16, ABI 1.0 of this host needs "));
  EXPECT_THAT(refusal_of("short_shape"), HasSubstr("its nfbus_shape says struct_size 8, ABI 1.0 of this host needs "));
}

TEST(PluginRefusal, NamesALibraryWithoutPlugins) {
  EXPECT_EQ(refusal_of("null_plugin"), "one of its plugins is a null pointer: set plugins and plugin_count");
}

TEST(PluginRefusal, NamesTwoPluginsOfOneNameInALibrary) {
  EXPECT_EQ(refusal_of("same_name_twice"), "it brings two plugins named \"same_name_twice\": rename one");
}

TEST(PluginRefusal, NamesBothSizesOfAShortFunctionTable) {
  EXPECT_THAT(refusal_of("short_sink"), HasSubstr("its nfbus_sink says struct_size 16, ABI 1.0 of this host needs "));
}

TEST(PluginRefusal, NamesAMissingFunctionTable) {
  EXPECT_EQ(refusal_of("null_sink"), "it is a sink, but its `sink` is null: point it to an nfbus_sink");
}

TEST(PluginRefusal, NamesANullFunction) {
  EXPECT_EQ(refusal_of("null_function"),
            "its nfbus_sink has no write(), which this host must call: set nfbus_sink.write");
}

TEST(PluginRefusal, NamesAMissingTickOfASinkThatWantsTicks) {
  EXPECT_EQ(refusal_of("null_tick"), "its nfbus_sink has no tick(), which this host must call: set nfbus_sink.tick");
}

TEST(PluginRefusal, NamesAMissingTickOfAFilterThatWantsTicks) {
  EXPECT_EQ(refusal_of("null_filter_tick"),
            "its nfbus_filter has no tick(), which this host must call: set nfbus_filter.tick");
}

TEST(PluginRefusal, NamesBothSizesOfATableThatIsShortForItsVersion) {
  EXPECT_THAT(refusal_of("short_filter"),
              HasSubstr("its nfbus_filter says struct_size 32, ABI 1.0 of this host needs "));
}

TEST(PluginRefusal, NamesAnnotationsWithoutNames) {
  EXPECT_EQ(refusal_of("null_annotates"), "it annotates 2 fields at a null pointer: set annotates or annotates_count");
  EXPECT_EQ(refusal_of("empty_annotation"), "it annotates a field without a name: use NFBUS_TEXT");
}

TEST(PluginRefusal, NamesAnUnknownKindOfPlugin) {
  EXPECT_EQ(refusal_of("unknown_kind"),
            "its plugin_kind is 7, this host knows 1 (sink), 2 (filter) and 3 (source): use NFBUS_PLUGIN_*");
}

TEST(PluginRefusal, NamesUnknownKindsOfEvents) {
  EXPECT_EQ(refusal_of("unknown_events"), "it takes event kinds 0x4, this host knows 0x3: use NFBUS_EVENT_* of abi.h");
}

TEST(PluginRefusal, NamesAnInvalidName) {
  EXPECT_EQ(refusal_of("bad_name"),
            "its name \"Bad Name\" does not fit this host's [a-z0-9_-]+ of at most 64 bytes: rename it");
}

TEST(PluginRefusal, NamesACommandThatCannotRun) {
  EXPECT_EQ(refusal_of("bad_command"),
            "its command \"runs-nothing\" has no run(), or a name that does not fit [a-z0-9_-]+");
  EXPECT_EQ(refusal_of("null_commands"), "it has 2 commands at a null pointer: set commands or command_count");
}

TEST(PluginRefusal, NamesWhatIsWrongWithTheSchema) {
  EXPECT_THAT(refusal_of("schema_no_json"), HasSubstr("its option schema is wrong: "));
  EXPECT_THAT(refusal_of("schema_keyword"), AllOf(HasSubstr("its option schema is wrong: "), HasSubstr("oneOf")));
}

TEST(PluginRefusal, NamesBothFilesOfADuplicateName) {
  const Folder folder;
  folder.add(kBad / "duplicate_first.so");
  folder.add(kBad / "duplicate_second.so");
  const PluginRegistry registry = folder.scan();
  ASSERT_NE(registry.find("duplicate"), nullptr);
  EXPECT_EQ(registry.find("duplicate")->file, folder.path() / "duplicate_first.so");
  ASSERT_EQ(registry.refused().size(), 1U);
  EXPECT_EQ(registry.refused()[0].file, folder.path() / "duplicate_second.so");
  EXPECT_EQ(registry.refused()[0].error.text, "a plugin named \"duplicate\" was found before it in " +
                                                  (folder.path() / "duplicate_first.so").string() +
                                                  ": remove one of the two files");
}

TEST(PluginRefusal, NamesAnotherMachine) {
  std::ifstream file(kGood / "noop.so", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  bytes[18] = 8;  // e_machine: MIPS
  bytes[19] = 0;
  const Folder folder;
  std::ignore = folder.add_bytes("mips.so", bytes);
  EXPECT_THAT(refusal(folder), AllOf(HasSubstr("the plugin is built for mips (ELF machine 8"),
                                     HasSubstr(", this host for "), HasSubstr("rebuild it for this machine")));
}

TEST(PluginRefusal, NamesAnElfFileOfAnotherKind) {
  std::ifstream file(kGood / "noop.so", std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), {});
  bytes[16] = 1;  // e_type: ET_REL
  const Folder folder;
  std::ignore = folder.add_bytes("object.so", bytes);
  EXPECT_EQ(refusal(folder), "not a shared object but another kind of ELF file: link it with -shared");
}

}  // namespace
}  // namespace nfbus::host::test
