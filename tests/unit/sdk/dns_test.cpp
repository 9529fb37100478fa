#include <nfbus/dns.hpp>
//
#include <nfbus/testing/fake_host.hpp>

#include <nfbus/host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using testing::ElementsAre;

const std::string kIpv4{"\xc0\x00\x02\x01", 4};

class DnsTest : public testing::Test {
 protected:
  nfbus::test::FakeDns& message_of_first(std::uint16_t flags = 0x8180) {
    auto& message = fake_.dns_messages[&batch_.event(0)];
    message = std::make_unique<nfbus::test::FakeDns>(flags);
    return *message;
  }
  [[nodiscard]] nfbus::Event event(std::size_t index) { return nfbus::Event(&batch_.event(index)); }

  nfbus::test::FakeHost fake_;
  nfbus::test::Batch batch_{{"one", "two"}};
  nfbus::Host host_{fake_.raw()};
};

TEST_F(DnsTest, IsThereOnlyForEventsThatCarryAMessage) {
  message_of_first();
  EXPECT_TRUE(host_.dns(event(0)));
  EXPECT_FALSE(host_.dns(event(1)));
}

TEST_F(DnsTest, IsARangeOfQuestionsAndRecords) {
  message_of_first()
      .add(NFBUS_DNS_QUESTION, 1, "www.example.org")
      .add(NFBUS_DNS_ANSWER, 5, "www.example.org", "", "cdn.example.net", 60)
      .add(NFBUS_DNS_ANSWER, 1, "cdn.example.net", kIpv4);
  const auto dns = host_.dns(event(0));
  ASSERT_TRUE(dns);
  std::vector<std::string> seen;
  for (const nfbus::DnsRecord record : *dns) {
    seen.push_back(std::string(record.name()) + " " + std::string(record.target()) + " " +
                   std::string(record.address().view()) + " " + std::to_string(record.ttl_s()));
  }
  EXPECT_THAT(seen, ElementsAre("www.example.org   0", "www.example.org cdn.example.net  60",
                                "cdn.example.net  192.0.2.1 300"));
  EXPECT_TRUE((*dns)[0].is_question());
  EXPECT_TRUE((*dns)[2].is_answer());
  EXPECT_EQ((*dns)[1].type(), nfbus::DnsType::cname);
  EXPECT_EQ(dns->size(), 3U);
}

TEST_F(DnsTest, ReadsTheFlagsOfTheHeader) {
  message_of_first(0x8180);
  EXPECT_TRUE(host_.dns(event(0))->is_response());
  EXPECT_EQ(host_.dns(event(0))->response_code(), 0);
  message_of_first(0x2a03);
  EXPECT_FALSE(host_.dns(event(0))->is_response());
  EXPECT_TRUE(host_.dns(event(0))->is_truncated());
  EXPECT_EQ(host_.dns(event(0))->opcode(), 5);
  EXPECT_EQ(host_.dns(event(0))->response_code(), 3);
}

TEST_F(DnsTest, GivesAddressesOnlyOfTheRightTypeAndSize) {
  const std::string ipv6{"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", 16};
  message_of_first()
      .add(NFBUS_DNS_ANSWER, 28, "a", ipv6)
      .add(NFBUS_DNS_ANSWER, 1, "a", ipv6)
      .add(NFBUS_DNS_ANSWER, 28, "a", kIpv4)
      .add(NFBUS_DNS_ANSWER, 16, "a", kIpv4)
      .add(NFBUS_DNS_ANSWER, 1, "a");
  const auto dns = host_.dns(event(0));
  EXPECT_EQ((*dns)[0].address().view(), "2001:db8::1");
  for (std::uint32_t i = 1; i < dns->size(); ++i) EXPECT_TRUE((*dns)[i].address().empty()) << i;
}

}  // namespace
