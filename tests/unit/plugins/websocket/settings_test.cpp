#include "settings.hpp"

#include "schema.hpp"
#include "temporary_folder.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace websocket {
namespace {

using nfbus::test::Array;
using nfbus::test::FakeOptions;
using nfbus::test::Values;
using nlohmann::json;
using testing::HasSubstr;

void put(Values& values, const std::string& pointer, const json& value) {
  if (value.is_string()) {
    values[pointer] = value.get<std::string>();
  } else if (value.is_number_integer()) {
    values[pointer] = value.get<std::int64_t>();
  } else {
    values[pointer] = Array{.count = value.size(), .json = value.dump()};
    for (std::size_t i = 0; i < value.size(); ++i)
      values[pointer + '/' + std::to_string(i)] = value[i].get<std::string>();
  }
}

// With the schema's own defaults, as the host fills them in.
Settings settings(const json& given) {
  Values values;
  const json schema = json::parse(kSchema);
  for (const auto& [key, option] : schema["properties"].items()) {
    if (option.contains("default")) put(values, '/' + key, option["default"]);
  }
  for (const auto& [key, value] : given.items()) put(values, '/' + key, value);
  const FakeOptions fake(std::move(values));
  return settings_of(nfbus::Options(fake.raw()));
}

void expect_error(const json& given, std::string_view pointer, const std::string& text) {
  try {
    (void)settings(given);
    ADD_FAILURE() << "no error: " << given;
  } catch (const nfbus::OptionError& error) {
    EXPECT_EQ(error.pointer(), pointer) << given;
    EXPECT_THAT(error.what(), HasSubstr(text)) << given;
  }
}

TEST(WebsocketSettings, AreOfThisMachineAloneByDefault) {
  const Settings out = settings(json::object());
  ASSERT_EQ(out.server.listen.size(), 1U);
  EXPECT_EQ(out.server.listen[0].address, "127.0.0.1");
  EXPECT_EQ(out.server.listen[0].port, 8787);
  EXPECT_LT(out.server.listen[0].fd, 0);
  EXPECT_EQ(out.server.most_connections, 2048U);
  EXPECT_TRUE(out.token_file.empty() && out.server.cert_file.empty() && out.names.empty());
  EXPECT_EQ(out.history_bytes, 33'554'432U);
  EXPECT_EQ(out.client_queue_bytes, 4'194'304U);
}

TEST(WebsocketSettings, TakeAddressesOfEachForm) {
  const Settings out = settings(
      {{"listen", {"localhost:80", "127.1.2.3:0", "[::1]:8787", "fd:3", "0.0.0.0:65535"}}, {"token_file", "/t"}});
  ASSERT_EQ(out.server.listen.size(), 5U);
  EXPECT_EQ(out.server.listen[0].address, "127.0.0.1");
  EXPECT_EQ(out.server.listen[1].address, "127.1.2.3");
  EXPECT_EQ(out.server.listen[1].port, 0);
  EXPECT_EQ(out.server.listen[2].address, "::1");
  EXPECT_EQ(out.server.listen[3].fd, 3);
  EXPECT_EQ(out.server.listen[4].port, 65535);
}

TEST(WebsocketSettings, TakeAddressesByAnySpelling) {
  const Settings out = settings({{"listen", {"[0:0::1]:80", "[::ffff:127.0.0.1]:80"}}});
  EXPECT_EQ(out.server.listen[0].address, "::1");
  EXPECT_EQ(out.server.listen[1].address, "127.0.0.1");
  for (const auto& [one, other] : {std::pair("[::1]:80", "[0::1]:80"), std::pair("localhost:80", "[::ffff:7f00:1]:80"),
                                   std::pair("fd:3", "fd:03")}) {
    expect_error({{"listen", {one, other}}}, "/listen/1", "twice");
  }
}

TEST(WebsocketSettings, SayWhichAddressIsWrong) {
  for (const std::string wrong : {"127.0.0.1", "[::1]", ""}) {
    expect_error({{"listen", wrong}}, "/listen", "127.0.0.1:8787");
  }
  for (const std::string wrong : {"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:80x", "127.0.0.1:-1", "127.0.0.1:+1",
                                  "127.0.0.1: 80", "127.0.0.1:99999999999999999999"}) {
    expect_error({{"listen", {"127.0.0.1:1", wrong}}}, "/listen/1", "0 to 65535");
  }
  for (const std::string wrong : {"::1:80", "[127.0.0.1]:80", "127.0.0.1.:80", "127.1:80", "example.org:80", ":80",
                                  "*:80", "[::1%lo]:80", "[::1:80"}) {
    expect_error({{"listen", {wrong}}}, "/listen/0", "is no address and port");
  }
  expect_error({{"listen", {std::string("127.0.0.1\0x:80", 14)}}}, "/listen/0", "127.0.0.1");
  for (const std::string wrong : {"fd:", "fd:2", "fd:-1", "fd:x", "fd:3x", "fd:99999999999"}) {
    expect_error({{"listen", {wrong}}}, "/listen/0", "3 or more");
  }
  expect_error({{"listen", {"[::1]:80", "127.0.0.1:80", "[::1]:80"}}}, "/listen/2", "twice");
}

TEST(WebsocketSettings, NeedTokensWhereOthersCanConnect) {
  for (const std::string open : {"0.0.0.0:80", "192.0.2.1:80", "[::]:80", "[2001:db8::1]:80", "128.0.0.1:80"}) {
    expect_error({{"listen", {"127.0.0.1:80", open}}}, "/listen/1", "token_file");
    expect_error({{"listen", open}}, "/listen", "token_file");
    EXPECT_EQ(settings({{"listen", open}, {"token_file", "/t"}}).token_file, "/t");
  }
}

TEST(WebsocketSettings, KeepWhatIsRememberedApartFromTheRules) {
  for (const std::string same : {"/etc/rules.json", "/etc/./rules.json", "/etc/x/..//rules.json"}) {
    expect_error({{"notifications", "/etc/rules.json"}, {"state_file", same}}, "/state_file", "one of its own");
  }
  expect_error({{"notifications", "rules.json"}, {"state_file", "./rules.json"}}, "/state_file", "one of its own");
  const nfbus::test::TemporaryFolder folder;
  const std::string file = (folder.path() / "rules.json").string();
  const std::string link = (folder.path() / "link.json").string();
  nfbus::test::write_file(file, "[]");
  std::filesystem::create_symlink(file, link);
  expect_error({{"notifications", file}, {"state_file", link}}, "/state_file", "one of its own");
  EXPECT_EQ(settings({{"notifications", file}, {"state_file", file + ".state"}}).state_file, file + ".state");
  for (const std::string written : {"notifications", "state_file"}) {
    for (const std::string other : {"token_file", "names", "cert_file"}) {
      expect_error({{other, file}, {written, link}}, "/" + written, "the file of " + other);
    }
    expect_error({{"cert_file", "/c"}, {"key_file", file}, {written, link}}, "/" + written, "the file of key_file");
  }
}

TEST(WebsocketSettings, SayWhichOtherOptionIsWrong) {
  expect_error({{"key_file", "/k"}}, "/key_file", "give cert_file");
  EXPECT_EQ(settings({{"key_file", "/k"}, {"cert_file", "/c"}}).server.key_file, "/k");
  EXPECT_EQ(settings({{"cert_file", "/c"}}).server.cert_file, "/c");
  for (const std::string wrong : {"a:80", "http://a", "", "a/b", "*", "*.example.org"}) {
    expect_error({{"hosts", {"a", wrong}}}, "/hosts/1", "a name alone");
  }
  for (const std::string wrong : {"a", "http://a/", "*", "null", "https://", "wss://a"}) {
    expect_error({{"origins", {"https://a", wrong}}}, "/origins/1", "http://NAME or https://NAME");
  }
  const Settings out = settings({{"hosts", {"Router.example.org", "[::1]"}}, {"origins", {"https://a:444"}}});
  EXPECT_EQ(out.sites.hosts.size(), 2U);
  EXPECT_EQ(out.sites.origins, std::vector<std::string>{"https://a:444"});
}

}  // namespace
}  // namespace websocket
