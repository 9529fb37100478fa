#include "formats/line_dns.hpp"

#include "event/event.hpp"
#include "support/printable.hpp"

#include <nfbus/event.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <utility>

namespace nfbus::host {

namespace {

using Line = fmt::memory_buffer;

constexpr std::size_t kMostAnswers = 3;

template <typename... Values>
void add(Line& line, fmt::format_string<Values...> format, Values&&... values) {
  fmt::format_to(std::back_inserter(line), format, std::forward<Values>(values)...);
}

std::string type_name(std::uint16_t type) {  // IANA, resource record types; RFC 3597, section 5
  switch (type) {
    case kDnsTypeA: return "A";
    case kDnsTypeNs: return "NS";
    case kDnsTypeCname: return "CNAME";
    case kDnsTypeSoa: return "SOA";
    case kDnsTypePtr: return "PTR";
    case kDnsTypeHinfo: return "HINFO";
    case kDnsTypeMx: return "MX";
    case kDnsTypeTxt: return "TXT";
    case kDnsTypeAaaa: return "AAAA";
    case kDnsTypeSrv: return "SRV";
    case 35: return "NAPTR";
    case 43: return "DS";
    case 46: return "RRSIG";
    case 47: return "NSEC";
    case 48: return "DNSKEY";
    case 64: return "SVCB";
    case 65: return "HTTPS";
    case 255: return "ANY";
    case kDnsTypeUri: return "URI";
    case 257: return "CAA";
    default: return fmt::format("TYPE{}", type);
  }
}

std::string response_code_name(unsigned code) {  // IANA, DNS RCODEs
  switch (code) {
    case 1: return "FORMERR";
    case 2: return "SERVFAIL";
    case 3: return "NXDOMAIN";
    case 4: return "NOTIMP";
    case 5: return "REFUSED";
    default: return fmt::format("RCODE{}", code);
  }
}

std::string name_text(std::string_view name) { return name.empty() ? "." : printable(name); }

// asked: the type of the question, which need not be said again.
std::string answer_text(const nfbus_dns_record& record, std::uint16_t asked) {
  std::string text;
  if ((record.type == kDnsTypeA && record.data.size == 4) || (record.type == kDnsTypeAaaa && record.data.size == 16)) {
    text = AddressText({record.data.data, record.data.size}).view();
  } else if (record.type == kDnsTypeNs || record.type == kDnsTypeCname || record.type == kDnsTypePtr ||
             record.type == kDnsTypeMx || record.type == kDnsTypeSrv) {
    text = name_text(view(record.target));
  } else {
    return fmt::format("{} of {} B", type_name(record.type), record.data.size);
  }
  return record.type == asked ? text : fmt::format("{} {}", type_name(record.type), text);
}

void add_answers(Line& line, std::span<const nfbus_dns_record* const> records, std::uint16_t asked, bool whole) {
  std::size_t answers = 0;
  for (const nfbus_dns_record* record : records) {
    if (record->section != NFBUS_DNS_ANSWER || answers++ >= kMostAnswers) continue;
    add(line, "{} {}", answers == 1 ? " =" : ",", answer_text(*record, asked));
  }
  if (answers > kMostAnswers) add(line, ", +{} more", answers - kMostAnswers);
  if (answers == 0 && whole) add(line, " no answer");
}

void add_first_question(Line& line, const nfbus_event& event) {
  std::array<char, kMaxDnsNameBytes + 1> bytes{};
  std::string_view first;
  std::uint16_t asked = 0;
  bool found = false;
  for_each_dns_question(event, [&](std::string_view name, std::uint16_t type) noexcept {  // it must not throw
    first = {bytes.data(), name.copy(bytes.data(), bytes.size())};
    asked = type;
    found = true;
    return false;
  });
  if (found) add(line, " {} {}", type_name(asked), name_text(first));
}

}  // namespace

std::string_view append_dns_text(const nfbus_event& event, DnsDecoder& decoder, Line& line) {
  const CarriedMessage message = carried_dns(event);
  if (message.bytes.empty()) return {};
  add(line, " DNS");
  const nfbus_dns* const dns = decoder.decode(message);
  if (dns == nullptr) {
    add_first_question(line, event);
    return decoder.error();
  }
  const bool response = (dns->flags >> 15U) != 0;  // RFC 1035, section 4.1.1
  const unsigned opcode = dns->flags >> 11U & 0xfU;
  const unsigned code = dns->flags & 0xfU;
  const std::span records(dns->records, dns->record_count);
  if (opcode != 0) add(line, " opcode {}", opcode);
  std::uint16_t asked = 0;
  if (!records.empty()) {  // an announcement of mDNS has answers alone
    asked = records.front()->type;
    add(line, " {}{} {}", type_name(asked), response ? "" : "?", name_text(view(records.front()->name)));
  }
  if (!response) return decoder.error();
  if (code != 0) {
    add(line, " {}", response_code_name(code));
  } else {
    add_answers(line, records, asked, decoder.error().empty());
  }
  return decoder.error();
}

}  // namespace nfbus::host
