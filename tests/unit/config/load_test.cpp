#include "config/load.hpp"

#include "given.hpp"

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

namespace nfbus::test {
namespace {

using host::Action;
using host::Config;
using host::Extent;
using host::LoadedConfig;
using host::Overflow;
using host::TopicPattern;
using nlohmann::json;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

TEST(Configuration, TakesEveryKeyOverAndFillsInDefaults) {
  const Given given(R"(
[host]
device = "spr"
plugin_dirs = ["more", "/opt/p"]
topic_root = "t:"
user = "daemon"
[bus]
socket = "s.sock"
group = "g"
format = "ulogd"
payload = "full"
[[capture]]
group = 0
[[capture]]
group = 7
action = "blocked"
prefixes = [" Lan:"]
filters = ["quiet"]
snaplen = 100
latency_ms = 0
recv_buffer = 4096
[filter.quiet]
plugin = "sieve"
[sink.archive]
plugin = "files"
file = "/x"
[sink.other]
plugin = "files"
file = "/y"
topics = ["t:drop:"]
filters = ["quiet"]
queue = 5
queue_bytes = 65536
overflow = "drop_newest"
)");
  const LoadedConfig loaded = given.load();
  ASSERT_THAT(given.errors(), IsEmpty());
  const Config& config = loaded.config;
  EXPECT_EQ(config.host.device, "spr");
  EXPECT_THAT(config.host.plugin_dirs, ElementsAre(given.path("more"), "/opt/p"));
  EXPECT_EQ(config.host.topic_root, "t:");
  EXPECT_EQ(config.host.user, "daemon");
  EXPECT_TRUE(config.host.user_given);
  EXPECT_EQ(config.bus.socket, given.path("s.sock"));
  EXPECT_EQ(config.bus.format, host::kUlogdFormat);
  EXPECT_EQ(config.bus.payload, host::BusPayload::full);
  ASSERT_EQ(config.captures.size(), 2U);
  EXPECT_EQ(config.captures[0].action, Action::allowed);
  EXPECT_EQ(config.captures[0].latency_ms, host::defaults::kLatencyMs);
  EXPECT_EQ(config.captures[1].group, 7);
  EXPECT_EQ(config.captures[1].action, Action::blocked);
  EXPECT_THAT(config.captures[1].prefixes, ElementsAre("lan:"));
  EXPECT_THAT(config.captures[1].filters, ElementsAre("quiet"));
  EXPECT_EQ(config.captures[1].snaplen_bytes, 100U);
  EXPECT_EQ(config.captures[1].latency_ms, 0U);
  EXPECT_EQ(config.captures[1].recv_buffer_bytes, 4096U);
  EXPECT_EQ(config.captures[1].where.line, 14U);
  ASSERT_EQ(config.filters.size(), 1U);
  EXPECT_EQ(config.filters[0].plugin, "sieve");
  ASSERT_EQ(config.sinks.size(), 2U);
  EXPECT_EQ(config.sinks[0].name, "archive");
  EXPECT_EQ(config.sinks[0].queue_events, host::defaults::kQueueEvents);
  EXPECT_EQ(json::parse(config.sinks[0].options_json), json({{"file", "/x"}, {"format", "ulogd"}, {"flush", true}}));
  EXPECT_EQ(config.sinks[1].topics, (std::vector{TopicPattern("t:drop:", "t:", Extent::beginning)}));
  EXPECT_EQ(config.sinks[1].queue_events, 5U);
  EXPECT_EQ(config.sinks[1].queue_bytes, 65536U);
  EXPECT_EQ(config.sinks[1].overflow, Overflow::drop_newest);
}

TEST(Configuration, ReportsEveryMistakeInTheOrderOfTheFile) {
  EXPECT_THAT(
      errors_of("[hots]\na = 1\n[host]\ndevice = 5\nusr = 'x'\n[sink.a]\nplugin = 'files'\nfil = 'x'\n"),
      ElementsAre("1:2: hots: unknown key; did you mean \"host\"?",
                  "4:10: host.device: expected a string, found an integer",
                  "5:1: host.usr: unknown key; did you mean \"user\"?", "6:1: sink.a.file: this key is required",
                  "8:1: sink.a.fil: unknown key; did you mean \"file\"?"));
}

TEST(Configuration, NamesTheRangeOfANumber) {
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 70000\nlatency_ms = -1\nrecv_buffer = 1.5\nsnaplen = inf\n"),
              ElementsAre("2:9: capture[0].group: 70000 is out of range; it must be 0 to 65535",
                          "3:14: capture[0].latency_ms: -1 is out of range; it must be 0 to 10000 ms",
                          "4:15: capture[0].recv_buffer: expected an integer, found a float",
                          "5:11: capture[0].snaplen: inf and nan are of no use here; give a finite number"));
}

TEST(Configuration, NamesTheChoices) {
  EXPECT_THAT(errors_of("[bus]\nformat = 'ulog'\n[[capture]]\ngroup = 1\naction = 'deny'\n"),
              ElementsAre("2:10: bus.format: must be \"packet\" or \"ulogd\", found \"ulog\"; did you mean \"ulogd\"?",
                          "5:10: capture[0].action: must be \"allowed\" or \"blocked\", found \"deny\""));
}

TEST(Configuration, RefusesOneGroupInTwoCaptures) {
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\n[[capture]]\ngroup = 1\n"),
              ElementsAre("4:9: capture[1].group: group 1 is captured already, at line 2; each group has one capture"));
}

TEST(Configuration, KnowsWhatTheMissionsGroupsMeanAndNoOthers) {
  Given given("[[capture]]\ngroup = 1\n[[capture]]\ngroup = 0\n");
  const LoadedConfig loaded = given.load();
  ASSERT_EQ(loaded.config.captures.size(), 2U);
  EXPECT_EQ(loaded.config.captures[0].action, Action::blocked);
  EXPECT_EQ(loaded.config.captures[1].action, Action::allowed);
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 0\n[[capture]]\ngroup = 2\n"),
              ElementsAre(AllOf(StartsWith("3:1: capture[1].action: group 2 needs one"),
                                HasSubstr("action = \"allowed\" or \"blocked\""))));
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 2\naction = 'deny'\n"), ElementsAre(HasSubstr("must be \"allowed\"")));
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 2\naction = 'allowed'\n"), IsEmpty());
}

TEST(Configuration, SaysWhereAMisplacedKeyBelongs) {
  for (const char* const groups : {"[0, 1]", "'0,1'", "'0-3'"}) {
    EXPECT_THAT(errors_of(std::string("[[capture]]\ngroup = ") + groups + "\n"),
                ElementsAre(HasSubstr("; write one number, and a [[capture]] for each group")));
  }
  EXPECT_THAT(
      errors_of("[[capture]]\ngroup = 1\nsink.a.plugin = 'files'\n"),
      ElementsAre(AllOf(StartsWith("3:1: capture[0].sink: unknown key"), HasSubstr("[sink.NAME] on a line alone"))));
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\ncapture.action = 'blocked'\n"),
              ElementsAre(HasSubstr("its keys stand alone")));
  EXPECT_THAT(errors_of("[host]\nbus.socket = '/x'\n[[capture]]\ngroup = 1\n"),
              ElementsAre(AllOf(StartsWith("2:1: host.bus"), HasSubstr("[bus] on a line alone"))));
}

TEST(Configuration, SaysTheNumberOrWordToWrite) {
  EXPECT_THAT(sink_errors("queue_bytes = '10MB'\n"),
              ElementsAre(HasSubstr("found a string; write 10000000, or 10485760 for MiB")));
  EXPECT_THAT(sink_errors("queue = '64k'\n"), ElementsAre(testing::EndsWith("; write 64000")));
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\nlatency_ms = '2 s'\n"), ElementsAre(HasSubstr("; write 2000")));
  EXPECT_THAT(errors_of("[[capture]]\nnflog_group = 1\ngroup = 1\n"),
              ElementsAre(HasSubstr("did you mean \"group\"?")));
  EXPECT_THAT(sink_errors("path = '/x'\n"), ElementsAre(HasSubstr("did you mean \"file\"?")));
}

TEST(Configuration, WantsTheGroupOfACapture) {
  EXPECT_THAT(errors_of("[[capture]]\naction = 'blocked'\n"),
              ElementsAre("1:1: capture[0].group: this key is required"));
}

TEST(Configuration, SuggestsPluginsAndSaysWhereItLooked) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'file'\n"),
              ElementsAre("2:10: sink.a.plugin: no plugin \"file\" in /plugins, /gone; did you mean \"files\"?; "
                          "/gone: no such folder"));
}

TEST(Configuration, SaysWhyTheFileOfAPluginWasRefused) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'broken'\n"),
              ElementsAre(HasSubstr("/plugins/broken.so: is not a shared object")));
}

TEST(Configuration, RefusesAFilterAsASink) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'sieve'\n[filter.b]\nplugin = 'files'\n"),
              ElementsAre("2:10: sink.a.plugin: \"sieve\" is a filter; name it under [filter.NAME]",
                          "4:10: filter.b.plugin: \"files\" is a sink; name it under [sink.NAME]"));
}

TEST(Configuration, RefusesFiltersThatAreNotDeclared) {
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\nfilters = ['quiet', 'quite']\n[filter.quiet]\nplugin = 'sieve'\n"),
              ElementsAre("3:21: capture[0].filters[1]: there is no [filter.quite]; did you mean \"quiet\"?"));
}

TEST(Configuration, RefusesBadNamesOfInstances) {
  EXPECT_THAT(errors_of("[sink.'a b']\nplugin = 'files'\nfile = '/x'\n"),
              ElementsAre("1:7: sink.\"a b\": a name has 1 to 64 letters of A-Z, a-z, 0-9, _ and -"));
}

TEST(Configuration, RefusesEmptyTopicsAndPrefixes) {
  EXPECT_THAT(sink_errors("topics = ['']"),
              ElementsAre("4:11: sink.a.topics[0]: is empty; leave topics out to get every packet topic"));
  EXPECT_THAT(sink_errors("topics = []"), ElementsAre(HasSubstr("lists nothing")));
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\nprefixes = [' ']\n"), ElementsAre(HasSubstr("prefixes[0]: is empty")));
}

TEST(Configuration, ShowsHowTablesAreWritten) {
  EXPECT_THAT(errors_of("[capture]\ngroup = 1\n"), ElementsAre(HasSubstr("write [[capture]]")));
  EXPECT_THAT(errors_of("[sink]\nplugin = 'files'\n"), ElementsAre(HasSubstr("write [sink.NAME]")));
  EXPECT_THAT(sink_errors("topics = 'nft:'"),
              ElementsAre("4:10: sink.a.topics: expected an array of strings, found a string; write [\"nft:\"]"));
}

TEST(Configuration, RefusesTheHostsOwnTopicRoot) {
  EXPECT_THAT(errors_of("[host]\ntopic_root = 'nfbus:x'\n[[capture]]\ngroup = 1\n"),
              ElementsAre(HasSubstr("2:14: host.topic_root: topics under \"nfbus:\"")));
}

TEST(Configuration, ReportsAPluginFolderThatCannotBeUsed) {
  EXPECT_THAT(errors_of("[host]\nplugin_dirs = ['/plugins', '/gone']\n[[capture]]\ngroup = 1\n"),
              ElementsAre("2:28: host.plugin_dirs[1]: no such folder"));
}

TEST(Configuration, MustHaveSomethingToDoUnlessItReplays) {
  const Given given("[host]\ndevice = 'a'\n");
  EXPECT_THAT(given.errors(), ElementsAre(HasSubstr("neither a [[capture]] nor a [sink.NAME]")));
  EXPECT_THAT(given.load(true).errors, IsEmpty());
}

TEST(Configuration, SaysThatAnEmptyFileIsEmpty) {
  EXPECT_THAT(errors_of("# nothing\n"), ElementsAre(HasSubstr("empty")));
}

TEST(Configuration, RefusesPathsThatNoSocketCanHave) {
  EXPECT_THAT(errors_of("[bus]\nsocket = '/" + std::string(120, 'x') + "'\n[[capture]]\ngroup = 1\n"),
              ElementsAre(HasSubstr("bus.socket: a socket's path has at most 107 bytes")));
}

TEST(ConfigurationFile, IsNamedWhenItCannotBeRead) {
  const Given given("");
  const auto error = [](const std::string& file) {
    const LoadedConfig loaded = host::load_config(host::read_config_file(file, false), plugins(), {});
    return loaded.errors.size() == 1 ? to_string(loaded.errors[0]) : "not one error";
  };
  EXPECT_THAT(error(given.path("none.toml")), HasSubstr(given.path("none.toml") + ": no such file; name another"));
  EXPECT_THAT(error(given.path("")), HasSubstr("is a directory"));
  EXPECT_THAT(error("/dev/null"), HasSubstr("/dev/null: is not a regular file"));
  ASSERT_EQ(::mkfifo(given.path("fifo").c_str(), 0600), 0);
  EXPECT_THAT(error(given.path("fifo")), HasSubstr("is not a regular file"));
  given.write("large", std::string(1100000, '\n'));
  EXPECT_THAT(error(given.path("large")), HasSubstr("is larger than the 1024 KiB"));
}

TEST(Configuration, NamesAUserWhoDoesNotExistButNotTheDefaultOne) {
  const std::string good = "[[capture]]\ngroup = 1\n[host]\n";
  EXPECT_THAT(Given(good + "user = 'no-such-user'\n").errors(),
              ElementsAre("4:8: host.user: there is no user no-such-user: create it (useradd --system no-such-user) or "
                          "remove the key"));
  EXPECT_THAT(Given(good + "user = 'nfbus'\n").errors(), IsEmpty());
}

TEST(ConfigurationFile, GivesUserAndPluginFoldersEvenWhenTheRestIsWrong) {
  const Given given("[host]\nplugin_dirs = ['p', 5]\nnonsense = 1\nuser = 'me'\n");
  const host::EarlyConfig early = host::read_early_config(host::read_config_file(given.path("c.toml"), false));
  EXPECT_THAT(early.plugin_folders, ElementsAre(host::builtin_plugin_folders().front(), given.path("p")));
  EXPECT_EQ(early.user, "me");
  EXPECT_TRUE(early.user_given);
  EXPECT_THAT(host::read_early_config(host::read_config_file(given.path("none"), false)).plugin_folders,
              ElementsAre(host::builtin_plugin_folders().front()));
}

}  // namespace
}  // namespace nfbus::test
