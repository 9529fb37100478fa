// notifications.json: by hand, by HTTP, and both at once.
#include "rules_fixture.hpp"

#include "rules/text.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <set>

namespace rules::test {
namespace {

// No file grows any more.
class FullDisk {
 public:
  FullDisk() : before_signal_(std::signal(SIGXFSZ, SIG_IGN)) {
    (void)::getrlimit(RLIMIT_FSIZE, &before_);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before_.rlim_max};
    (void)::setrlimit(RLIMIT_FSIZE, &none);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;
  ~FullDisk() {
    (void)::setrlimit(RLIMIT_FSIZE, &before_);
    (void)std::signal(SIGXFSZ, before_signal_);
  }

 private:
  void (*before_signal_)(int);
  struct rlimit before_ {};
};

class RuleFile : public RulesTest {
 protected:
  [[nodiscard]] std::set<std::string> names_in_folder() const {
    std::set<std::string> out;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) out.insert(entry.path().filename());
    return out;
  }
};

std::string own(const std::string& name, unsigned port = 22) {
  return R"({"name":")" + name + R"(","match":{"dport":)" + std::to_string(port) + R"(},"cooldown_s":0})";
}
const std::string kNotification = R"({"Conditions":{"DstPort":80},"Notification":true})";
const std::string kAlert =
    R"({"TopicPrefix":"nft:","Name":"A","Actions":[{"SendNotification":true}],"MyOwnKey":{"b":1,"a":2}})";

TEST_F(RuleFile, ThatIsNotThereHoldsNoRules) {
  start();
  ASSERT_THAT(logged(), SizeIs(1));
  EXPECT_THAT(logged()[0], HasSubstr(file() + " is not there"));
  EXPECT_EQ(book_->overview(), "[]");
  EXPECT_EQ(get(Shape::rules).body, "[]");
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_EQ(put(Shape::rules, own("a")).status, 200);
  EXPECT_EQ(json::parse(read()).size(), 1U);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(RuleFile, HoldsAllShapesAndCountsEachFromZero) {
  start("[" + own("a") + ",\n" + kNotification + "," + kAlert + "," + own("b") + "]");
  EXPECT_EQ(json::parse(get(Shape::rules).body), json::parse("[" + own("a") + "," + own("b") + "]"));
  EXPECT_EQ(json::parse(get(Shape::notifications).body), json::parse("[" + kNotification + "]"));
  EXPECT_EQ(get(Shape::alerts).body, "[" + kAlert + "]");
  EXPECT_EQ(json::parse(put(Shape::rules, 1, own("c")).body)[1]["name"], "c");
  EXPECT_EQ(json::parse(remove(Shape::rules, 0).body), json::parse("[" + own("c") + "]"));
  EXPECT_EQ(json::parse(read()).size(), 3U);
  EXPECT_THAT(read(), HasSubstr(kAlert));  // byte for byte
}

TEST_F(RuleFile, KeepsARuleThatIsWrong) {
  const std::string text = "[" + own("a") + R"(,{"name":"b","match":{"dts":"10.0.0.1"}}, {"what":1,"else":2}, 5,)" +
                           own("c") + R"(,{"match":{},"name":"d","name":"e"}])";
  start(text);
  EXPECT_EQ(read(), text);
  ASSERT_EQ(overview().size(), 6U);
  EXPECT_EQ(overview()[1]["index"], 1);
  EXPECT_EQ(overview()[2]["shape"], "unknown");
  EXPECT_THAT(overview()[2].value("error", ""), ::testing::StartsWith(R"(has the keys "what", "else": a rule has)"));
  EXPECT_EQ(overview()[4]["index"], 2);
  EXPECT_EQ(overview()[5]["error"], R"(the key "name" stands in an object twice)");
  ASSERT_THAT(logged(), SizeIs(4));
  EXPECT_THAT(logged()[0], ::testing::StartsWith(file() + ": rules 1: match.dts: unknown key"));
  wait(2);
  write(text + "\n");
  wait(2);
  EXPECT_THAT(logged(), SizeIs(4));  // said once
  packet();
  EXPECT_THAT(take(), SizeIs(2));
  EXPECT_EQ(put(Shape::rules, 0, own("a2")).status, 200);
  EXPECT_THAT(read(), HasSubstr(R"({"name":"b","match":{"dts":"10.0.0.1"}})"));
  EXPECT_THAT(read(), HasSubstr(R"({"match":{},"name":"d","name":"e"})"));
  EXPECT_EQ(put(Shape::rules, 1, own("b")).status, 200);
  EXPECT_FALSE(overview()[1].contains("error"));
}

TEST_F(RuleFile, ThatIsBrokenLeavesTheRulesInForceAndIsNotWrittenOver) {
  start("[" + own("a") + "]");
  for (const std::string& broken :
       {std::string("[\n  {\"name\": }\n]"), std::string("{}"), std::string(), std::string("[1]\0", 4),
        std::string("[\"\xff\"]"), '[' + std::string(5'000'000, ' ') + ']', std::string(1000, '[')}) {
    logged().clear();
    write(broken);
    wait(1);
    ASSERT_THAT(logged(), SizeIs(1)) << broken.substr(0, 20);
    EXPECT_THAT(logged()[0], ::testing::StartsWith(file()));
    EXPECT_THAT(logged()[0], HasSubstr("the rules in force stay"));
    EXPECT_FALSE(book_->file_error().empty());
    packet();
    EXPECT_THAT(take(), SizeIs(1));
    const Answer answer = put(Shape::rules, own("b"));
    EXPECT_EQ(answer.status, 409);
    EXPECT_THAT(answer.body, ::testing::StartsWith(file()));
    EXPECT_EQ(remove(Shape::rules, 0).status, 409);
    EXPECT_EQ(get(Shape::rules).status, 200);
    EXPECT_EQ(read(), broken);
  }
  write("[\n  {\"name\": }\n]");
  wait(1);
  EXPECT_THAT(book_->file_error(), ::testing::StartsWith(file() + ":2:12: "));
  write("[" + own("b", 23) + "]");
  wait(1);
  EXPECT_EQ(book_->file_error(), "");
  packet({.port = 23});
  EXPECT_THAT(take(), SizeIs(1));
  EXPECT_EQ(put(Shape::rules, own("c")).status, 200);
}

TEST_F(RuleFile, IsReadAgainWhenItChanges) {
  start("[" + own("a") + "]");
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  write("[" + own("a") + "," + own("b") + "]");
  wait(1);
  packet();
  EXPECT_THAT(take(), SizeIs(2));
  EXPECT_EQ(overview()[0]["matched"], 2);  // the same rule goes on
  write("[" + own("b") + "]");
  wait(1);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  EXPECT_EQ(overview()[0]["matched"], 2);
  std::filesystem::remove(file());
  wait(1);  // an editor that renames
  EXPECT_THAT(logged(), IsEmpty());
  for (int i = 0; i < 3; ++i) {
    wait(1);
    packet();
    EXPECT_THAT(take(), SizeIs(1));
  }
  ASSERT_THAT(logged(), SizeIs(1));
  EXPECT_THAT(logged()[0], HasSubstr(file() + " is gone: the rules in force stay"));
  EXPECT_FALSE(std::filesystem::exists(file()));
  EXPECT_EQ(put(Shape::rules, own("c")).status, 200);
  EXPECT_EQ(json::parse(read()), json::parse("[" + own("b") + "," + own("c") + "]"));
  write("[]");
  wait(1);
  packet();
  EXPECT_THAT(take(), IsEmpty());
}

// As an editor that keeps the time of a file, or cp -p.
TEST_F(RuleFile, IsReadAgainThoughSizeAndTimeAreTheSame) {
  start("[" + own("a", 22) + "]");
  const auto before = std::filesystem::last_write_time(file());
  write("[" + own("a", 23) + "]");
  std::filesystem::last_write_time(file(), before);
  wait(1);
  packet({.port = 23});
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(RuleFile, LosesNoRuleOfTwoHostsThatChangeItAtOnce) {
  start("[]");
  constexpr int kEach = 15;
  const auto put_many = [&](const std::string& who) {
    int good = 0;
    for (int i = 0; i < kEach; ++i) good += put(Shape::rules, own(who + std::to_string(i))).status == 200 ? 1 : 0;
    return good;
  };
  const pid_t other = ::fork();
  ASSERT_GE(other, 0);
  if (other == 0) ::_exit(put_many("other "));
  const int ours = put_many("ours ");
  int status = 0;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(ours, kEach);
  EXPECT_EQ(WEXITSTATUS(status), kEach);
  EXPECT_EQ(json::parse(read()).size(), 2U * kEach);
  EXPECT_EQ(names_in_folder(), std::set<std::string>{"notifications.json"});
}

TEST_F(RuleFile, WaitsForAWriterSoLongAndNoLonger) {
  start("[]");
  const int folder = ::open(folder_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  ASSERT_EQ(::flock(folder, LOCK_EX), 0);
  const Answer answer = put(Shape::rules, own("a"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.body, HasSubstr("holds a lock"));
  ::close(folder);
  EXPECT_EQ(put(Shape::rules, own("a")).status, 200);
}

TEST_F(RuleFile, LosesNoChangeThatIsMadeBesideUs) {
  start("[" + own("a") + "]");
  write("[" + own("a") + "," + own("by-hand") + "]");
  EXPECT_EQ(json::parse(put(Shape::rules, own("by-http")).body).size(), 3U);
  const std::string text = read();
  EXPECT_THAT(text, HasSubstr("by-hand"));
  EXPECT_THAT(text, HasSubstr("by-http"));
}

TEST_F(RuleFile, IsReplacedInOneStepAndKeepsItsRights) {
  start("[" + own("a") + "]");
  ASSERT_EQ(::chmod(file().c_str(), 0604), 0);
  ASSERT_EQ(::geteuid() == 0 ? ::chown(file().c_str(), 12345, 23456) : 0, 0);
  struct stat before {};
  ASSERT_EQ(::stat(file().c_str(), &before), 0);
  EXPECT_EQ(put(Shape::rules, own("b")).status, 200);
  struct stat after {};
  ASSERT_EQ(::stat(file().c_str(), &after), 0);
  EXPECT_NE(after.st_ino, before.st_ino);
  EXPECT_EQ(after.st_mode, before.st_mode);
  EXPECT_EQ(after.st_uid, before.st_uid);
  EXPECT_EQ(after.st_gid, before.st_gid);
  EXPECT_EQ(names_in_folder(), std::set<std::string>{"notifications.json"});
}

TEST_F(RuleFile, BehindALinkIsReplacedWhereItIs) {
  const std::string target = (folder_.path() / "target.json").string();
  nfbus::test::write_file(target, "[]");
  std::filesystem::create_symlink(target, file());
  start();
  EXPECT_EQ(put(Shape::rules, own("a")).status, 200);
  EXPECT_TRUE(std::filesystem::is_symlink(file()));
  EXPECT_EQ(json::parse(nfbus::test::read_file(target)).size(), 1U);
}

TEST_F(RuleFile, ThatCannotBeWrittenIsAnError) {
  start("[]");
  const FullDisk full;
  const Answer answer = put(Shape::rules, own("a"));
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr("cannot write " + file()));
  EXPECT_EQ(get(Shape::rules).body, "[]");
  EXPECT_EQ(read(), "[]");
  EXPECT_EQ(names_in_folder(), std::set<std::string>{"notifications.json"});
}

TEST_F(RuleFile, ThatIsAFolderOrAFifoDoesNotKeepUsWaiting) {
  ASSERT_EQ(::mkfifo(file().c_str(), 0600), 0);
  start();
  EXPECT_THAT(book_->file_error(), HasSubstr("is no regular file"));
  EXPECT_EQ(put(Shape::rules, own("a")).status, 409);
  std::filesystem::remove(file());
  std::filesystem::create_directory(file());
  start();
  EXPECT_THAT(book_->file_error(), HasSubstr("it is a folder"));
  EXPECT_EQ(put(Shape::rules, own("a")).status, 409);
}

TEST_F(RuleFile, RefusesWhatIsNoRuleOfThatPath) {
  start("[" + own("a") + "]");
  const std::string before = read();
  const auto expect = [&](const Answer& answer, const char* text) {
    EXPECT_EQ(answer.status, 400) << text;
    EXPECT_THAT(answer.body, HasSubstr(text));
    EXPECT_TRUE(answer.body.ends_with('\n'));
  };
  expect(put(Shape::rules, kAlert), "this is a rule for /alerts");
  expect(put(Shape::alerts, kNotification), "this is a rule for /notifications");
  expect(put(Shape::rules, "[" + own("b") + "]"), "one rule at a time");
  expect(put(Shape::rules, ""), "1:1: ");
  expect(put(Shape::rules, "{\"name\":"), "1:9: ");
  expect(put(Shape::rules, "5"), "is no object");
  expect(put(Shape::rules, R"({"name":"x","match":{},"name":"y"})"), "twice");
  expect(put(Shape::rules, std::string_view("{}\0", 3)), "a NUL byte");
  expect(put(Shape::rules, R"({"name":"x","match":{"dst":"1.2.3"}})"), "match.dst: ");
  expect(put(Shape::rules, own("a")), R"(another rule is called "a", too)");
  expect(put(Shape::rules, std::string(2'000'000, ' ')), "longer than 1 MiB");
  expect(put(Shape::rules, 1, own("b")), "no rule of that number");
  expect(put(Shape::alerts, 0, kAlert), "no rule of that number");
  expect(remove(Shape::rules, 1), "no rule of that number");
  expect(book_->handle({.shape = Shape::rules, .method = Method::remove}), "by its number");
  EXPECT_EQ(read(), before);
}

TEST_F(RuleFile, HoldsSoManyRulesAndNoMore) {
  std::string text = "[";
  for (int i = 0; i < 10'000; ++i) text += (i == 0 ? "" : ",") + kNotification;
  start(text + "]");
  EXPECT_EQ(overview().size(), 10'000U);
  EXPECT_EQ(put(Shape::notifications, kNotification).status, 400);
  write(text + "," + kNotification + "]");
  wait(1);
  EXPECT_THAT(book_->file_error(), HasSubstr("has 10001 rules; there may be 10000"));
}

TEST_F(RuleFile, GivesAlertsAnIdThatStays) {
  start("[]");
  const json first = json::parse(put(Shape::alerts, kAlert).body);
  const std::string id = first[0]["RuleId"];
  EXPECT_THAT(id, ::testing::MatchesRegex("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"));
  EXPECT_NE(json::parse(put(Shape::alerts, kAlert).body)[1]["RuleId"], id);
  EXPECT_NE(json::parse(put(Shape::alerts, first[0].dump()).body)[2]["RuleId"], id);  // a copy
  json changed = first[0];
  changed["RuleId"] = "another";
  changed["Name"] = "B";
  const json after = json::parse(put(Shape::alerts, 0, changed.dump()).body);
  EXPECT_EQ(after[0]["RuleId"], id);
  EXPECT_EQ(after[0]["Name"], "B");
  EXPECT_EQ(after[0]["MyOwnKey"], json::parse(R"({"b":1,"a":2})"));
  EXPECT_THAT(read(), HasSubstr("\"b\": 1"));
}

TEST_F(RuleFile, KnowsAnIdInAnotherCase) {
  json rule = json::parse(kAlert);
  rule["ruleid"] = "one";
  start(json::array({rule}).dump());
  EXPECT_EQ(json::parse(put(Shape::alerts, 0, kAlert).body)[0]["RuleId"], "one");
  const json copy = json::parse(put(Shape::alerts, rule.dump()).body)[1];
  EXPECT_FALSE(copy.contains("RuleId"));
  EXPECT_NE(copy["ruleid"], "one");
}

TEST_F(RuleFile, InMemoryAloneTakesChangesToo) {
  book_ = std::make_unique<RuleBook>(host(), Settings{});
  book_->load();
  wait(0);
  EXPECT_EQ(put(Shape::rules, own("a")).status, 200);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  EXPECT_EQ(remove(Shape::rules, 0).body, "[]");
  book_->finish(told_);
  EXPECT_TRUE(std::filesystem::is_empty(folder_.path()));
}

TEST_F(RuleFile, StaysAsItIsWhenARuleIsSnoozed) {
  start("[" + own("a") + "]");
  const std::string before = read();
  const std::string until = time_text(now_ns_ + 3600 * kSecondNs);
  json snoozed = json::parse(own("a"));
  snoozed["snooze_until"] = until;
  EXPECT_EQ(json::parse(put(Shape::rules, 0, snoozed.dump()).body)[0]["snooze_until"], until);
  EXPECT_EQ(read(), before);
  packet();
  EXPECT_THAT(take(), IsEmpty());
  book_->finish(told_);
  start();
  packet();
  EXPECT_THAT(take(), IsEmpty());
  EXPECT_EQ(overview()[0]["snooze_until"], until);
  snoozed["snooze_until"] = nullptr;
  EXPECT_EQ(put(Shape::rules, 0, snoozed.dump()).status, 200);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(RuleFile, EndsASnoozeTogetherWithWhateverElseIsChanged) {
  for (const bool is_null : {true, false}) {
    start("[" + own("a") + "]");
    json rule = json::parse(own("a"));
    rule["snooze_until"] = time_text(now_ns_ + 3600 * kSecondNs);
    ASSERT_EQ(put(Shape::rules, 0, rule.dump()).status, 200);
    rule["severity"] = "danger";
    if (is_null) {
      rule["snooze_until"] = nullptr;
    } else {
      rule.erase("snooze_until");
    }
    const json answered = json::parse(put(Shape::rules, 0, rule.dump()).body);
    EXPECT_TRUE(answered[0].value("snooze_until", json()).is_null()) << answered;
    packet();
    EXPECT_THAT(take(), SizeIs(1));
    start();  // at once: it is not only in memory
    packet();
    EXPECT_THAT(take(), SizeIs(1));
    std::filesystem::remove(state_file());
  }
}

TEST_F(RuleFile, GivesARuleThatIsMadeAnewNoSnoozeOfAnother) {
  start("[]");
  json rule = json::parse(own("a"));
  const auto snooze = [&](const char* name) {
    json snoozed = rule;
    snoozed["name"] = name;
    snoozed["snooze_until"] = time_text(now_ns_ + 3600 * kSecondNs);
    EXPECT_EQ(put(Shape::rules, 0, snoozed.dump()).status, 200);
    packet();
    EXPECT_THAT(take(), IsEmpty());
  };
  ASSERT_EQ(put(Shape::rules, rule.dump()).status, 200);
  snooze("a");
  // Removed over HTTP, and there again by hand.
  ASSERT_EQ(remove(Shape::rules, 0).status, 200);
  write("[" + own("a") + "]");
  wait(1);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  // Removed by hand, and there again over HTTP.
  snooze("a");
  write("[]");
  wait(1);
  ASSERT_EQ(json::parse(put(Shape::rules, own("a")).body)[0].value("snooze_until", json()), json());
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  // Called otherwise meanwhile.
  snooze("a");
  ASSERT_EQ(put(Shape::rules, 0, own("b")).status, 200);
  ASSERT_EQ(put(Shape::rules, 0, own("a")).status, 200);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  wait(10);
  start();
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  EXPECT_THAT(nfbus::test::read_file(state_file()), ::testing::Not(HasSubstr("snooze")));
}

TEST_F(RuleFile, HasTheLastWordOnASnoozeThatIsWrittenThere) {
  const std::string until = time_text(now_ns_ + 3600 * kSecondNs);
  json rule = json::parse(own("a"));
  start(json::array({rule}).dump());
  rule["snooze_until"] = until;
  ASSERT_EQ(put(Shape::rules, 0, rule.dump()).status, 200);
  rule["snooze_until"] = time_text(now_ns_ - kSecondNs);
  write(json::array({rule}).dump());
  wait(1);
  packet();
  EXPECT_THAT(take(), SizeIs(1));
}

TEST_F(RuleFile, KeepsTheCountsOfAnAlertThatIsChanged) {
  start("[]");
  const json first = json::parse(put(Shape::alerts, kAlert).body);
  packet();
  json changed = first[0];
  changed["Name"] = "B";
  ASSERT_EQ(put(Shape::alerts, 0, changed.dump()).status, 200);
  packet();
  EXPECT_EQ(overview()[0]["matched"], 2);
}

TEST_F(RuleFile, OfRulesThatAreSnoozedIsLeftAloneOnlyWhereThatIsKept) {
  start("[" + own("a") + "]");
  json snoozed = json::parse(own("a"));
  snoozed["snooze_until"] = time_text(now_ns_ + 3600 * kSecondNs);
  {
    const FullDisk full;
    EXPECT_EQ(put(Shape::rules, 0, snoozed.dump()).status, 500);
  }
  packet();
  EXPECT_THAT(take(), SizeIs(1));
  ASSERT_EQ(put(Shape::rules, 0, snoozed.dump()).status, 200);
  start();  // nothing was saved at the end
  packet();
  EXPECT_THAT(take(), IsEmpty());
}

}  // namespace
}  // namespace rules::test
