#include "config/doubts.hpp"

#include "given.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <string>

namespace nfbus::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr char kPackets[] = "[sink.a]\nplugin = 'files'\nfile = '/x'\n";
constexpr char kBoth[] = "[sink.a]\nplugin = 'log'\nfile = '/x'\n";
constexpr char kLan[] = "[[capture]]\ngroup = 1\nprefixes = ['lan:', 'WAN *']\n";

std::vector<std::string> of_topics(const std::string& sink, const std::string& topics, const std::string& more = {}) {
  return warnings_of(sink + "topics = [" + topics + "]\n" + more);
}

TEST(Doubts, AreNoneAboutWhatWorks) {
  EXPECT_THAT(warnings_of(std::string(kPackets) + "[[capture]]\ngroup = 1\n"), IsEmpty());
  EXPECT_THAT(of_topics(kPackets, "'nft:lan:in', 'nft:', 'nf', '*', 'NFT:Lan:', 'nft:wan up', 'nft:*x'", kLan),
              IsEmpty());
  EXPECT_THAT(of_topics(kBoth, "'web:', 'nfbus:', 'dns:serve:', 'nft:Drop:'", "[[capture]]\ngroup = 1\n"), IsEmpty());
}

TEST(Doubts, AreAboutTopicsThatNoPacketHas) {
  EXPECT_THAT(of_topics(kPackets, "'Drop:', 'nft:x'"),
              ElementsAre("4:11: sink.a.topics[0]: no packet has such a topic: those of packets begin with \"nft:\"; "
                          "write \"nft:Drop:\""));
  EXPECT_THAT(of_topics(kPackets, "'web:'"), ElementsAre(HasSubstr("no packet has")));
  EXPECT_THAT(of_topics(kBoth, "'drop:'"), ElementsAre(HasSubstr("only messages have such a topic")));
  EXPECT_THAT(of_topics(kBoth, "'fritz:'", "[[capture]]\ngroup = 1\nprefixes = ['fritz:']\n"),
              ElementsAre(HasSubstr("write \"nft:fritz:\"")));
  EXPECT_THAT(of_topics(kBoth, "'NFBUS:sink'"), ElementsAre(HasSubstr("write \"nfbus:sink\"")));
  EXPECT_THAT(of_topics(kPackets, "'" + std::string(140, 'x') + "'"), ElementsAre(HasSubstr("no packet has")));
  EXPECT_THAT(of_topics(kPackets, "'nft:" + std::string(128, 'x') + "'"), ElementsAre(HasSubstr("127 bytes")));
  EXPECT_THAT(of_topics(kPackets, "'nft:" + std::string(127, 'x') + "'"), IsEmpty());
  EXPECT_THAT(of_topics(kPackets, "'nft:drop:'", "[host]\ntopic_root = 'fw/'\n"),
              ElementsAre(HasSubstr("begin with \"fw/\"")));
}

TEST(Doubts, AreAboutTopicsThatTheCapturesHoldBack) {
  EXPECT_THAT(of_topics(kPackets, "'nft:drop:', 'nft:wan:'", kLan),
              ElementsAre(AllOf(StartsWith("4:11: sink.a.topics[0]: no packet"), HasSubstr("\"lan:\", \"wan \"")),
                          StartsWith("4:24: sink.a.topics[1]: no packet")));
  EXPECT_THAT(of_topics(kPackets, "'nft:drop:'", std::string(kLan) + "[[capture]]\ngroup = 0\n"), IsEmpty());
  // A filter may give packets other topics.
  EXPECT_THAT(
      of_topics(kPackets, "'nft:drop:', 'x'", std::string(kLan) + "filters = ['f']\n[filter.f]\nplugin = 'sieve'\n"),
      IsEmpty());
}

TEST(Doubts, AreAboutPrefixesThatNoRuleHas) {
  EXPECT_THAT(warnings_of(std::string(kPackets) + "[[capture]]\ngroup = 1\nprefixes = ['Nft:lan:', 'lan:', '" +
                          std::string(128, 'x') + "']\n"),
              ElementsAre(AllOf(StartsWith("6:13: capture[0].prefixes[0]: "), HasSubstr("write \"lan:\"")),
                          AllOf(StartsWith("6:33: capture[0].prefixes[2]: "), HasSubstr("127 bytes"))));
}

TEST(Doubts, AreAboutFiltersThatNobodyNames) {
  const std::string filters =
      "[filter.a]\nplugin = 'sieve'\n[filter.b]\nplugin = 'sieve'\n[filter.c]\nplugin = 'sieve'\n"
      "[filter.d]\nplugin = 'sieve'\n";
  EXPECT_THAT(warnings_of(filters + "[bus]\nfilters = ['a']\n[[capture]]\ngroup = 1\nfilters = ['b']\n" + kPackets +
                          "filters = ['c']\n"),
              ElementsAre(AllOf(StartsWith("7:9: filter.d: is not used"), HasSubstr("filters = [\"d\"]"))));
}

TEST(Doubts, AreAboutCapturesWithoutASink) {
  EXPECT_THAT(warnings_of("[[capture]]\ngroup = 1\n"),
              ElementsAre(AllOf(StartsWith("1:"), HasSubstr("no [sink.NAME]"))));
  EXPECT_THAT(warnings_of("[bus]\n[[capture]]\ngroup = 1\n"), IsEmpty()) << "its clients are meant";
}

TEST(Doubts, AreAboutSocketsInNoFolder) {
  const auto of = [](const std::string& socket) {
    return warnings_of(std::string(kPackets) + "[bus]\nsocket = '" + socket + "'\n");
  };
  EXPECT_THAT(of("no/such/s"), ElementsAre(AllOf(StartsWith("5:10: bus.socket: there is no folder "),
                                                 HasSubstr("/no, to make"), HasSubstr("mkdir -p "))));
  EXPECT_THAT(of("made/s"), IsEmpty());
  EXPECT_THAT(of("s"), IsEmpty());
  EXPECT_THAT(of("/s"), IsEmpty());
}

TEST(Doubts, AreAboutTextsThatNothingExpands) {
  ::setenv("HOME", "/home/x", 1);
  const auto of_file = [](const std::string& file) {
    return warnings_of("[sink.a]\nplugin = 'log'\nfile = '" + file + "'\n");
  };
  EXPECT_THAT(of_file("~/out"),
              ElementsAre(AllOf(StartsWith("3:8: sink.a.file: ~ is"), HasSubstr("write /home/x in its place"))));
  EXPECT_THAT(of_file("~bob/out"), ElementsAre(HasSubstr("~bob is no home folder")));
  EXPECT_THAT(of_file("/log/${NAME}.json"), ElementsAre(HasSubstr("${NAME} in it stays as it is")));
  EXPECT_THAT(of_file("$HOME/out"), ElementsAre(HasSubstr("$HOME in it stays as it is")));
  EXPECT_THAT(warnings_of("[sink.a]\nplugin = 'files'\nfile = '/x'\ntoken_file = '~/secret'\n"),
              ElementsAre(HasSubstr("4:14: sink.a.token_file: ~ is no home folder")))
      << "why it is wrong";
  for (const char* const file : {"/a~/b", "out~", "/a$b", "/${", "/${}", "/a/$x/y"})
    EXPECT_THAT(of_file(file), IsEmpty()) << file;
  EXPECT_THAT(warnings_of(std::string(kPackets) + "[host]\nplugin_dirs = ['~/p']\n[bus]\nsocket = '~/s'\n"),
              ElementsAre(StartsWith("5:16: host.plugin_dirs[0]: ~ is"), StartsWith("7:10: bus.socket: ~ is")));
}

TEST(Doubts, AreAboutNetworksOfMatches) {
  EXPECT_THAT(warnings_of(std::string(kPackets) + "when = [{ src = ['::1', '10.0.0.1/8'] }]\n"),
              ElementsAre(AllOf(StartsWith("4:25: sink.a.when[0].src[1]: "), HasSubstr("\"10.0.0.0/8\""))));
  EXPECT_THAT(errors_of(std::string(kPackets) + "when = { src = '10.0.0.1/8' }\n"), IsEmpty());
}

TEST(OptionPaths, TakeDatesOnlyWhereTheyBecomeSome) {
  const auto of = [](const std::string& keys) { return warnings_of("[sink.a]\nplugin = 'log'\n" + keys); };
  EXPECT_THAT(of("file = '/x-%F'\n"),
              ElementsAre(AllOf(StartsWith("3:8: sink.a.file: \"%F\""), HasSubstr("rotate_s or rotate"))));
  EXPECT_THAT(of("file = '/x-%F'\nrotate_s = 0\nrotate = false\n"), ElementsAre(HasSubstr("%F")));
  EXPECT_THAT(of("file = '/x-%F'\nrotate_s = 5\n"), IsEmpty());
  EXPECT_THAT(of("file = '/x-%F'\nrotate = true\n"), IsEmpty());
  EXPECT_THAT(of("file = '/x-100%'\ndated = '/y-%H'\n"), IsEmpty());
  EXPECT_THAT(warnings_of("[sink.a]\nplugin = 'files'\nfile = '/x-%Y'\n"),
              ElementsAre(HasSubstr("puts no dates into it")));
}

TEST(OptionPaths, KnowOptionsThatAreOfNoUseAlone) {
  EXPECT_THAT(warnings_of("[sink.a]\nplugin = 'log'\nfile = '/x'\nkeep = 9\n"),
              ElementsAre("4:1: sink.a.keep: is of no use without rotate_s or rotate"));
  EXPECT_THAT(warnings_of("[sink.a]\nplugin = 'log'\nfile = '/x'\nkeep = 9\nrotate_s = 1\n"), IsEmpty());
}

TEST(OptionPaths, RefuseWhatIsNoPath) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'log'\nfile = '-'\n"), IsEmpty());
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'files'\nfile = '-'\n"),
              ElementsAre(AllOf(StartsWith("3:8: sink.a.file: "), HasSubstr("standard output"), HasSubstr("\"./-\""))));
  EXPECT_THAT(sink_errors("certificate = '-'\n"), ElementsAre(HasSubstr("4:15: sink.a.certificate: \"-\" is no path")));
  EXPECT_THAT(sink_errors("places = ['a', \"b\\u0000c\"]\n"),
              ElementsAre(AllOf(StartsWith("4:16: sink.a.places[1]: "), HasSubstr("NUL"))));
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'log'\nfile = \"/x\\u0000\"\n"), ElementsAre(HasSubstr("NUL")));
  EXPECT_THAT(errors_of(std::string(kPackets) + "[bus]\nsocket = '-'\n"),
              ElementsAre(HasSubstr("bus.socket: \"-\" is no path")));
  EXPECT_THAT(sink_errors("token_file = '-'\n"), ElementsAre(HasSubstr("\"-\" is no file")));
}

TEST(OptionPaths, StartAtTheConfigurationsFolder) {
  const Given given("[sink.a]\nplugin = 'files'\nfile = 'out/x'\n");
  ASSERT_THAT(given.errors(), IsEmpty());
  EXPECT_THAT(given.load().config.sinks.at(0).options_json, HasSubstr(given.path("out/x")));
}

TEST(OptionPaths, KnowStreamsThatTwoWriteTo) {
  const std::string two = "[sink.a]\nplugin = 'log'\nfile = '-'\n[sink.b]\nplugin = 'log'\nfile = '-'\n";
  EXPECT_THAT(warnings_of(two), ElementsAre(AllOf(StartsWith("6:8: sink.b.file: sink.a.file writes to it, too"))));
  EXPECT_THAT(errors_of(two), IsEmpty());
  const Given fifo("[sink.a]\nplugin = 'log'\nfile = 'f'\n[sink.b]\nplugin = 'log'\nfile = './f'\n");
  ASSERT_EQ(::mkfifo(fifo.path("f").c_str(), 0600), 0);
  EXPECT_THAT(fifo.warnings(), ElementsAre(HasSubstr("writes to it, too")));
  EXPECT_THAT(
      warnings_of("[sink.a]\nplugin = 'log'\nfile = '/dev/null'\n[sink.b]\nplugin = 'log'\nfile = '/dev/null'\n"),
      IsEmpty());
}

TEST(OptionPaths, LetNobodyWriteToWhatTheHostReads) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'log'\nfile = 'c.toml'\n"),
              ElementsAre(HasSubstr("a file that nfbus reads")));
  const Given given("[sink.a]\nplugin = 'files'\nfile = 'secret'\ntoken_file = 'secret'\n");
  given.write("secret", "abc");
  EXPECT_THAT(given.errors(), ElementsAre(HasSubstr("a file that nfbus reads")));
}

TEST(OptionPaths, TellWhoCanReadASecret) {
  const Given given(std::string(kPackets) + "token_file = 'secret'\n");
  given.write("secret", "abc");
  const std::string file = given.path("secret");
  const std::string folder = file.substr(0, file.rfind('/'));
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_THAT(given.warnings(),
              ElementsAre(AllOf(StartsWith("4:14: sink.a.token_file: "), HasSubstr("chmod o-rwx " + file))));
  ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
  EXPECT_THAT(given.warnings(), IsEmpty());
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder.c_str(), 0700), 0);
  EXPECT_THAT(given.warnings(), IsEmpty()) << "nobody gets there";
}

}  // namespace
}  // namespace nfbus::test
