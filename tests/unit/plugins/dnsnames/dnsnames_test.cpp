#include <nfbus/testing/fake_host.hpp>
#include <nfbus/testing/fake_packets.hpp>

#include <arpa/inet.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace {

using nfbus::test::Batch;
using nfbus::test::FilterDriver;
using nfbus::test::Packet;
using nfbus::test::Packets;
using nfbus::test::Values;
using testing::Each;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::uint16_t kResponse = 0x8180;

struct Answer {
  std::string owner;
  std::uint16_t type;
  std::uint32_t ttl_s;
  std::string value;  // an address, or a CNAME's target
  std::uint16_t section = NFBUS_DNS_ANSWER;
  std::uint16_t dns_class = 1;
};

struct Response {
  std::string question;  // empty: none
  std::vector<Answer> answers;
  std::uint16_t flags = kResponse;
};

class DnsNamesTest : public testing::Test {
 protected:
  void make(std::int64_t max_entries = 1000, std::int64_t min_ttl_s = 0, std::int64_t max_ttl_s = 604800) {
    filter_.emplace(nfbus::test::plugin(),
                    Values{{"/max_entries", max_entries}, {"/min_ttl_s", min_ttl_s}, {"/max_ttl_s", max_ttl_s}});
    ASSERT_TRUE(filter_->created()) << filter_->error();
  }

  static Packet answer_packet(std::int64_t time_s) {
    return {.source = "192.0.2.53",
            .destination = "192.0.2.7",
            .protocol = 17,
            .source_port = 53,
            .destination_port = 40000,
            .time_ns = time_s * kSecondNs};
  }

  // The response arrives in this packet; returns what the filter made of it.
  std::string teach(const Response& response, std::int64_t time_s = 0) {
    return teach(response, answer_packet(time_s));
  }
  std::string teach(const Response& response, const Packet& packet, std::uint8_t action = NFBUS_ACTION_ALLOWED) {
    Packets packets;
    nfbus_event& event = packets.add(packet);
    event.action = action;
    carry(event, response);
    return filter_->apply(packets.items()).front();
  }

  // What the filter adds to a packet between the two at this time; empty: nothing.
  std::string names(const std::string& source, const std::string& destination, std::int64_t time_s = 0) {
    const Packets packets({{.source = source, .destination = destination, .time_ns = time_s * kSecondNs}});
    const std::string judged = filter_->apply(packets.items()).front();
    EXPECT_EQ(judged.substr(0, 4), "keep");
    return judged.size() > 5 ? judged.substr(5) : "";
  }
  std::string name_of(const std::string& address, std::int64_t time_s = 0) {
    const bool v6 = address.find(':') != std::string::npos;
    const std::string found = names(v6 ? "2001:db8:ffff::1" : "203.0.113.77", address, time_s);
    return found.empty() ? "" : found.substr(std::string("RecentDomainDst=").size());
  }

  void carry(nfbus_event& event, const Response& response) {
    auto message = std::make_unique<nfbus::test::FakeDns>(response.flags);
    if (!response.question.empty()) message->add(NFBUS_DNS_QUESTION, 1, response.question);
    for (const Answer& answer : response.answers) {
      std::string data(answer.type == 28 ? 16 : 4, '\0');
      const bool is_address = inet_pton(answer.type == 28 ? AF_INET6 : AF_INET, answer.value.c_str(), data.data()) == 1;
      message->add(answer.section, answer.type, answer.owner, is_address ? data : "", is_address ? "" : answer.value,
                   answer.ttl_s, answer.dns_class);
    }
    filter_->host.dns_messages[&event] = std::move(message);
  }

  std::optional<FilterDriver> filter_;
};

TEST_F(DnsNamesTest, NamesBothEndsOfLaterPackets) {
  make();
  EXPECT_EQ(teach({"www.example.org", {{"www.example.org", 1, 300, "198.51.100.1"}}}), "keep");
  EXPECT_EQ(teach({"lan.example.org", {{"lan.example.org", 1, 300, "192.0.2.9"}}}), "keep");
  EXPECT_EQ(names("192.0.2.9", "198.51.100.1"), "RecentDomainSrc=lan.example.org RecentDomainDst=www.example.org");
  EXPECT_EQ(names("198.51.100.1", "192.0.2.200"), "RecentDomainSrc=www.example.org");
  EXPECT_EQ(names("192.0.2.200", "192.0.2.201"), "");
  EXPECT_EQ(filter_->counter("learned"), 2U);
  EXPECT_EQ(filter_->counter("annotated"), 2U);
}

TEST_F(DnsNamesTest, NamesPacketsOfTheBatchThatTaughtIt) {
  make();
  Packets packets;
  packets.add({.destination = "198.51.100.1"});
  carry(packets.add(answer_packet(0)), {"www.example.org", {{"www.example.org", 1, 300, "198.51.100.1"}}});
  packets.add({.destination = "198.51.100.1"});
  EXPECT_THAT(filter_->apply(packets.items()), ElementsAre("keep", "keep", "keep RecentDomainDst=www.example.org"));
}

TEST_F(DnsNamesTest, LearnsIpv6AndTellsItFromIpv4) {
  make();
  teach(
      {"six.example.org", {{"six.example.org", 28, 300, "2001:db8::1"}, {"six.example.org", 28, 300, "::c633:6401"}}});
  EXPECT_EQ(name_of("2001:db8::1"), "six.example.org");
  EXPECT_EQ(name_of("198.51.100.1"), "") << "the last four bytes alone are another address";
}

TEST_F(DnsNamesTest, ShowsTheNameThatWasAskedBehindAnyCnames) {
  make();
  teach({"www.example.org",
         {{"edge.cdn.example", 1, 300, "198.51.100.1"},  // before the records that lead to it
          {"cdn.example", 5, 300, "edge.cdn.example"},
          {"WWW.example.org", 5, 300, "CDN.example"}}});
  EXPECT_EQ(name_of("198.51.100.1"), "www.example.org");
}

TEST_F(DnsNamesTest, LearnsNothingOfNamesThatTheQuestionDoesNotLeadTo) {
  make();
  teach({"evil.example", {{"bank.example", 1, 300, "198.51.100.1"}, {"evil.example", 1, 300, "198.51.100.2"}}});
  teach({"evil.example", {{"evil.example", 1, 300, "198.51.100.3", NFBUS_DNS_ADDITIONAL}}});
  teach({"evil.example", {{"evil.example", 1, 300, "198.51.100.4", NFBUS_DNS_ANSWER, 3}}});
  EXPECT_EQ(name_of("198.51.100.1"), "");
  EXPECT_EQ(name_of("198.51.100.2"), "evil.example");
  EXPECT_EQ(name_of("198.51.100.3"), "") << "additional records answer nothing";
  EXPECT_EQ(name_of("198.51.100.4"), "") << "of another class";
}

TEST_F(DnsNamesTest, EndsWhereCnamesLeadInACircle) {
  make();
  Response response{"a.example", {{"a.example", 5, 300, "b.example"}, {"b.example", 5, 300, "a.example"}}};
  for (int i = 0; i < 600; ++i) {
    response.answers.push_back({"x" + std::to_string(i), 5, 300, "x" + std::to_string(i + 1)});
  }
  response.answers.push_back({"b.example", 1, 300, "198.51.100.1"});
  teach(response);
  EXPECT_EQ(name_of("198.51.100.1"), "a.example");
}

TEST_F(DnsNamesTest, ForgetsANameWhenItsRecordEnds) {
  make();
  teach({"www.example.org", {{"www.example.org", 1, 60, "198.51.100.1"}}}, 1000);
  EXPECT_EQ(name_of("198.51.100.1", 1059), "www.example.org");
  EXPECT_EQ(name_of("198.51.100.1", 1060), "");
  EXPECT_EQ(name_of("198.51.100.1", 900), "www.example.org") << "the clock was set back";
}

TEST_F(DnsNamesTest, KeepsANameNoLongerThanTheCnameThatLeadsToIt) {
  make();
  teach({"www.example.org", {{"www.example.org", 5, 10, "cdn.example"}, {"cdn.example", 1, 300, "198.51.100.1"}}});
  EXPECT_EQ(name_of("198.51.100.1", 9), "www.example.org");
  EXPECT_EQ(name_of("198.51.100.1", 10), "");
}

TEST_F(DnsNamesTest, KeepsTtlsWithinItsLimits) {
  make(1000, 30, 100);
  teach({"short.example", {{"short.example", 1, 0, "198.51.100.1"}}});
  teach({"long.example", {{"long.example", 1, 0xffffffff, "198.51.100.2"}}});
  EXPECT_EQ(name_of("198.51.100.1", 29), "short.example");
  EXPECT_EQ(name_of("198.51.100.1", 30), "");
  EXPECT_EQ(name_of("198.51.100.2", 99), "long.example");
  EXPECT_EQ(name_of("198.51.100.2", 100), "");
}

TEST_F(DnsNamesTest, ShowsTheLastNameThatLedToAnAddress) {
  make();
  teach({"one.example", {{"one.example", 1, 300, "198.51.100.1"}}}, 0);
  teach({"Two.Example", {{"tWo.eXample", 1, 20, "198.51.100.1"}}}, 10);
  EXPECT_EQ(name_of("198.51.100.1", 11), "two.example");
  EXPECT_EQ(name_of("198.51.100.1", 31), "");
}

TEST_F(DnsNamesTest, LearnsFromGoodResponsesAlone) {
  make();
  const std::vector<Answer> answers = {{"www.example.org", 1, 300, "198.51.100.1"}};
  teach({"www.example.org", answers, 0x0100});  // a query
  teach({"www.example.org", answers, 0x8183});  // NXDOMAIN
  teach({"www.example.org", answers, 0xa800});  // an update's
  teach({"", answers});                         // nobody asked
  EXPECT_EQ(name_of("198.51.100.1"), "");
  EXPECT_EQ(filter_->counter("learned"), 0U);
}

TEST_F(DnsNamesTest, LearnsFromServersThatTheFirewallLetIn) {
  make();
  const Response response{"www.example.org", {{"www.example.org", 1, 300, "198.51.100.1"}}};
  Packet packet = answer_packet(0);
  packet.source_port = 40000;
  packet.destination_port = 53;
  teach(response, packet);
  EXPECT_EQ(name_of("198.51.100.1"), "");
  teach(response, answer_packet(0), NFBUS_ACTION_BLOCKED);
  EXPECT_EQ(name_of("198.51.100.1"), "");
  packet = answer_packet(0);
  packet.protocol = 6;
  teach(response, packet);
  EXPECT_EQ(name_of("198.51.100.1"), "www.example.org");
}

TEST_F(DnsNamesTest, LearnsLocalNamesFromMulticastDns) {
  make();
  Packet packet = answer_packet(0);
  packet.source_port = packet.destination_port = 5353;
  teach({"",
         {{"printer.local", 1, 120, "192.0.2.20", NFBUS_DNS_ANSWER, 0x8001},
          {"Printer.local.", 28, 120, "fe80::20", NFBUS_DNS_ADDITIONAL, 0x8001},
          {"www.example.org", 1, 120, "192.0.2.21"}},
         0x8400},
        packet);
  EXPECT_EQ(name_of("192.0.2.20"), "printer.local");
  EXPECT_EQ(name_of("fe80::20"), "printer.local");
  EXPECT_EQ(name_of("192.0.2.21"), "") << "not a name that multicast DNS speaks of";
  teach({"", {{"printer.local", 1, 0, "192.0.2.20"}}, 0x8400}, packet);
  EXPECT_EQ(name_of("192.0.2.20"), "") << "it said goodbye";
}

TEST_F(DnsNamesTest, BoundsItsMemoryAndForgetsWhatWasTaughtTheLongestTimeAgo) {
  make(2);
  for (const char* last : {"1", "2", "1", "3"}) {
    teach({std::string("n") + last, {{std::string("n") + last, 1, 300, std::string("198.51.100.") + last}}});
  }
  EXPECT_EQ(name_of("198.51.100.1"), "n1");
  EXPECT_EQ(name_of("198.51.100.2"), "");
  EXPECT_EQ(name_of("198.51.100.3"), "n3");
  EXPECT_EQ(filter_->counter("forgotten"), 1U);
}

TEST_F(DnsNamesTest, LearnsFromTheMessagesOfADnsServer) {
  make();
  EXPECT_THAT(filter_->host.listened, ElementsAre("dns:serve:"));
  Batch messages({R"({"Q":[{"Name":"Example.org.","Qtype":1,"Qclass":1}],
                      "A":[{"Hdr":{"Name":"example.org.","Rrtype":5,"Class":1,"Ttl":300},"Target":"cdn.example."},
                           {"Hdr":{"Name":"cdn.example.","Rrtype":16,"Class":1,"Ttl":300},"Txt":["x"]},
                           {"Hdr":{"Name":"cdn.example.","Rrtype":1,"Class":1,"Ttl":300},"A":"198.51.100.1"},
                           {"Hdr":{"Name":"cdn.example.","Rrtype":28,"Class":1,"Ttl":20},"AAAA":"2001:db8::1"}]})"});
  messages.event(0).time_ns = 1000 * kSecondNs;
  EXPECT_EQ(filter_->hear(messages), NFBUS_OK);
  EXPECT_EQ(name_of("198.51.100.1", 1299), "example.org");
  EXPECT_EQ(name_of("198.51.100.1", 1300), "");
  EXPECT_EQ(name_of("2001:db8::1", 1019), "example.org");
  EXPECT_EQ(name_of("2001:db8::1", 1020), "");
  EXPECT_EQ(filter_->counter("malformed"), 0U);
}

TEST_F(DnsNamesTest, CountsMalformedMessagesAndLearnsNothingFromThem) {
  make();
  const std::string good = R"({"Hdr":{"Name":"a.","Rrtype":1,"Ttl":300},"A":"198.51.100.1"})";
  const std::vector<std::string> wrong = {
      "",
      "not json",
      "[]",
      "{}",
      R"({"Q":[],"A":[]})",
      R"({"Q":[{"Name":7}],"A":[]})",
      R"({"Q":[{"Name":"a."}]})",
      R"({"Q":[{"Name":"a."}],"A":{}})",
      R"({"Q":[{"Name":"a."}],"A":[)" + good + R"(,{"Hdr":{"Name":"a.","Rrtype":1,"Ttl":300},"A":"1.2.3"}]})",
      R"({"Q":[{"Name":"a."}],"A":[)" + good + R"(,{"Hdr":{"Name":"a.","Rrtype":28,"Ttl":300},"A":"1.2.3.4"}]})",
      R"({"Q":[{"Name":"a."}],"A":[)" + good + R"(,{"Hdr":{"Name":"a.","Rrtype":5,"Ttl":300}}]})",
      R"({"Q":[{"Name":"a."}],"A":[)" + good + R"(,{"A":"198.51.100.2"}]})",
      R"({"Q":[{"Name":"a."}],"A":[)" + good + ",7]}",
      std::string(100'000, '['),
      R"({"Q":[{"Name":"a."}],"A":[)" + good + R"(],"x":)" + std::string(64, '[') + std::string(64, ']') + "}",
      R"({"Q":[{"Name":"a."}],"A":[{"Hdr":{"Name":"a.","Rrtype":65537,"Ttl":300},"A":"198.51.100.1"}]})",
      R"({"Q":[{"Name":"a."}],"A":[{"Hdr":{"Name":"a.","Rrtype":1,"Ttl":1e300},"A":"198.51.100.1"}]})",
  };
  EXPECT_EQ(filter_->hear(Batch(wrong)), NFBUS_OK);
  EXPECT_EQ(filter_->counter("malformed"), wrong.size());
  EXPECT_EQ(name_of("198.51.100.1"), "");
  EXPECT_EQ(filter_->hear(Batch({R"({"Q":[{"Name":"a."}],"A":null})"})), NFBUS_OK);
  EXPECT_EQ(filter_->counter("malformed"), wrong.size()) << "no answers are not wrong";
}

TEST_F(DnsNamesTest, TellsNobodyThatItKnowsNothing) {
  make();
  const Packets packets({{}, {.source = ""}, {.source = "2001:db8::1", .destination = "2001:db8::2"}});
  EXPECT_THAT(filter_->apply(packets.items()), Each("keep"));
}

TEST_F(DnsNamesTest, RefusesLimitsThatContradictEachOther) {
  FilterDriver filter(
      nfbus::test::plugin(),
      Values{{"/max_entries", std::int64_t{10}}, {"/min_ttl_s", std::int64_t{100}}, {"/max_ttl_s", std::int64_t{10}}});
  EXPECT_FALSE(filter.created());
  EXPECT_EQ(filter.error(), "min_ttl_s is larger than max_ttl_s");
}

}  // namespace
