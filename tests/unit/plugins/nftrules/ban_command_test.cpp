// nfbus nft bans, ban and unban: what they ask, and what they print.
#include "ban_command.hpp"
#include "ban_settings.hpp"
#include "ban_table.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/netfilter.h>

#include <nlohmann/json.hpp>

#include <string>
#include <vector>

namespace nftrules {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

struct Done {
  int status = 0;
  std::string out;
  std::string error;
  json asked;
};

Done run(const std::vector<const char*>& arguments, const json& answer) {
  Done done;
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  done.status = run_ban_command(arguments, [&](const json& request) -> nfbus::Result<json> {
    done.asked = request;
    return answer;
  });
  done.out = testing::internal::GetCapturedStdout();
  done.error = testing::internal::GetCapturedStderr();
  return done;
}

TEST(BanCommand, AsksWhatItsWordsSay) {
  const json changes =
      json::parse(R"({"changes":[{"set":"bad","address":"192.0.2.1","ttl_s":5400,"reason":"","change":"renewed"}]})");
  const Done done = run({"ban", "--set", "bad", "192.0.2.1", "--ttl", "90m", "--reason", "too loud"}, changes);
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.asked,
            json::parse(R"({"do":"ban","address":"192.0.2.1","set":"bad","ttl_s":5400,"reason":"too loud"})"));
  EXPECT_EQ(done.out, "192.0.2.1 banned in bad for 1h 30m from now\n");
}

TEST(BanCommand, ShowsATableAndWhatOthersWroteAsText) {
  const Done done = run({"bans"}, json::parse(R"({"count":3,"bans":[
      {"set":"bad","address":"192.0.2.1","left_s":61,"by":"message","reason":"a\u001b[2Jb\nc"},
      {"set":"bad","address":"2001:db8::/64","left_s":90000,"by":"packets","reason":""}]})"));
  EXPECT_EQ(done.status, 0);
  EXPECT_EQ(done.out,
            "ADDRESS        SET  LEFT   BY       REASON\n"
            "192.0.2.1      bad  1m 1s  message  a?[2Jb?c\n"
            "2001:db8::/64  bad  1d 1h  packets\n"
            "and 1 more\n");
  EXPECT_EQ(run({"bans"}, json::parse(R"({"count":0,"bans":[]})")).out, "nobody is banned\n");
}

TEST(BanCommand, WrongWordsAskNothing) {
  for (const std::vector<const char*>& words : std::vector<std::vector<const char*>>{{"ban"},
                                                                                     {"unban"},
                                                                                     {"ban", "a", "b"},
                                                                                     {"bans", "a"},
                                                                                     {"ban", "a", "--ttl"},
                                                                                     {"ban", "a", "--ttl", "0s"},
                                                                                     {"ban", "a", "--ttl", "366d"},
                                                                                     {"unban", "a", "--ttl", "5s"},
                                                                                     {"ban", "a", "--force", "x"}}) {
    const Done done = run(words, {});
    EXPECT_EQ(done.status, 2);
    EXPECT_TRUE(done.asked.is_null());
    EXPECT_THAT(done.error, HasSubstr("usage: nfbus nft bans"));
  }
}

TEST(BanTimes, AreANumberAndAUnit) {
  EXPECT_EQ(seconds_of("90s"), 90U);
  EXPECT_EQ(seconds_of("10m"), 600U);
  EXPECT_EQ(seconds_of("1h"), 3600U);
  EXPECT_EQ(seconds_of("365d"), 31'536'000U);
  for (const char* text : {"", "s", "5", "0s", "-1s", "1 s", "1w", "366d", "99999999999s", "1sm"}) {
    EXPECT_FALSE(seconds_of(text)) << text;
  }
}

TEST(CountRules, BanWhatIsOverTheRateAsNetworksOfTheSetsLength) {
  BanSet set;
  set.name = "ssh";
  set.ttl_s = 600;
  set.v4_prefix = 24;
  set.v6_prefix = 128;
  set.rate_packets = 20;
  set.rate_unit = "minute";
  set.when = "tcp dport 22 ct state new";
  const std::string text = count_rules_text({{&set, NFPROTO_IPV4}, {&set, NFPROTO_IPV6}}, "test");
  EXPECT_THAT(text,
              HasSubstr("    tcp dport 22 ct state new update @ssh.rate_v4 { ip saddr & 255.255.255.0 limit rate over "
                        "20/minute burst 20 packets } update @ssh_v4 { ip saddr & 255.255.255.0 timeout 600s }\n"));
  EXPECT_THAT(text, HasSubstr("update @ssh.rate_v6 { ip6 saddr limit rate over 20/minute"));
  EXPECT_THAT(count_rules_text({{&set, NFPROTO_IPV4}}, "test"), Not(HasSubstr("ip6")));
  EXPECT_EQ(rate_shape_of(set, NFPROTO_IPV4).timeout, std::chrono::minutes(2));
}

}  // namespace
}  // namespace nftrules
