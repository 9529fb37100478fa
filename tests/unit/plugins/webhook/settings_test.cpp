#include "settings.hpp"

#include "target.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace {

using nfbus::test::Array;
using nfbus::test::FakeOptions;
using nfbus::test::Values;
using testing::HasSubstr;
using testing::Not;

// With the schema's defaults.
webhook::Settings settings(const Values& given) {
  Values all{{"/url", "https://h/x"},
             {"/method", "POST"},
             {"/escape", "none"},
             {"/payload", "none"},
             {"/token_header", "Authorization"},
             {"/hmac_header", "X-Nfbus-Signature"},
             {"/batch_events", std::int64_t{1}},
             {"/batch_form", "array"},
             {"/max_in_flight", std::int64_t{1}},
             {"/connect_timeout_ms", std::int64_t{5000}},
             {"/request_timeout_ms", std::int64_t{10000}}};
  for (const auto& [key, value] : given) all[key] = value;
  if (given.contains("/url_file")) all.erase("/url");
  const FakeOptions fake(std::move(all));
  return webhook::settings_of(nfbus::Options(fake.raw()));
}

void expect_error(const Values& given, std::string_view pointer, const std::string& text) {
  try {
    (void)settings(given);
    ADD_FAILURE() << "no error at " << pointer;
  } catch (const nfbus::OptionError& error) {
    EXPECT_EQ(error.pointer(), pointer);
    EXPECT_THAT(error.what(), HasSubstr(text));
  }
}

Array table(std::string json) { return {.count = 1, .json = std::move(json)}; }

TEST(Settings, SayWhichOptionIsWrong) {
  expect_error({{"/url", "ftp://h"}}, "/url", "begins with http://");
  expect_error({{"/url", "https://u:p@h/"}}, "/url", "no place for secrets");
  expect_error({{"/url", "https://{x}/"}}, "/url", "cannot say to which host");
  expect_error({{"/url", "https://h:99999/"}}, "/url", "this is no url");
  expect_error({{"/url", "https://h/#x"}}, "/url", "before the #");
  expect_error({{"/url", "https://h/{x"}}, "/url", "not closed");
  expect_error({{"/url", "unix://run/x"}}, "/url", "must be absolute");
  expect_error({{"/json", "{"}}, "/json", "line 1, column 2");
  expect_error({{"/json", "{}"}, {"/text", "x"}}, "/text", "either json or text");
  expect_error({{"/text", "{"}}, "/text", "not closed");
  expect_error({{"/text", "x"}, {"/batch_events", std::int64_t{2}}}, "/text", "of one event");
  expect_error({{"/text", "x"}, {"/content_type", "application/vnd.x+json; charset=utf-8"}}, "/content_type",
               "by json");
  expect_error({{"/text", "x"}, {"/content_type", "application/x-www-form-urlencoded"}}, "/content_type", "form");
  expect_error({{"/content_type", "a\r\nb"}}, "/content_type", "one line");
  expect_error({{"/escape", "entities"}}, "/escape", "json or text");
  expect_error({{"/headers", table(R"({"X Y": "1"})")}}, "/headers/X Y", "no blanks");
  expect_error({{"/headers", table(R"({"a/b\n~": "1"})")}}, "/headers/a~1b\n~0", "no control characters");
  expect_error({{"/headers", table(R"({"A": "1\n2"})")}}, "/headers/A", "one line");
  expect_error({{"/headers", table(R"({"A": "{x"})")}}, "/headers/A", "not closed");
  expect_error({{"/headers", table(R"({"A": "1", "a": "2"})")}}, "/headers/a", "made by headers/A, too");
  expect_error({{"/headers", table(R"({"content-length": "1"})")}}, "/headers/content-length", "not the user's");
  expect_error({{"/headers", table(R"({"Content-type": "1"})")}}, "/headers/Content-type", "content_type");
  expect_error({{"/headers", table(R"({"AUTHORIZATION": "1"})")}}, "/headers/AUTHORIZATION", "token_file");
  expect_error({{"/headers", table(R"({"A": "{x}"})")}, {"/batch_events", std::int64_t{2}}}, "/headers/A", "one event");
  expect_error({{"/url", "https://h/{id}"}, {"/batch_events", std::int64_t{2}}}, "/url", "one event");
  expect_error({{"/lookup", table(R"({"topic": {"of": "x"}})")}}, "/lookup/topic", "nfbus's own");
  expect_error({{"/lookup", table(R"({"a.b": {"of": "x"}})")}}, "/lookup/a.b", "no dots");
  expect_error({{"/lookup", table(R"({"a": {"of": "x."}})")}}, "/lookup/a/of", "a key is missing");
  expect_error({{"/token", "t"}, {"/token_file", "/x"}}, "/token_file", "not both");
  expect_error({{"/token_header", "X-Key"}}, "/token_header", "give token_file");
  expect_error({{"/token_scheme", "Token"}}, "/token_scheme", "give token_file");
  expect_error({{"/token", "t"}, {"/token_header", "X:"}}, "/token_header", "no colon");
  expect_error({{"/token", "t"}, {"/user", "u"}}, "/token_header", "made by user, too");
  expect_error({{"/token", "t"}, {"/token_header", "X-Key"}, {"/headers", table(R"({"x-key": "1"})")}},
               "/headers/x-key", "made by token_header");
  expect_error({{"/hmac_secret", "s"}, {"/hmac_header", "content-type"}}, "/hmac_header", "made by content_type");
  expect_error({{"/hmac_secret", "s"}, {"/hmac_header", "X-S"}, {"/hmac_time_header", "x-s"}}, "/hmac_time_header",
               "made by hmac_header");
  expect_error({{"/password", "p"}}, "/user", "somebody's");
  expect_error({{"/user", "a:b"}}, "/user", "no colon");
  expect_error({{"/hmac_header", "X-Sig"}}, "/hmac_header", "give hmac_secret_file");
  expect_error({{"/hmac_time_header", "X-Time"}}, "/hmac_time_header", "give hmac_secret_file");
  expect_error({{"/url_file", "/u"}, {"/hmac_time_header", "X-Time"}}, "/hmac_time_header", "give hmac_secret_file");
}

TEST(Settings, AUrlOrItsFileIsNeeded) {
  const FakeOptions fake({{"/method", "POST"},
                          {"/payload", "none"},
                          {"/batch_events", std::int64_t{1}},
                          {"/batch_form", "array"},
                          {"/max_in_flight", std::int64_t{1}},
                          {"/connect_timeout_ms", std::int64_t{5000}},
                          {"/request_timeout_ms", std::int64_t{10000}}});
  try {
    (void)webhook::settings_of(nfbus::Options(fake.raw()));
    ADD_FAILURE();
  } catch (const nfbus::OptionError& error) {
    EXPECT_EQ(error.pointer(), "/url");
    EXPECT_THAT(error.what(), HasSubstr("url_file"));
  }
}

TEST(Settings, AProxyIsOneAndNoPlaceForSecrets) {
  for (const char* const good :
       {"http://proxy:3128", "https://[::1]:443/", "socks5h://10.0.0.1", "socks4a://p:1", "proxy:3128", "10.0.0.1"}) {
    EXPECT_EQ(settings({{"/proxy", good}}).http.proxy, good);
  }
  expect_error({{"/proxy", "http://u:sekret@proxy:1"}}, "/proxy", "no place for secrets");
  expect_error({{"/proxy", "u@proxy"}}, "/proxy", "no place for secrets");
  for (const char* const wrong :
       {"ftp://x", "://x", "http://x:999999", "http://", "a b", "http://x:y", "http://x\r\nA: b"}) {
    expect_error({{"/proxy", wrong}}, "/proxy", "");
  }
}

TEST(Settings, TheBodySaysItsType) {
  EXPECT_EQ(settings({}).content_type, "application/json");
  EXPECT_EQ(settings({{"/text", "x"}}).content_type, "text/plain; charset=utf-8");
  EXPECT_EQ(settings({{"/batch_events", std::int64_t{2}}, {"/batch_form", "lines"}}).content_type,
            "application/x-ndjson");
  EXPECT_EQ(settings({{"/json", "{}"}, {"/content_type", "application/cloudevents+json"}}).content_type,
            "application/cloudevents+json");
}

TEST(Settings, ABatchWaitsForOthers) {
  EXPECT_EQ(settings({}).batch_age_ms, 0U);
  EXPECT_EQ(settings({{"/batch_events", std::int64_t{10}}}).batch_age_ms, 1000U);
  EXPECT_EQ(settings({{"/batch_events", std::int64_t{10}}, {"/batch_age_ms", std::int64_t{5}}}).batch_age_ms, 5U);
}

TEST(Target, IsShownWithoutItsPath) {
  const webhook::Target target = webhook::target_of("https://hooks.example:8443/services/SECRET?x=1");
  EXPECT_EQ(target.shown, "https://hooks.example:8443");
  EXPECT_FALSE(target.sends_in_clear);
  EXPECT_EQ(webhook::target_of("https://h?x=SECRET").shown, "https://h");
  const webhook::Target socket = webhook::target_of("unix:///run/app.sock:/hook");
  EXPECT_EQ(socket.shown, "unix:///run/app.sock");
  EXPECT_EQ(socket.unix_socket, "/run/app.sock");
  try {
    (void)webhook::target_of("https://h/SECRET{");
    ADD_FAILURE();
  } catch (const std::invalid_argument& error) {
    EXPECT_THAT(error.what(), Not(HasSubstr("SECRET")));
  }
}

TEST(Target, KnowsWhatOthersCanRead) {
  EXPECT_TRUE(webhook::target_of("http://router.example/x").sends_in_clear);
  EXPECT_TRUE(webhook::target_of("http://192.0.2.1:80").sends_in_clear);
  EXPECT_TRUE(webhook::target_of("http://localhost.example.org/").sends_in_clear);
  EXPECT_TRUE(webhook::target_of("http://127.example.org/").sends_in_clear);
  for (const char* const here : {"http://localhost:1/", "http://127.0.0.1", "http://[::1]:80/x", "https://h/"}) {
    EXPECT_FALSE(webhook::target_of(here).sends_in_clear) << here;
  }
}

}  // namespace
