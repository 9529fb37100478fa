// Any bytes as what a datagram from port 53 carries, and as a TCP segment: decoded, rendered, its questions visited.
#include "carried_messages.hpp"
#include "check_layer.hpp"

#include "decode/dns.hpp"
#include "formats/packet_dns.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace {

using nfbus::fuzz::must;
using namespace nfbus::host;

std::vector<std::string> visited(const nfbus_event& event) {
  std::vector<std::string> names;
  for_each_dns_question(event, [&](std::string_view name, std::uint16_t /*type*/) {
    names.emplace_back(name);
    return true;
  });
  must(names.size() <= kMaxDnsQuestionsVisited, "the number of questions visited is bounded");
  return names;
}

void check_names(const nfbus_dns& dns, Bytes message, const std::vector<std::string>& questions) {
  std::size_t question = 0;
  for (const nfbus_dns_record* record : std::span(dns.records, dns.record_count)) {
    must(record->name.size <= kMaxDnsNameBytes && record->target.size <= kMaxDnsNameBytes, "names are bounded");
    const std::uint8_t* const end = message.data() + message.size();
    must(
        record->data.size == 0 || (record->data.data >= message.data() && record->data.data + record->data.size <= end),
        "data lies in the message");
    if (record->section != NFBUS_DNS_QUESTION || question == kMaxDnsQuestionsVisited) continue;
    must(question < questions.size() && questions[question] == view(record->name), "questions are visited in order");
    ++question;
  }
}

void check(const nfbus_event& event) {
  const CarriedMessage carried = carried_dns(event);
  const Bytes message = carried.bytes;
  const std::vector<std::string> questions = visited(event);
  static DnsDecoder decoder;
  const nfbus_dns* dns = decoder.decode(carried);
  const bool is_cut = decoder.error() == "DNS: message cut by snaplen";
  must(is_cut || (dns == nullptr) != decoder.error().empty(), "a message is whole, cut or an error");
  must(!is_cut || carried.wire_bytes > message.size(), "what was captured whole was not cut");
  std::size_t most_bytes = 0;
  if (dns != nullptr) {
    must(dns->record_count <= kMaxDnsRecords, "the number of records is bounded");
    check_names(*dns, message, questions);
    most_bytes = 640UL * (dns->record_count + 1) + 16 * message.size();
    for (const nfbus_dns_record* record : std::span(dns->records, dns->record_count)) {
      most_bytes += 16 * (record->name.size + record->target.size);
      if (record->type == kDnsTypeSoa) most_bytes += 32 * kMaxDnsNameBytes;
    }
  }
  must(nfbus::fuzz::check_layer(append_dns, event, most_bytes) == (dns != nullptr), "what decodes is shown");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65000) return 0;
  const test::Octets octets(data, data + size);
  check(test::CarriedEvent(octets).event);
  check(test::CarriedEvent(octets, {.ipv6 = true, .tcp = true}).event);
  return 0;
}
