// [[sink.NAME.ban]]: what is read of it, and what the schema cannot say.
#include "ban_settings.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

namespace nftrules {
namespace {

using nfbus::test::Array;
using nfbus::test::Values;
using testing::HasSubstr;

// One set, as the host hands it over with its defaults.
Values options() {
  return {{"/ban", Array{1}},
          {"/ban/0/name", std::string("ssh")},
          {"/ban/0/ttl", std::string("10m")},
          {"/ban/0/max", std::int64_t{65536}},
          {"/ban/0/v4_prefix", std::int64_t{24}},
          {"/ban/0/v6_prefix", std::int64_t{64}},
          {"/accept_messages", false}};
}

BanSettings read(Values values) {
  const nfbus::test::FakeOptions fake(std::move(values));
  return ban_settings_of(nfbus::Options(fake.raw()));
}

// Where and what is wrong.
std::pair<std::string, std::string> wrong(Values values) {
  try {
    static_cast<void>(read(std::move(values)));
  } catch (const nfbus::OptionError& error) {
    return {std::string(error.pointer()), error.what()};
  }
  return {};
}

TEST(BanSettings, AreRead) {
  Values values = options();
  values["/ban/0/rate"] = std::string("20/minute");
  values["/ban/0/when"] = std::string("tcp dport 22");
  values["/allow"] = Array{1};
  values["/allow/0"] = std::string("192.0.2.0/24");
  const BanSettings settings = read(values);
  ASSERT_EQ(settings.sets.size(), 1U);
  const BanSet& set = settings.sets.front();
  EXPECT_EQ(set.name, "ssh");
  EXPECT_FALSE(set.table);
  EXPECT_EQ(set.ttl_s, 600U);
  EXPECT_EQ(set.v4_prefix, 24);
  EXPECT_EQ(set.rate_packets, 20U);
  EXPECT_EQ(set.rate_unit, "minute");
  ASSERT_EQ(settings.allow.size(), 1U);
  EXPECT_EQ(to_string(settings.allow.front()), "192.0.2.0/24");
}

TEST(BanSettings, AreEmptyWithoutASet) { EXPECT_TRUE(read({{"/accept_messages", false}}).sets.empty()); }

TEST(BanSettings, SayWhatIsWrongAndWhere) {
  const auto with = [](Values more) {
    Values values = options();
    for (auto& [key, value] : more) values[key] = value;
    return wrong(values);
  };
  EXPECT_EQ(with({{"/ban/0/ttl", std::string("0m")}}).first, "/ban/0/ttl");
  EXPECT_EQ(with({{"/ban/0/ttl", std::string("400d")}}).first, "/ban/0/ttl");
  EXPECT_EQ(with({{"/ban/0/table", std::string("inet a b")}}).first, "/ban/0/table");
  EXPECT_THAT(with({{"/ban/0/rate", std::string("20/minute")}}).second, HasSubstr("go together"));
  EXPECT_THAT(with({{"/ban/0/when", std::string("tcp dport 22")}}).second, HasSubstr("go together"));
  const Values rate = {{"/ban/0/rate", std::string("20/minute")}, {"/ban/0/when", std::string("tcp dport 22")}};
  const auto with_rate = [&](const char* key, const char* value) {
    Values more = rate;
    more[key] = std::string(value);
    return with(more);
  };
  EXPECT_THAT(with_rate("/ban/0/table", "inet filter").second, HasSubstr("leave out table"));
  EXPECT_EQ(with_rate("/ban/0/rate", "0/minute").first, "/ban/0/rate");
  EXPECT_EQ(with_rate("/ban/0/rate", "99999999999/minute").first, "/ban/0/rate");
  for (const char* when :
       {"tcp dport 22; accept", "tcp dport 22 # x", "tcp dport 22\naccept", "iifname \"x", "a \\ b"}) {
    EXPECT_EQ(with_rate("/ban/0/when", when).first, "/ban/0/when") << when;
  }
  EXPECT_EQ(with({{"/allow", Array{1}}, {"/allow/0", std::string("192.0.2.1/24")}}).first, "/allow/0");
  EXPECT_EQ(wrong({{"/accept_messages", true}}).first, "/accept_messages");
  Values twice = options();
  twice["/ban"] = Array{2};
  for (const auto& [key, value] : options()) {
    if (key.starts_with("/ban/0")) twice["/ban/1" + key.substr(6)] = value;
  }
  EXPECT_EQ(wrong(twice).first, "/ban/1/name");
}

}  // namespace
}  // namespace nftrules
