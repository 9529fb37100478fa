#include "server/origin.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace websocket {
namespace {

// "HOST PORT", with a * behind an address.
std::string shown(const std::optional<HostPort>& host) {
  if (!host) return "none";
  return host->host + (host->is_address ? "* " : " ") + std::to_string(host->port);
}

unsigned status(std::string_view host, std::optional<std::string> origin, const Sites& sites = {}) {
  Request request;
  request.headers.emplace_back("host", host);
  if (origin) request.headers.emplace_back("origin", *origin);
  const std::optional<Response> wrong = refuse_site(request, sites);
  return wrong ? wrong->status : 200;
}

TEST(HostPort, IsReadAsAHostHeaderHasIt) {
  EXPECT_EQ(shown(host_port_of("example.org")), "example.org 0");
  EXPECT_EQ(shown(host_port_of("Example.ORG.:8787")), "example.org 8787");
  EXPECT_EQ(shown(host_port_of("192.0.2.1:80")), "192.0.2.1* 80");
  EXPECT_EQ(shown(host_port_of("[2001:DB8::1]:65535")), "2001:db8::1* 65535");
  EXPECT_EQ(shown(host_port_of("[::1]")), "::1* 0");
  EXPECT_EQ(shown(host_port_of("[2001:DB8:0::1]")), "2001:db8::1* 0");
  EXPECT_EQ(shown(host_port_of("a_b-c.d")), "a_b-c.d 0");
  EXPECT_EQ(shown(host_port_of("a:")), "a 0");
  EXPECT_EQ(shown(host_port_of("[::1]:")), "::1* 0");
  for (const std::string wrong :
       {"",    ".",        ":80", "a:0", "a:65536",     "a:80x",  "a:+80",    "a:-1",       "a: 80", "a:80:80",
        "::1", "[::1",     "[]",  "[a]", "[127.0.0.1]", "[::1]x", "[::1]80",  "[::1%eth0]", "a b",   "a/b",
        "a@b", "user:1@a", "a?b", "a#b", "a,b",         "a\tb",   "\xc3\xbc", "a\\b"}) {
    EXPECT_EQ(shown(host_port_of(wrong)), "none") << wrong;
  }
  EXPECT_EQ(shown(host_port_of(std::string("a\0b", 3))), "none");
  EXPECT_EQ(shown(host_port_of("127.1")), "127.1 0");  // a name to us, as only some resolvers take it for an address
}

TEST(Origin, HasThePortOfItsScheme) {
  EXPECT_EQ(shown(origin_of("http://a")), "a 80");
  EXPECT_EQ(shown(origin_of("https://a")), "a 443");
  EXPECT_EQ(shown(origin_of("HTTPS://A:444")), "a 444");
  EXPECT_EQ(shown(origin_of("http://[::1]:8787")), "::1* 8787");
  for (const char* const wrong :
       {"", "null", "a", "http:", "http:/", "http://", "https://a/", "http://a/b", "http://u@a", "file://", "ftp://a",
        "ws://a", "http://http://a", " http://a", "http://a ", "//a"}) {
    EXPECT_EQ(shown(origin_of(wrong)), "none") << wrong;
  }
}

TEST(Site, IsKnownByAnySpellingOfItsAddress) {
  EXPECT_EQ(status("[2001:db8:0::1]:8787", "http://[2001:db8::1]:8787"), 200U);
  EXPECT_EQ(
      status("router.lan", "http://[2001:db8::1]", {.hosts = {"router.lan"}, .origins = {"http://[2001:DB8:0::1]"}}),
      200U);
}

TEST(Site, IsOurOwnByAddressOrLocalhost) {
  EXPECT_EQ(status("127.0.0.1:8787", std::nullopt), 200U);
  EXPECT_EQ(status("[::1]:8787", "http://[::1]:8787"), 200U);
  EXPECT_EQ(status("LocalHost:8787", "http://localhost:8787"), 200U);
  EXPECT_EQ(status("localhost", "https://localhost"), 200U);  // behind a proxy
  EXPECT_EQ(status("localhost", "http://localhost:8787"), 403U);
  EXPECT_EQ(status("localhost:8787", "http://127.0.0.1:8787"), 403U);
  EXPECT_EQ(status("localhost:8787", "http://localhost"), 403U);
  EXPECT_EQ(status("localhost:8787", "null"), 403U);
  EXPECT_EQ(status("", std::nullopt), 400U);
}

// Whoever is on the way can write a page that comes without TLS.
TEST(Site, WithTlsTrustsNoPageThatCameWithout) {
  const auto with_tls = [](const char* origin, const Sites& sites = {}) {
    Request request;
    request.is_tls = true;
    request.headers = {{"host", "127.0.0.1:8787"}, {"origin", origin}};
    const auto wrong = refuse_site(request, sites);
    return wrong ? wrong->status : 200U;
  };
  EXPECT_EQ(with_tls("https://127.0.0.1:8787"), 200U);
  EXPECT_EQ(with_tls("http://127.0.0.1:8787"), 403U);
  EXPECT_EQ(with_tls("http://127.0.0.1:8787", {.origins = {"https://127.0.0.1:8787"}}), 403U);
  EXPECT_EQ(with_tls("http://127.0.0.1:8787", {.origins = {"http://127.0.0.1:8787"}}), 200U);
  EXPECT_EQ(status("127.0.0.1:8787", "https://127.0.0.1:8787"), 200U) << "a proxy may take TLS off";
}

TEST(Site, OfAnotherNameIsToldTheFix) {
  Request request;
  request.headers.emplace_back("host", "evil.example");
  const std::optional<Response> wrong = refuse_site(request, {});
  ASSERT_TRUE(wrong);
  EXPECT_EQ(wrong->status, 403U);
  EXPECT_NE(wrong->body->find("add the name to hosts"), std::string::npos);
}

TEST(Site, MayHaveOtherNamesAndOrigins) {
  const Sites sites{.hosts = {"Router.Example.org.", "r"}, .origins = {"https://panel.example.org", "http://b:81"}};
  EXPECT_EQ(status("router.example.org", std::nullopt, sites), 200U);
  EXPECT_EQ(status("router.example.org.:80", "http://router.example.org", sites), 200U);
  EXPECT_EQ(status("r:80", "https://panel.example.org:443", sites), 200U);
  EXPECT_EQ(status("r", "http://b:81", sites), 200U);
  EXPECT_EQ(status("r", "http://b", sites), 403U);
  EXPECT_EQ(status("rr", std::nullopt, sites), 403U);
  EXPECT_EQ(status("panel.example.org", std::nullopt, sites), 403U);
  EXPECT_EQ(status("evil.router.example.org", std::nullopt, sites), 403U);
}

TEST(Site, HeadersThatComeTwiceAreNotTrusted) {
  Request request;
  request.headers = {{"host", "127.0.0.1"}, {"host", "127.0.0.1"}};
  EXPECT_EQ(refuse_site(request, {})->status, 400U);
  request.headers = {{"host", "127.0.0.1:80"}, {"origin", "http://127.0.0.1"}, {"origin", "http://127.0.0.1"}};
  EXPECT_EQ(refuse_site(request, {})->status, 403U);
}

}  // namespace
}  // namespace websocket
