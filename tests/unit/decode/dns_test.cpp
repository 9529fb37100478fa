#include "decode/dns.hpp"

#include "carried_messages.hpp"
#include "decode/headers.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace nfbus::host::test {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

// A copy of exactly this size, so that the address sanitizer sees each byte read beyond it.
class Exact {
 public:
  explicit Exact(const Octets& octets) : size_(octets.size()), octets_(new std::uint8_t[octets.size()]) {
    std::ranges::copy(octets, octets_.get());
  }
  [[nodiscard]] Bytes bytes() const { return {octets_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::uint8_t[]> octets_;
};

std::string error_of(const Octets& message) {
  DnsDecoder decoder;
  const Exact exact(message);
  const nfbus_dns* dns = decoder.decode(exact.bytes());
  EXPECT_EQ(dns == nullptr, !decoder.error().empty());
  return std::string(decoder.error());
}

// The name of the one question of a message that begins with these bytes; what is wrong with it in brackets.
std::string name_of(const Octets& name, const Octets& behind = {}) {
  Octets message = DnsMessage().question(name).octets();
  append(message, behind);
  DnsDecoder decoder;
  const Exact exact(message);
  const nfbus_dns* dns = decoder.decode(exact.bytes());
  return dns == nullptr ? "[" + std::string(decoder.error()) + "]" : std::string(view(dns->records[0]->name));
}

std::string with_labels(std::size_t count, std::size_t label_bytes) {
  std::string out;
  for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : ".") + std::string(label_bytes, 'a');
  return out;
}

TEST(DnsName, IsItsLabelsJoinedByDotsWhateverIsInThem) {
  EXPECT_EQ(name_of(dns_name("www.Example.org")), "www.Example.org");
  EXPECT_EQ(name_of({0}), "");
  const std::string odd("a.b\0\xff", 5);
  Octets name{5};
  append(name, Octets(odd.begin(), odd.end()));
  append(name, dns_name("org"));
  EXPECT_EQ(name_of(name), odd + ".org");
}

TEST(DnsName, FollowsPointersInBothDirections) {
  Octets name{1, 'a'};
  append(name, dns_pointer(DnsMessage::kFirstName + 2 + 2 + 4));  // behind this question
  EXPECT_EQ(name_of(name, dns_name("example.org")), "a.example.org");
}

TEST(DnsName, EndsWhereLabelsOrPointersHaveNoEnd) {
  EXPECT_EQ(name_of(dns_pointer(DnsMessage::kFirstName)), "[DNS: name with a loop of pointers]");
  Octets growing{1, 'a'};
  append(growing, dns_pointer(DnsMessage::kFirstName));
  EXPECT_EQ(name_of(growing), "[DNS: name longer than 255 bytes]");
  Octets fast(1, 63);
  append(fast, Octets(63, 'a'));
  append(fast, dns_pointer(DnsMessage::kFirstName));
  EXPECT_EQ(name_of(fast), "[DNS: name longer than 255 bytes]");
  EXPECT_EQ(name_of({1, 'a', 200, 0}), "[DNS: message cut short]") << "a pointer beyond the message";
}

TEST(DnsName, HasAtMostTwoHundredAndFiftyFourBytesAndManyPointers) {
  const std::string longest = with_labels(3, 63) + "." + std::string(62, 'b');
  ASSERT_EQ(longest.size(), 254U);
  EXPECT_EQ(name_of(dns_name(longest)), longest);
  EXPECT_EQ(name_of(dns_name(longest + "b")), "[DNS: name longer than 255 bytes]");
  EXPECT_EQ(name_of(dns_name(with_labels(127, 1))), with_labels(127, 1));

  // A chain of pointers, each to the next, that ends with the root.
  const auto chain = [](std::size_t jumps) {
    const std::size_t behind = DnsMessage::kFirstName + 2 + 4;
    Octets pointers;
    for (std::size_t i = 1; i < jumps; ++i) append(pointers, dns_pointer(behind + 2 * i));
    append(pointers, {1, 'x', 0});
    return name_of(dns_pointer(behind), pointers);
  };
  EXPECT_EQ(chain(127), "x");
  EXPECT_EQ(chain(128), "[DNS: name with a loop of pointers]");
}

TEST(DnsName, RefusesTheKindsOfLabelsThatNobodyUses) {
  EXPECT_EQ(name_of({0x41, 'a', 0}), "[DNS: label of an unknown kind]");
  EXPECT_EQ(name_of({0x81, 'a', 0}), "[DNS: label of an unknown kind]");
}

// One record of each section and kind, compressed.
Octets rich_message() {
  Octets mx{0, 10};
  append(mx, dns_name("mail"));
  Octets srv{0, 1, 0, 2, 0, 3};
  append(srv, dns_pointer(12));
  Octets soa = dns_name("ns");
  append(soa, dns_pointer(12));
  soa.resize(soa.size() + 20);
  return DnsMessage()
      .question(dns_name("www.example.org"))
      .answer(dns_pointer(12), 5, dns_name("cdn.example.net"))
      .answer(dns_pointer(33 + 12), 1, {192, 0, 2, 1})
      .answer(dns_pointer(12), 15, mx)
      .answer(dns_pointer(12), 33, srv)
      .answer(dns_pointer(12), 16, {2, 'h', 'i', 0})
      .record(2, dns_pointer(16), 6, 1, 60, soa)
      .record(3, {0}, 41, 1232, 0x8000, {0, 10, 0, 2, 1, 2})
      .record(3, dns_name("u"), 256, 1, 60, {0, 1, 0, 2, 'x'})
      .octets();
}

TEST(DnsDecoder, GivesEveryRecordOfAMessageInOrder) {
  DnsDecoder decoder;
  const Exact exact(rich_message());
  const nfbus_dns* dns = decoder.decode(exact.bytes());
  ASSERT_NE(dns, nullptr) << decoder.error();
  EXPECT_EQ(dns->id, 0x1234);
  EXPECT_EQ(dns->flags, 0x8180);
  std::vector<std::string> records;
  for (const nfbus_dns_record* record : std::span(dns->records, dns->record_count)) {
    EXPECT_EQ(record->struct_size, sizeof *record);
    records.push_back(std::to_string(record->section) + " " + std::string(view(record->name)) + " " +
                      std::to_string(record->type) + " " + std::to_string(record->ttl_s) + " " +
                      std::to_string(record->data.size) + " " + std::string(view(record->target)));
  }
  EXPECT_THAT(records, ElementsAre("1 www.example.org 1 0 0 ", "2 www.example.org 5 300 17 cdn.example.net",
                                   "2 cdn.example.net 1 300 4 ", "2 www.example.org 15 300 8 mail",
                                   "2 www.example.org 33 300 8 www.example.org", "2 www.example.org 16 300 4 ",
                                   "3 example.org 6 60 26 ", "4  41 32768 6 ", "4 u 256 60 5 "));
  EXPECT_EQ(dns->records[1]->dns_class, 1);
  EXPECT_EQ(dns->records[7]->dns_class, 1232);
}

TEST(DnsDecoder, IsWholeOrAnErrorWhereverTheMessageEnds) {
  const Octets message = rich_message();
  for (std::size_t size = 0; size < message.size(); ++size) {
    const Octets cut(message.begin(), message.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_NE(error_of(cut), "") << size;
  }
  Octets longer = message;
  append(longer, {1, 2, 3});
  EXPECT_EQ(error_of(longer), "");
}

TEST(DnsDecoder, RefusesDataThatIsNotOfItsType) {
  const auto error = [](std::uint16_t type, const Octets& data) {
    return error_of(DnsMessage().answer({0}, type, data).octets());
  };
  EXPECT_EQ(error(1, {1, 2, 3, 4, 5}), "DNS: address of neither 4 nor 16 bytes");
  EXPECT_EQ(error(5, {1, 'a'}), "DNS: message cut short");
  EXPECT_EQ(error(15, {0}), "DNS: message cut short");
  EXPECT_EQ(error(33, {0, 1, 0, 2, 0, 3}), "DNS: message cut short");
  EXPECT_EQ(error(6, {0, 0, 1, 2, 3}), "DNS: SOA record cut short");
  EXPECT_EQ(error(16, {2, 'a'}), "DNS: text cut short");
  EXPECT_EQ(error(41, {0, 10, 0, 1}), "DNS: option of an OPT record cut short");
  EXPECT_EQ(error(41, {0, 10, 0}), "DNS: option of an OPT record cut short");
  EXPECT_EQ(error(256, {0, 1, 0}), "DNS: URI record cut short");
  EXPECT_EQ(error(65280, {1, 2, 3}), "");
}

TEST(DnsDecoder, TakesRecordsWithoutDataAsUpdatesHaveThem) {
  for (const std::uint16_t type : std::initializer_list<std::uint16_t>{1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 41, 256}) {
    EXPECT_EQ(error_of(DnsMessage(0x2800).record(2, dns_name("a"), type, 255, 0, {}).octets()), "") << type;
  }
}

TEST(DnsDecoder, DecodesSixHundredAnswersWhole) {
  DnsMessage message;
  message.question(dns_name("many.example.org"));
  for (unsigned i = 0; i < 600; ++i) {
    message.answer(dns_pointer(12), 1, {10, 0, static_cast<std::uint8_t>(i >> 8U), static_cast<std::uint8_t>(i)});
  }
  DnsDecoder decoder;
  const nfbus_dns* dns = decoder.decode(message.octets());
  ASSERT_NE(dns, nullptr);
  ASSERT_EQ(dns->record_count, 601U);
  EXPECT_EQ(view(dns->records[600]->name), "many.example.org");
  EXPECT_EQ(dns->records[600]->data.data[3], 599 % 256);
}

TEST(DnsDecoder, DecodesTheLargestMessageOfAddressesOfOneLongName) {
  DnsMessage message;
  message.question(dns_name(with_labels(127, 1)));
  while (message.octets().size() + 16 <= 65535) message.answer(dns_pointer(12), 1, {192, 0, 2, 1});
  EXPECT_EQ(error_of(message.octets()), "");
}

TEST(DnsDecoder, RefusesMoreThanItIsReadyToSpend) {
  // Each owner another of the many suffixes of a long name.
  DnsMessage bomb;
  bomb.question(dns_name(with_labels(127, 1)));
  for (std::size_t i = 0; bomb.octets().size() + 16 <= 65535; ++i) {
    bomb.answer(dns_pointer(12 + 2 * (i % 2)), 1, {192, 0, 2, 1});
  }
  EXPECT_EQ(error_of(bomb.octets()), "DNS: names of more than 256 KiB together");

  DnsMessage targets;
  targets.question(dns_name(with_labels(127, 1)));
  while (targets.octets().size() + 14 <= 65535) targets.answer(dns_pointer(12), 5, dns_pointer(12));
  EXPECT_EQ(error_of(targets.octets()), "DNS: more than 4096 records");

  DnsMessage roots;
  while (roots.octets().size() + 5 <= 65535) roots.question({0});
  EXPECT_EQ(error_of(roots.octets()), "DNS: more than 4096 records");
  EXPECT_EQ(error_of(DnsMessage().announce(1, 65535).octets()),
            "DNS: more records announced than the message can hold");
}

TEST(DnsDecoder, CanBeUsedAgainAfterAnyMessage) {
  DnsDecoder decoder;
  EXPECT_EQ(decoder.decode(Bytes()), nullptr);
  const Octets good = rich_message();
  const Octets other = DnsMessage().question(dns_name("other")).octets();
  const nfbus_dns* before = decoder.decode(good);
  ASSERT_NE(before, nullptr);
  const nfbus_dns_record* const* memory = before->records;
  EXPECT_EQ(decoder.decode(Bytes(good).first(40)), nullptr);
  const nfbus_dns* dns = decoder.decode(other);
  ASSERT_NE(dns, nullptr);
  EXPECT_EQ(dns->record_count, 1U);
  EXPECT_EQ(view(dns->records[0]->name), "other");
  EXPECT_EQ(dns->records, memory) << "taken once";
}

std::string carried(const Octets& data, Carrier by) {
  const CarriedEvent packet(data, by);
  const Bytes message = dns_message(packet.event);
  return {message.begin(), message.end()};
}

const Octets kBytes{'h', 'e', 'l', 'l', 'o', ' ', 'w', 'o', 'r', 'l', 'd', '!'};
const std::string kText = "hello world!";

TEST(DnsMessageOfAPacket, IsFoundByItsPorts) {
  for (const bool ipv6 : {false, true}) {
    EXPECT_EQ(carried(kBytes, {.source_port = 53, .destination_port = 9, .ipv6 = ipv6}), kText);
    EXPECT_EQ(carried(kBytes, {.source_port = 9, .destination_port = 53, .ipv6 = ipv6}), kText);
    EXPECT_EQ(carried(kBytes, {.source_port = 9, .destination_port = 5353, .ipv6 = ipv6}), kText);
    EXPECT_EQ(carried(kBytes, {.source_port = 5353, .destination_port = 9, .ipv6 = ipv6}), kText);
    EXPECT_EQ(carried(kBytes, {.source_port = 9, .destination_port = 9, .ipv6 = ipv6}), "");
    EXPECT_EQ(carried({}, {.ipv6 = ipv6}), "");
  }
  EXPECT_EQ(carried(kBytes, {.source_port = 53, .destination_port = 67}), "") << "as SPR has it";
}

TEST(DnsMessageOfAPacket, IsNotLookedForInFragments) {
  for (const bool ipv6 : {false, true}) {
    EXPECT_EQ(carried(kBytes, {.ipv6 = ipv6, .more_fragments = true}), "");
    EXPECT_EQ(carried(kBytes, {.ipv6 = ipv6, .fragment_offset = 1}), "");
    EXPECT_EQ(carried(kBytes, {.ipv6 = ipv6, .tcp = true, .more_fragments = true}), "");
  }
}

TEST(DnsMessageOfAPacket, IsTheFirstOfASegmentOfWholeMessages) {
  Octets one{0, 12};
  append(one, kBytes);
  Octets two = one;
  append(two, {0, 12});
  append(two, Octets(12));
  Octets cut = two;
  cut.pop_back();
  Octets trailing = one;
  append(trailing, {0});
  for (const bool ipv6 : {false, true}) {
    EXPECT_EQ(carried(one, {.ipv6 = ipv6, .tcp = true}), kText);
    EXPECT_EQ(carried(two, {.ipv6 = ipv6, .tcp = true}), kText);
    EXPECT_EQ(carried(cut, {.ipv6 = ipv6, .tcp = true}), "");
    EXPECT_EQ(carried(trailing, {.ipv6 = ipv6, .tcp = true}), "");
    EXPECT_EQ(carried(kBytes, {.ipv6 = ipv6, .tcp = true}), "");
    EXPECT_EQ(carried({0, 0}, {.ipv6 = ipv6, .tcp = true}), "") << "shorter than a header";
    EXPECT_EQ(carried({}, {.ipv6 = ipv6, .tcp = true}), "");
    EXPECT_EQ(carried(one, {.source_port = 5353, .ipv6 = ipv6, .tcp = true}), "");
  }
}

std::vector<std::pair<std::string, int>> questions_of(const Octets& message) {
  std::vector<std::pair<std::string, int>> out;
  const CarriedEvent packet(message);
  for_each_dns_question(packet.event, [&](std::string_view name, std::uint16_t type) {
    out.emplace_back(name, type);
    return name != "stop";
  });
  return out;
}

TEST(DnsQuestions, AreVisitedInOrderUntilTheVisitorHasEnough) {
  DnsMessage message;
  message.question(dns_name("a.b"), 28).question(dns_pointer(12), 1).question(dns_name("stop"), 1);
  message.question(dns_name("never"), 1);
  EXPECT_THAT(questions_of(message.octets()), ElementsAre(Pair("a.b", 28), Pair("a.b", 1), Pair("stop", 1)));
}

TEST(DnsQuestions, EndWhereTheMessageIsBrokenAndAtABound) {
  const Octets message = DnsMessage().question(dns_name("a.b")).question(dns_name("c")).octets();
  EXPECT_THAT(questions_of(Octets(message.begin(), message.end() - 1)), ElementsAre(Pair("a.b", 1)));
  EXPECT_THAT(questions_of({1, 2, 3}), ElementsAre());
  DnsMessage many;
  for (int i = 0; i < 1000; ++i) many.question(dns_name("x"));
  EXPECT_EQ(questions_of(many.octets()).size(), kMaxDnsQuestionsVisited);
}

// What decoding finds in a packet of which so much was captured, as "names of records|error".
std::string found_in(const Octets& data, const Carrier& by) {
  const CarriedEvent packet(data, by);
  DnsDecoder decoder;
  const CarriedMessage carried = carried_dns(packet.event);
  if (carried.bytes.empty()) return "none";
  std::string found;
  if (const nfbus_dns* dns = decoder.decode(carried)) {
    for (std::uint32_t i = 0; i < dns->record_count; ++i) found += std::string(view(dns->records[i]->name)) + " ";
  }
  return found + "|" + std::string(decoder.error());
}

Octets with_length(const Octets& message) {
  Octets data;
  append16(data, message.size());
  append(data, message);
  return data;
}

const Octets kAnsweredOnce =
    DnsMessage().question(dns_name("a.example"), 1).answer(dns_name("b.example"), 1, {192, 0, 2, 1}).octets();
constexpr const char* kCut = "DNS: message cut by snaplen";

TEST(DnsMessageCutBySnaplen, HasWhatWasCapturedWholeAndBlamesTheCut) {
  const std::size_t question_end = 12 + 11 + 4;
  for (const bool ipv6 : {false, true}) {
    for (const bool tcp : {false, true}) {
      const Octets data = tcp ? with_length(kAnsweredOnce) : kAnsweredOnce;
      const std::size_t headers = (ipv6 ? 40U : 20U) + (tcp ? 22U : 8U);
      for (std::size_t size = 1; size < kAnsweredOnce.size(); ++size) {
        const std::string found = found_in(data, {.ipv6 = ipv6, .tcp = tcp, .snaplen_bytes = headers + size});
        EXPECT_EQ(found, std::string(size < question_end ? "|" : "a.example |") + kCut) << size << tcp << ipv6;
      }
      EXPECT_EQ(found_in(data, {.ipv6 = ipv6, .tcp = tcp, .snaplen_bytes = headers + kAnsweredOnce.size()}),
                "a.example b.example |");
      EXPECT_EQ(found_in(data, {.ipv6 = ipv6, .tcp = tcp}), "a.example b.example |");
      EXPECT_EQ(found_in(data, {.ipv6 = ipv6, .tcp = tcp, .snaplen_bytes = headers}), "none");
    }
  }
}

TEST(DnsMessageCutBySnaplen, IsTheOnlyOneOfWhichTheCutIsBlamed) {
  // All of these are captured whole, or wrong in what was captured.
  Octets shorter = kAnsweredOnce;
  shorter.resize(shorter.size() - 1);
  EXPECT_EQ(found_in(shorter, {}), "|DNS: record longer than the message");
  shorter.resize(20);
  EXPECT_EQ(found_in(shorter, {}), "|DNS: more records announced than the message can hold");
  const Octets wrong = DnsMessage().question({70, 'x'}, 1).question(dns_name("b.example")).octets();
  EXPECT_EQ(found_in(wrong, {.snaplen_bytes = 28 + wrong.size() - 1}), "|DNS: label of an unknown kind");
  const Octets bad_data = DnsMessage()
                              .question(dns_name("a"))
                              .answer(dns_name("b"), 5, {5, 'x'})
                              .answer(dns_name("c"), 1, {192, 0, 2, 1})
                              .octets();
  EXPECT_EQ(found_in(bad_data, {.snaplen_bytes = 28 + bad_data.size() - 1}), "|DNS: message cut short");
}

TEST(DnsMessageCutBySnaplen, IsOneOfASegmentOnlyWhereItEndsWithIt) {
  const Carrier cut{.tcp = true, .snaplen_bytes = 42 + 27};
  Octets more = with_length(kAnsweredOnce);
  append(more, {1, 2, 3});
  EXPECT_EQ(found_in(more, cut), "none");
  // The first of two is whole, of the second a part is there: none of it, or half of its length, too.
  Octets two = with_length(kAnsweredOnce);
  const std::size_t first_end = 40 + two.size();
  append(two, with_length(kAnsweredOnce));
  for (const std::size_t behind : {0, 1, 2, 10}) {
    EXPECT_EQ(found_in(two, {.tcp = true, .snaplen_bytes = first_end + behind}), "a.example b.example |") << behind;
  }
}

}  // namespace
}  // namespace nfbus::host::test
