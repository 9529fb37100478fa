#include "settings.hpp"

#include "server.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

using nfbus::test::Array;
using nfbus::test::FakeOptions;
using nfbus::test::Values;
using testing::HasSubstr;

// With the schema's defaults.
Values options(Values given) {
  Values out{{"/url", "http://h:8086"},
             {"/api", "v1"},
             {"/database", "d"},
             {"/connect_timeout_ms", std::int64_t{5000}},
             {"/request_timeout_ms", std::int64_t{10000}},
             {"/compress", "gzip"},
             {"/batch_points", std::int64_t{5000}},
             {"/max_in_flight", std::int64_t{4}},
             {"/batch_age_ms", std::int64_t{1000}},
             {"/layout", "nfbus"},
             {"/tags", Array{.count = 1}},
             {"/tags/0", "Prefix"},
             {"/max_tag_values", std::int64_t{10000}}};
  for (auto& [key, value] : given) out[key] = value;
  return out;
}

influx::Settings settings(Values given) {
  const FakeOptions fake(options(std::move(given)));
  return influx::settings_of(nfbus::Options(fake.raw()));
}

void expect_error(Values given, std::string_view pointer, const std::string& text) {
  try {
    (void)settings(std::move(given));
    ADD_FAILURE() << "no error at " << pointer;
  } catch (const nfbus::OptionError& error) {
    EXPECT_EQ(error.pointer(), pointer);
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

TEST(Settings, SayWhichOptionIsWrong) {
  expect_error({{"/url", "influx:8086"}}, "/url", "begins with http://");
  expect_error({{"/url", "http://"}}, "/url", "names no host");
  expect_error({{"/url", "http://u:p@h"}}, "/url", "no place for secrets");
  expect_error({{"/url", "http://h/write"}}, "/url", "api says which way");
  expect_error({{"/url", "http://h/?db=d"}}, "/url", "options of their own");
  expect_error({{"/url", "http://h\n"}}, "/url", "no blanks");
  expect_error({{"/url", "unix://run/x"}}, "/url", "must be absolute");
  expect_error({{"/url", Array{.count = 2}}, {"/url/0", "http://a"}, {"/url/1", "ftp://b"}}, "/url/1",
               "begins with http://");
  expect_error({{"/api", "v2"}}, "/bucket", "needs bucket");
  expect_error({{"/password_file", "/x"}}, "/user", "a password is somebody's");
  expect_error({{"/token", "t"}, {"/token_file", "/x"}}, "/token_file", "not both");
  expect_error({{"/layout", "spr"}}, "/layout", R"(it needs api = "v2" or "v3")");
  expect_error({{"/tags/0", "time"}}, "/tags/0", "keeps \"time\"");
  expect_error({{"/tags/0", "_x"}}, "/tags/0", "begin with _");
  expect_error({{"/fields", Array{.count = 1}}, {"/fields/0", "Prefix"}}, "/fields/0", "is in tags, too");
  expect_error({{"/fields", Array{.count = 2}}, {"/fields/0", "TTL"}, {"/fields/1", "TTL"}}, "/fields/1", "twice");
}

TEST(Settings, PlacesLoseTheirLastSlash) {
  EXPECT_EQ(influx::place_of("https://h:1/influx/").base, "https://h:1/influx");
  EXPECT_EQ(influx::place_of("http://[::1]:8086").base, "http://[::1]:8086");
  const http::Place socket = influx::place_of("unix:///run/influxdb.sock");
  EXPECT_EQ(socket.base, "http://localhost");
  EXPECT_EQ(socket.unix_socket, "/run/influxdb.sock");
}

http::Answer pong(std::string version, std::string build = "OSS") {
  http::Answer out{.ending = http::Ending::answered, .status = 204};
  out.headers = {{"x-influxdb-version", std::move(version)}, {"x-influxdb-build", std::move(build)}};
  return out;
}

TEST(Server, IsKnownByWhatItAnswersToAPing) {
  EXPECT_EQ(influx::api_of(pong("1.6.7~rc0")), influx::Api::v1);
  EXPECT_EQ(influx::api_of(pong("v2.7.1")), influx::Api::v2);
  EXPECT_EQ(influx::api_of(pong("3.0.1")), influx::Api::v3);
  EXPECT_EQ(influx::api_of(pong("1234abc", "Cloud")), influx::Api::v2);
  EXPECT_EQ(influx::api_of(pong("unknown", "Core")), influx::Api::v3);
  EXPECT_EQ(influx::api_of(pong("", "")), std::nullopt);
}

TEST(Server, NamesAreEncodedInItsUrls) {
  const influx::Settings made = settings({{"/database", "my db&x"}, {"/retention_policy", "two weeks"}});
  const influx::Server server(made);
  EXPECT_EQ(server.write(true).url, "http://h:8086/write?db=my%20db%26x&precision=ns&rp=two%20weeks");
}

}  // namespace
