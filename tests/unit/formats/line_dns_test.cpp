#include "formats/line_dns.hpp"

#include "carried_messages.hpp"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace nfbus::host {
namespace {

using test::CarriedEvent;
using test::dns_name;
using test::dns_pointer;
using test::DnsMessage;
using test::Octets;

constexpr std::uint16_t kQuery = 0x0100;
constexpr std::uint16_t kAnswered = 0x8180;

std::string text_of(const CarriedEvent& carried, std::string_view* broken = nullptr) {
  DnsDecoder decoder;
  fmt::memory_buffer line;
  const std::string_view error = append_dns_text(carried.event, decoder, line);
  if (broken != nullptr) *broken = error;
  return {line.data(), line.size()};
}
std::string text_of(const DnsMessage& message) { return text_of(CarriedEvent(message.octets())); }

// An answer to "A? example.org", whose name stands in the question.
DnsMessage answered(std::uint16_t flags = kAnswered) {
  return DnsMessage(flags).question(dns_name("example.org"), kDnsTypeA);
}
const Octets kAsked = dns_pointer(DnsMessage::kFirstName);

TEST(DnsText, OfAQueryIsItsTypeAndName) {
  EXPECT_EQ(text_of(DnsMessage(kQuery).question(dns_name("www.example.org"), 28)), " DNS AAAA? www.example.org");
  EXPECT_EQ(text_of(DnsMessage(kQuery).question(dns_name("www.example.org"), 65)), " DNS HTTPS? www.example.org");
  EXPECT_EQ(text_of(DnsMessage(kQuery).question(dns_name(""), 1000)), " DNS TYPE1000? .");
}

TEST(DnsText, OfAResponseHasItsFirstAnswers) {
  DnsMessage message = answered();
  message.answer(kAsked, kDnsTypeCname, dns_name("cdn.example.net"));
  for (std::uint8_t i = 1; i <= 4; ++i) message.answer(kAsked, kDnsTypeA, {192, 0, 2, i});
  EXPECT_EQ(text_of(message), " DNS A example.org = CNAME cdn.example.net, 192.0.2.1, 192.0.2.2, +2 more");
}

TEST(DnsText, SaysTheTypeOfAnAnswerOnlyWhereItWasNotAskedFor) {
  EXPECT_EQ(text_of(DnsMessage()
                        .question(dns_name("1.2.0.192.in-addr.arpa"), kDnsTypePtr)
                        .answer(kAsked, kDnsTypePtr, dns_name("host.example.org"))),
            " DNS PTR 1.2.0.192.in-addr.arpa = host.example.org");
  EXPECT_EQ(text_of(DnsMessage().question(dns_name("example.org"), kDnsTypeTxt).answer(kAsked, kDnsTypeTxt, {1, 'x'})),
            " DNS TXT example.org = TXT of 2 B");
  EXPECT_EQ(text_of(answered().answer(kAsked, kDnsTypeA, {})), " DNS A example.org = A of 0 B");
}

TEST(DnsText, OfAResponseWithoutAnswersIsItsCode) {
  EXPECT_EQ(text_of(answered(0x8183)), " DNS A example.org NXDOMAIN");
  EXPECT_EQ(text_of(answered(0x8185)), " DNS A example.org REFUSED");
  EXPECT_EQ(text_of(answered(0x8189)), " DNS A example.org RCODE9");
  // Names of servers are no answer.
  EXPECT_EQ(text_of(answered().record(2, kAsked, kDnsTypeNs, 1, 60, dns_name("ns.example.org"))),
            " DNS A example.org no answer");
}

TEST(DnsText, OfAnAnnouncementIsItsFirstAnswersName) {
  const DnsMessage message = DnsMessage(0x8400).answer(dns_name("printer.local"), kDnsTypeA, {10, 0, 0, 9});
  const CarriedEvent carried(message.octets(), {.source_port = 5353, .destination_port = 5353, .ipv6 = true});
  EXPECT_EQ(text_of(carried), " DNS A printer.local = 10.0.0.9");
}

TEST(DnsText, NamesOtherOperationsByNumber) {
  EXPECT_EQ(text_of(DnsMessage(0x2000).question(dns_name("example.org"), kDnsTypeSoa)),
            " DNS opcode 4 SOA? example.org");
}

TEST(DnsText, NeverLetsANameSteerTheTerminal) {
  EXPECT_EQ(text_of(DnsMessage(kQuery).question(dns_name("\x1b]0;x\x07\xc2\x9b\xff\n.org"))),
            R"( DNS A? \x1b]0;x\x07\u009b\xff\x0a.org)");
  EXPECT_EQ(text_of(answered().answer(kAsked, kDnsTypeCname, dns_name("\x1b[2J"))),
            R"( DNS A example.org = CNAME \x1b[2J)");
}

TEST(DnsText, OfABrokenMessageIsItsQuestionAndWhatIsWrong) {
  std::string_view broken;
  EXPECT_EQ(text_of(CarriedEvent(answered().announce(1, 1).octets()), &broken), " DNS A example.org");
  EXPECT_FALSE(broken.empty());
  EXPECT_EQ(text_of(CarriedEvent(Octets{1, 2, 3}), &broken), " DNS");
  EXPECT_FALSE(broken.empty());
  EXPECT_EQ(text_of(CarriedEvent(answered().octets()), &broken), " DNS A example.org no answer");
  EXPECT_TRUE(broken.empty());
}

TEST(DnsText, IsNothingForOtherPackets) {
  EXPECT_EQ(text_of(CarriedEvent(answered().octets(), {.source_port = 54})), "");
  EXPECT_EQ(text_of(CarriedEvent({}, {.tcp = true})), "");
}

TEST(DnsText, OfAMessageThatSnaplenCutIsWhatWasCapturedOfIt) {
  const Octets octets =
      answered().answer(kAsked, kDnsTypeA, {192, 0, 2, 1}).answer(kAsked, kDnsTypeA, {192, 0, 2, 2}).octets();
  std::string_view broken;
  const auto cut_by = [&](std::size_t bytes) {
    return text_of(CarriedEvent(octets, {.snaplen_bytes = 28 + octets.size() - bytes}), &broken);
  };
  EXPECT_EQ(cut_by(1), " DNS A example.org = 192.0.2.1");
  EXPECT_EQ(broken, "DNS: message cut by snaplen");
  EXPECT_EQ(cut_by(20), " DNS A example.org");
  EXPECT_EQ(broken, "DNS: message cut by snaplen");
  EXPECT_EQ(cut_by(40), " DNS");
  EXPECT_EQ(broken, "DNS: message cut by snaplen");
}

}  // namespace
}  // namespace nfbus::host
