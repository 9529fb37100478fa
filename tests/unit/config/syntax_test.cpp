#include "config/syntax.hpp"

#include "given.hpp"

#include <gmock/gmock.h>

namespace nfbus::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::string_view kGood = "[[capture]]\ngroup = 1\n";

TEST(Syntax, ShowsBothPlacesOfAKeyThatIsDefinedTwice) {
  EXPECT_THAT(errors_of("[host]\ndevice = 'a'\n\ndevice = 'b'\n"),
              ElementsAre("4:1: host.device: defined a second time; first at line 2, column 1"));
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\n[[capture]]\n\"group\" = 2\nx = [\n[1],\n]\n \"group\" = 3\n"),
              ElementsAre("8:2: capture.\"group\": defined a second time; first at line 4, column 1"));
  EXPECT_THAT(errors_of("a.b = 1\na.b = 2\n"),
              ElementsAre(StartsWith("2:1: a.b: defined a second time; first at line 1")));
  EXPECT_THAT(errors_of("a = 1\na.b = 2\n"),
              ElementsAre(StartsWith("2:1: a.b: defined a second time; first at line 1")));
}

TEST(Syntax, ShowsBothPlacesOfATableThatIsDefinedTwice) {
  EXPECT_THAT(errors_of("[sink.a]\nplugin = 'x'\n[host]\n[sink.a]\n"),
              ElementsAre("4:1: sink.a: defined a second time; first at line 1, column 1"));
  EXPECT_THAT(errors_of("[sink.'a']\n\n[[sink.'a']]\n"),
              ElementsAre("3:1: sink.'a': defined a second time; first at line 1, column 1"));
}

TEST(Syntax, ShowsTheSecondPlaceInAnInlineTable) {
  EXPECT_THAT(errors_of("a = {b = 1, b = 2}\n"), ElementsAre("1:13: b: defined a second time"));
}

TEST(Syntax, IsExplainedInPlainWords) {
  EXPECT_THAT(errors_of("[host]\ndevice = spr\n"),
              ElementsAre(HasSubstr("2:10: this is not a TOML value; texts stand in quotes")));
  for (const char* half : {"t", "fals", "-i", "na"}) {
    EXPECT_THAT(errors_of(std::string("a = ") + half + "\nb = 1\n"),
                ElementsAre(AllOf(StartsWith("1:"), HasSubstr("this is not a TOML value"), Not(HasSubstr("\n")))))
        << half;
  }
  EXPECT_THAT(errors_of("[host]\ndevice =\n"), ElementsAre(HasSubstr("2:9: the value is missing")));
  EXPECT_THAT(errors_of("[host]\nplugin_dirs = ['a'\n"), ElementsAre(HasSubstr("ends before this is complete")));
  EXPECT_THAT(errors_of("device\n"), ElementsAre(HasSubstr("expected KEY = VALUE")));
  EXPECT_THAT(errors_of("a = 'x\n'\n"), ElementsAre(HasSubstr("is the closing quote missing?")));
}

TEST(Syntax, SaysHowToWriteWhatOthersWriteWithoutQuotes) {
  const auto line = [](const std::string& text) {
    const auto errors = errors_of(text + "\n");
    return errors.size() == 1 ? errors.front() : std::to_string(errors.size()) + " errors";
  };
  EXPECT_THAT(line("!dport = 80"), AllOf(StartsWith("1:1: "), HasSubstr("\"!dport\" = VALUE")));
  EXPECT_THAT(line("drop = [{ proto = 'udp', !dport = 80 }]"), AllOf(StartsWith("1:26: "), HasSubstr("\"!dport\"")));
  EXPECT_THAT(line("keep = [{ 'ä' = 'ö', !dport = 80 }]"), HasSubstr("\"!dport\""));
  EXPECT_THAT(line("drop = [{ dport != 80 }]"), HasSubstr("\"!dport\" = VALUE"));
  EXPECT_THAT(line("drop = [{ proto = 'udp',\n dport = 5 }]"),
              AllOf(StartsWith("1:"), HasSubstr("stands on one line")));
  EXPECT_THAT(line("drop = {\n}"), HasSubstr("stands on one line"));
  EXPECT_THAT(line("drop = { a = 1, # why\n}"), HasSubstr("stands on one line"));
  EXPECT_THAT(line("drop = { a = 1, }"), HasSubstr("no comma stands before a }"));
  EXPECT_THAT(line("rotate_bytes = 10MB"),
              AllOf(StartsWith("1:16: "), HasSubstr("write 10000000, or 10485760 for MiB")));
  EXPECT_THAT(line("rotate_bytes = 10MiB"), HasSubstr("write 10485760"));
  EXPECT_THAT(line("rotate_age_s = 7d"), HasSubstr("write 604800"));
  EXPECT_THAT(line("latency_ms = 2s"), HasSubstr("write 2000"));
  EXPECT_THAT(line("x = { a = 1, rotate_age_s = 1h }"), HasSubstr("write 3600"));
  EXPECT_THAT(line("dport = 80,443"), AllOf(StartsWith("1:9: "), HasSubstr("a list is written [80, 443]")));
  EXPECT_THAT(line("keep = [{ dport = 80,443 }]"), HasSubstr("[80, 443]"));
  EXPECT_THAT(line("keep = [{ dport = 80,443, proto = 'tcp' }]"), HasSubstr("[80, 443]"));
  EXPECT_THAT(line("keep = [{ dport = { 80, 443 } }]"), HasSubstr("[80, 443]"));
  EXPECT_THAT(line("dport = 1000:2000"), HasSubstr("\"1000-2000\""));
  EXPECT_THAT(line("dport = [80, 1000-2000]"), HasSubstr("\"1000-2000\""));
  EXPECT_THAT(line("dport = [80, ssh]"), AllOf(StartsWith("1:14: "), HasSubstr("in quotes: \"ssh\"")));
  EXPECT_THAT(line("src = 10.0.0.0/8  # ours"), AllOf(StartsWith("1:7: "), HasSubstr("in quotes: \"10.0.0.0/8\"")));
  EXPECT_THAT(line("tcp_flags = SYN|ACK"), HasSubstr("in quotes: \"SYN|ACK\""));
  EXPECT_THAT(line("file = /var/log/x"), HasSubstr("in quotes: \"/var/log/x\""));
  EXPECT_THAT(line("file = \u201c/x\u201d"), HasSubstr("plain ones"));
  EXPECT_THAT(line("; comment"), HasSubstr("a comment begins with #"));
  EXPECT_THAT(line("// comment"), HasSubstr("a comment begins with #"));
}

TEST(Syntax, KnowsAConfigurationOfUlogd) {
  EXPECT_THAT(errors_of("[global]\nlogfile=\"/var/log/ulogd.log\"\n\nstack=log1:NFLOG,base1:BASE\n[log1]\ngroup=0\n"),
              ElementsAre(AllOf(StartsWith("4:1: "), HasSubstr("configuration of ulogd2"), HasSubstr("[[capture]]"))));
  EXPECT_THAT(
      errors_of("[global]\nplugin=\"/usr/lib/ulogd/ulogd_inppkt_NFLOG.so\"\nplugin=\"/usr/lib/ulogd/ulogd_x.so\"\n"),
      ElementsAre(AllOf(StartsWith("2:1: "), HasSubstr("configuration of ulogd2"))));
  EXPECT_THAT(errors_of("# stack=log1:NFLOG,base1:BASE\n[[capture]]\ngroup = 1\n"), IsEmpty());
  EXPECT_THAT(errors_of("[[capture]]\ngroup = 1\nstack = 'a:b'\n"), ElementsAre(HasSubstr("unknown key")));
}

TEST(Syntax, RefusesWhatIsNotText) {
  EXPECT_THAT(errors_of("[host]\ndevice = '\xff'\n"), ElementsAre(HasSubstr("this is not UTF-8 text")));
  EXPECT_THAT(errors_of(std::string_view("a = 'x\0y'", 9)), ElementsAre(StartsWith("1:")));
  EXPECT_THAT(errors_of(std::string_view("\0\0\0\0", 4)), ElementsAre(StartsWith("1:1:")));
  EXPECT_THAT(errors_of("\xff\xfe[\0h\0"), ElementsAre("1:1: this is not UTF-8 text"));
}

TEST(Syntax, TakesAByteOrderMarkAndWindowsLineEnds) {
  EXPECT_THAT(errors_of("\xef\xbb\xbf[[capture]]\r\ngroup = 1\r\n"), IsEmpty());
}

TEST(Syntax, BoundsNesting) {
  std::string key = "a";
  for (int i = 0; i < 100000; ++i) key += ".a";
  EXPECT_THAT(errors_of(key + " = 1"), ElementsAre("1:34: more than 16 dots in one key"));
  EXPECT_THAT(errors_of("\n[" + key + "]"), ElementsAre("2:35: more than 16 dots in one key"));
  EXPECT_THAT(errors_of("a = " + std::string(100000, '[')), ElementsAre(HasSubstr("more than 256 levels deep")));
  std::string tables = "x = ";
  for (int i = 0; i < 250; ++i) tables += "{a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = ";
  EXPECT_THAT(errors_of(tables + "1" + std::string(250, '}')), testing::Contains(HasSubstr("x: unknown key")));
}

TEST(Syntax, CountsNoDotsOutsideOfKeys) {
  const std::string dots(100, '.');
  EXPECT_THAT(errors_of(std::string(kGood) + "# " + dots + "\nprefixes = ['" + dots + "', \"\\\"" + dots + "\", '''\n" +
                        "x" + dots + "''']\n"),
              IsEmpty());
}

}  // namespace
}  // namespace nfbus::test
