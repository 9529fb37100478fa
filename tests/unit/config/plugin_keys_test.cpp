#include "config/secrets.hpp"

#include "given.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <cstdlib>

namespace nfbus::test {
namespace {

using nlohmann::json;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

json options_of(const Given& given) { return json::parse(given.load().config.sinks.at(0).options_json); }

std::string sink_with(const std::string& keys) { return "[sink.a]\nplugin = 'files'\nfile = '/x'\n" + keys; }

TEST(PluginKeys, AreCheckedAgainstTheSchema) {
  EXPECT_THAT(
      sink_errors("format = 'ulgod'\nrotate_bytes = 1001\nratio = 0.25\nflush = 'yes'\nrules = [{dts = 'x'}, 5]\n"
                  "tags = {site = 1}\n"),
      ElementsAre("4:10: sink.a.format: must be \"ulogd\" or \"packet\", found \"ulgod\"; did you mean \"ulogd\"?",
                  "5:16: sink.a.rotate_bytes: 1001 is out of range; it must be 0 to 1000 bytes",
                  "6:9: sink.a.ratio: 0.25 is out of range; it must be at least 0.5",
                  "7:9: sink.a.flush: expected true or false, found a string",
                  "8:11: sink.a.rules[0].dts: unknown key; did you mean \"dst\"?",
                  "8:23: sink.a.rules[1]: expected a table, found an integer",
                  "9:16: sink.a.tags.site: expected a string, found an integer"));
}

TEST(PluginKeys, ThatHaveAnyNameAreOutputsAndHoldSecretsAsOthersDo) {
  const Given given(
      sink_with("[sink.a.by_site]\nnorth = [{raw = '/n'}]\nsouth = [{raw = '/s'}, {raw = '/x'}]\n"
                "[sink.a.peers.one]\nkey_file = 'secret'\n"));
  given.write("secret", "hidden\n");
  EXPECT_THAT(given.errors(), ElementsAre("6:31: sink.a.by_site.south[1].raw: sink.a.file writes to this file, at " +
                                          given.path("c.toml") + ":3:8; give each sink a file of its own"));
  EXPECT_EQ(options_of(given)["peers"]["one"]["key"], "hidden");
  std::vector<std::string> used;
  for (const host::UsedPath& path : given.load().used_paths) used.push_back(path.key + ' ' + path.path);
  EXPECT_THAT(used, testing::UnorderedElementsAre("sink.a.peers.one.key_file " + given.path("secret"), "sink.a.file /x",
                                                  "sink.a.by_site.north[0].raw /n", "sink.a.by_site.south[0].raw /s",
                                                  "sink.a.by_site.south[1].raw /x"));
  EXPECT_THAT(sink_errors("[sink.a.peers.one]\nkey = 'hidden'\n"),
              ElementsAre(HasSubstr("sink.a.peers.one.key: a secret does not stand in the configuration itself")));
}

TEST(PluginKeys, OfTwoSinksNameNoFileTwiceHoweverItIsSpelled) {
  const Given given("");
  const std::string real = given.path("out");
  const auto two = [&](const std::string& other) {
    given.write("c.toml", "[sink.b]\nplugin = 'files'\nfile = '" + real + "'\n[sink.a]\nplugin = 'files'\nfile = '" +
                              other + "'\n");
    return given.errors();
  };
  const std::string expected = "6:8: sink.a.file: sink.b.file writes to this file, at " + given.path("c.toml") +
                               ":3:8; give each sink a file of its own";
  EXPECT_THAT(two(real), ElementsAre(expected)) << "it need not be there";
  EXPECT_THAT(two(given.path("./out")), ElementsAre(expected));
  given.write("out", "");
  std::filesystem::create_symlink("out", given.path("soft"));
  std::filesystem::create_hard_link(real, given.path("hard"));
  std::filesystem::create_symlink(".", given.path("here"));
  EXPECT_THAT(two(given.path("soft")), ElementsAre(expected));
  EXPECT_THAT(two(given.path("hard")), ElementsAre(expected));
  EXPECT_THAT(two(given.path("here/out")), ElementsAre(expected));
  EXPECT_THAT(two(given.path("other")), IsEmpty());
  EXPECT_THAT(two(given.path("nowhere/out")), IsEmpty());
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'log'\nfile = '-'\n[sink.b]\nplugin = 'log'\nfile = '-'\n"), IsEmpty());
  EXPECT_THAT(
      errors_of("[sink.a]\nplugin = 'files'\nfile = '/dev/null'\n[sink.b]\nplugin = 'files'\nfile = '/dev/null'\n"),
      IsEmpty());
}

TEST(PluginKeys, MustMatchPatterns) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'files'\nfile = 'a b'\n"),
              ElementsAre("3:8: sink.a.file: \"a b\" does not match \"^[^ ]+$\""));
  const std::string longest(4096, 'x');
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'files'\nfile = '" + longest + "'\n"), IsEmpty());
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'files'\nfile = '" + longest + "y'\n"),
              ElementsAre("3:8: sink.a.file: is longer than 4096 bytes"));
}

TEST(PluginKeys, HaveAsManyCharactersAndElementsAsTheSchemaSays) {
  EXPECT_THAT(sink_errors("names = ['\xc3\xa4\xc3\xb6\xc3\xbc', 'ab']\n"), IsEmpty()) << "characters, not bytes";
  EXPECT_THAT(sink_errors("names = ['\xc3\xa4', 'abcd']\n"),
              ElementsAre("4:10: sink.a.names[0]: \"\xc3\xa4\" must have 2 to 3 characters",
                          "4:15: sink.a.names[1]: \"abcd\" must have 2 to 3 characters"));
  EXPECT_THAT(sink_errors("names = []\n"), ElementsAre("4:9: sink.a.names: must have 1 to 3 elements, found 0"));
  EXPECT_THAT(sink_errors("names = ['ab', 'ab', 'ab', 'ab']\n"),
              ElementsAre("4:9: sink.a.names: must have 1 to 3 elements, found 4"));
}

TEST(PluginKeys, ThatArePathsStartAtTheConfigurationsFolder) {
  const Given given(sink_with(
      "log = 'log'\n[sink.a.places.one]\nat = '../x'\n[sink.a.places.two]\nat = '/abs'\n[sink.a.places.three]\n"));
  ASSERT_THAT(given.errors(), IsEmpty());
  const json options = options_of(given);
  EXPECT_EQ(options["log"], given.path("log"));
  EXPECT_EQ(options["places"]["three"]["at"], given.path("host.pem")) << "a default";
  EXPECT_EQ(options["places"]["one"]["at"], given.path("../x"));
  EXPECT_EQ(options["places"]["two"]["at"], "/abs");
  EXPECT_EQ(given.load().used_paths.back().path, given.path("log"));
  const Given list(sink_with("log = '-'\nplaces = ['a', '', './-']\n"));
  ASSERT_THAT(list.errors(), IsEmpty());
  EXPECT_EQ(options_of(list)["places"], json({list.path("a"), "", list.path("./-")}));
  EXPECT_EQ(options_of(list)["log"], "-") << "an output";
}

TEST(PluginKeys, ThatAreDeprecatedAreWarnedOfAndWork) {
  const Given given(sink_with("old = {x = 1}\nolder = [{n = 'wrong'}, {key_file = 'none'}]\n"));
  const host::LoadedConfig loaded = given.load();
  std::vector<std::string> warnings;
  for (const Error& warning : loaded.warnings)
    warnings.push_back(to_string(warning).substr(given.path("c.toml").size()));
  EXPECT_THAT(warnings,
              ElementsAre(":4:1: sink.a.old: is deprecated: use new", ":5:11: sink.a.older[0].n: is deprecated",
                          ":5:26: sink.a.older[1].key_file: is deprecated"));
  EXPECT_EQ(loaded.errors.size(), 2U) << "what is wrong with them, too";
  EXPECT_THAT(Given(sink_with("")).load().warnings, IsEmpty());
  EXPECT_EQ(options_of(Given(sink_with("old = {x = 1}\n")))["old"], json({{"x", 1}}));
}

TEST(PluginKeys, AreHandedOnAsJsonWithDefaults) {
  const Given given(
      sink_with("ratio = 1\nsince = 1979-05-27T07:32:00.5+02:00\nrules = [{dst = ['a']}, {dst = 'b', weight = 1}]\n"));
  ASSERT_THAT(given.errors(), IsEmpty());
  EXPECT_EQ(options_of(given), json::parse(R"({"file": "/x", "format": "ulogd", "flush": true, "ratio": 1,
      "since": "1979-05-27T07:32:00.5+02:00",
      "rules": [{"dst": ["a"], "weight": 3}, {"dst": "b", "weight": 1}]})"));
}

TEST(PluginKeys, OfAPluginWithoutSchemaAreUnknown) {
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\n[filter.a]\nplugin = 'sieve'\nx = 1\n"),
              ElementsAre("5:1: filter.a.x: unknown key; known here: plugin"));
}

TEST(PluginKeys, SayWhichTopicsASinkGetsThatNamesNone) {
  const auto topics_of = [](const std::string& keys) {
    std::vector<std::string> out;
    const host::LoadedConfig loaded = Given("[sink.a]\nplugin = 'all'\n" + keys).load();
    EXPECT_THAT(loaded.errors, IsEmpty());
    EXPECT_THAT(loaded.warnings, IsEmpty());
    for (const host::TopicPattern& topic : loaded.config.sinks.at(0).topics) out.push_back(topic.text());
    return out;
  };
  EXPECT_THAT(topics_of(""), ElementsAre("", "nfbus:x"));
  EXPECT_THAT(topics_of("topics = ['alert:']\n"), ElementsAre("alert:"));
}

TEST(PluginKeys, AreNotReplacedFromTheEnvironment) {
  EXPECT_THAT(sink_errors("since = '${HOME}'"), ElementsAre(HasSubstr("only secrets are read from the environment")));
}

TEST(MatchKeysOfPlugins, AreCompiledWhileTheFileIsChecked) {
  EXPECT_THAT(sink_errors("when = [{dst = ['10.0.0.0/8', '10.0.0.0/33'], port = '9-1'}, {dts = 'x'}, 7, {}]\n"
                          "[sink.b]\nplugin = 'files'\nfile = '/y'\nwhen = {'!bpf' = 'port 1 1'}\n"),
              ElementsAre("4:31: sink.a.when[0].dst[1]: \"10.0.0.0/33\": the prefix length is at most 32",
                          "4:54: sink.a.when[0].port: \"9-1\": the range is reversed; write \"1-9\"",
                          "4:63: sink.a.when[1].dts: unknown key; did you mean \"dst\"?",
                          "4:75: sink.a.when[2]: expected a table, found an integer",
                          "4:78: sink.a.when[3]: has no conditions, and so would hold for every event; leave it out",
                          HasSubstr("8:18: sink.b.when.\"!bpf\": \"port 1 1\": libpcap: ")));
}

TEST(MatchKeysOfPlugins, AreHandedOnAsTheyAre) {
  const Given given(sink_with("when = [{dst = ['10.0.0.0/8'], '!proto' = 'tcp', port = 53}]"));
  ASSERT_THAT(given.errors(), IsEmpty());
  EXPECT_EQ(options_of(given)["when"], json::parse(R"([{"dst": ["10.0.0.0/8"], "!proto": "tcp", "port": 53}])"));
}

TEST(MatchKeysOfPlugins, MayBeFieldsThatAConfiguredFilterDeclares) {
  const std::string sink = sink_with("when = {country = 'DE'}\n");
  EXPECT_THAT(errors_of(sink), ElementsAre(HasSubstr("4:9: sink.a.when.country: unknown key")));
  EXPECT_THAT(errors_of(sink + "[filter.g]\nplugin = 'geo'\n"), IsEmpty());
  EXPECT_THAT(errors_of(sink_with("when = {contry = 'DE'}\n") + "[filter.g]\nplugin = 'geo'\n"),
              ElementsAre(HasSubstr("did you mean \"country\"?")));
}

TEST(MatchKeysOfPlugins, MayBeAnyFieldWhenAConfiguredFilterDoesNotSay) {
  EXPECT_THAT(errors_of(sink_with("when = {country = 'DE'}\n[filter.s]\nplugin = 'sieve'\n")), IsEmpty());
}

class Secrets : public testing::Test {
 protected:
  void SetUp() override { ::setenv("NFBUS_TEST_SECRET", "hunter", 1); }
  void TearDown() override { ::unsetenv("NFBUS_TEST_SECRET"); }
};

TEST_F(Secrets, ComeFromTheEnvironment) {
  const Given given(sink_with("token = '${NFBUS_TEST_SECRET}'"));
  EXPECT_THAT(given.errors(), IsEmpty());
  EXPECT_EQ(options_of(given)["token"], "hunter");
}

TEST_F(Secrets, ComeFromAFileBesideTheConfiguration) {
  const Given given(sink_with("token_file = 'secret'"));
  given.write("secret", "sesame\n");
  EXPECT_THAT(given.errors(), IsEmpty());
  EXPECT_EQ(options_of(given)["token"], "sesame");
  EXPECT_FALSE(options_of(given).contains("token_file"));
}

TEST_F(Secrets, ThatAreMissingAreErrors) {
  EXPECT_THAT(sink_errors("token = '${NFBUS_TEST_UNSET}'"),
              ElementsAre(HasSubstr("4:9: sink.a.token: the environment variable NFBUS_TEST_UNSET is not set")));
  EXPECT_THAT(sink_errors("token_file = '/nonexistent'"),
              ElementsAre(HasSubstr("4:14: sink.a.token_file: the secret's file \"/nonexistent\": no such file")));
  EXPECT_THAT(sink_errors("token_file = 5"), ElementsAre(HasSubstr("4:14: sink.a.token_file: expected a string")));
  EXPECT_THAT(sink_errors("token_file = '/x'\ntoken = '${NFBUS_TEST_SECRET}'"), ElementsAre(HasSubstr("not both")));
}

TEST_F(Secrets, AreNeverPrinted) {
  ::setenv("NFBUS_TEST_SECRET", "HUNTER7", 1);  // does not match the pattern
  const Given given(sink_with("token_file = 'secret'"));
  given.write("secret", "HUNTER7");
  for (const auto& errors : {sink_errors("token = 'HUNTER7'"), sink_errors("token = ['HUNTER7']"),
                             sink_errors("token = '${NFBUS_TEST_SECRET}'"), given.errors()}) {
    EXPECT_EQ(errors.size(), 1U);
    EXPECT_THAT(errors, Each(Not(HasSubstr("HUNTER7"))));
  }
}

TEST_F(Secrets, AreSuggestedWithTheirFileKey) {
  EXPECT_THAT(sink_errors("token_fil = 'x'"), ElementsAre(HasSubstr("did you mean \"token_file\"?")));
}

}  // namespace
}  // namespace nfbus::test
