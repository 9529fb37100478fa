#include "formats/packet_dns.hpp"

#include "decode/dns.hpp"
#include "decode/headers.hpp"
#include "event/event.hpp"
#include "formats/json_writer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

namespace nfbus::host {

namespace {

using json::put;
using json::put_base64_string;
using json::put_u32;

// More than the texts and numbers of the header, and of a record without its names and data.
constexpr std::size_t kHeaderRoom = 512;
constexpr std::size_t kRecordRoom = 640;
// A byte of data stands in Data, TXT and TXTs: none takes more than these together, options of four bytes included.
constexpr std::size_t kRoomPerByte = 12;

// The root is null.
char* put_name(char* out, std::string_view name) noexcept {
  if (name.empty()) return put(out, "null");
  return put_base64_string(out, {reinterpret_cast<const std::uint8_t*>(name.data()), name.size()});
}

char* put_bit(char* out, std::uint16_t flags, unsigned bit) noexcept {
  return (flags >> bit & 1U) != 0 ? put(out, "true") : put(out, "false");
}

// As Go writes addresses: an IPv4 address mapped to IPv6 is IPv4, and no other ends with dots.
char* put_address(char* out, Bytes data) noexcept {
  if (data.size() == 4) return json::put_ipv4(out, data.first<4>());
  const auto address = data.first<16>();
  constexpr std::array<std::uint8_t, 12> kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (std::ranges::equal(address.first<12>(), kMapped)) return json::put_ipv4(out, address.last<4>());
  const std::uint16_t low = load_be16(address.subspan<12, 2>());
  if (low == 0 || !std::ranges::all_of(address.first<12>(), [](std::uint8_t byte) { return byte == 0; })) {
    return json::put_ipv6(out, address);
  }
  const auto put_hex = [](char* at, std::uint16_t group) noexcept { return std::to_chars(at, at + 4, group, 16).ptr; };
  return put_hex(put(put_hex(put(out, "::"), low), ":"), load_be16(address.last<2>()));
}

char* put_strings(char* out, Bytes data) noexcept {
  out = put(out, "[");
  const char* const first = out;
  static_cast<void>(for_each_dns_string(data, [&](Bytes text) {
    if (out != first) out = put(out, ",");
    out = put_base64_string(out, text);
  }));
  return put(out, "]");
}

char* put_options(char* out, Bytes data) noexcept {
  out = put(out, "[");
  const char* const first = out;
  static_cast<void>(for_each_dns_option(data, [&](std::uint16_t code, Bytes value) {
    if (out != first) out = put(out, ",");
    out = put_u32(put(out, R"({"Code":)"), code);
    out = put(put_base64_string(put(out, R"(,"Data":)"), value), "}");
  }));
  return put(out, "]");
}

char* put_soa(char* out, Bytes message, Bytes data) noexcept {
  DnsSoa soa;
  if (data.empty() || !soa.read(message, data).empty()) {
    return put(out, R"({"MName":null,"RName":null,"Serial":0,"Refresh":0,"Retry":0,"Expire":0,"Minimum":0})");
  }
  out = put_name(put(out, R"({"MName":)"), soa.server.view());
  out = put_name(put(out, R"(,"RName":)"), soa.mailbox.view());
  out = put_u32(put(out, R"(,"Serial":)"), soa.serial);
  out = put_u32(put(out, R"(,"Refresh":)"), soa.refresh_s);
  out = put_u32(put(out, R"(,"Retry":)"), soa.retry_s);
  out = put_u32(put(out, R"(,"Expire":)"), soa.expire_s);
  out = put_u32(put(out, R"(,"Minimum":)"), soa.minimum_s);
  return put(out, "}");
}

std::uint16_t word(Bytes data, std::size_t index) noexcept { return load_be16(data.subspan(2 * index).first<2>()); }

// What a record of another type has in place of the objects; a record without data (an update that deletes) has it
// for all types.
char* put_objects(char* out, const nfbus_dns_record& record, Bytes message) noexcept {
  const Bytes data = to_bytes(record.data);
  const auto is = [&](std::uint16_t type) { return record.type == type && !data.empty(); };
  out = put(out, R"(,"SOA":)");
  out = put_soa(out, message, record.type == kDnsTypeSoa ? data : Bytes{});
  if (is(kDnsTypeSrv)) {
    out = put_u32(put(out, R"(,"SRV":{"Priority":)"), word(data, 0));
    out = put_u32(put(out, R"(,"Weight":)"), word(data, 1));
    out = put_u32(put(out, R"(,"Port":)"), word(data, 2));
    out = put(put_name(put(out, R"(,"Name":)"), view(record.target)), "}");
  } else {
    out = put(out, R"(,"SRV":{"Priority":0,"Weight":0,"Port":0,"Name":null})");
  }
  if (is(kDnsTypeMx)) {
    out = put_u32(put(out, R"(,"MX":{"Preference":)"), word(data, 0));
    out = put(put_name(put(out, R"(,"Name":)"), view(record.target)), "}");
  } else {
    out = put(out, R"(,"MX":{"Preference":0,"Name":null})");
  }
  out = put(out, R"(,"OPT":)");
  out = record.type == kDnsTypeOpt ? put_options(out, data) : put(out, "null");
  if (is(kDnsTypeUri)) {
    out = put_u32(put(out, R"(,"URI":{"Priority":)"), word(data, 0));
    out = put_u32(put(out, R"(,"Weight":)"), word(data, 1));
    out = put(put_base64_string(put(out, R"(,"Target":)"), data.subspan(4)), "}");
  } else {
    out = put(out, R"(,"URI":{"Priority":0,"Weight":0,"Target":null})");
  }
  return out;
}

char* put_target(char* out, const nfbus_dns_record& record, std::uint16_t type) noexcept {
  return record.type == type ? put_name(out, view(record.target)) : put(out, "null");
}

char* put_name_and_type(char* out, const nfbus_dns_record& record) noexcept {
  out = put_name(put(out, R"({"Name":)"), view(record.name));
  out = put_u32(put(out, R"(,"Type":)"), record.type);
  return put_u32(put(out, R"(,"Class":)"), record.dns_class);
}

char* put_record(char* out, const nfbus_dns_record& record, Bytes message) noexcept {
  out = put_name_and_type(out, record);
  if (record.section == NFBUS_DNS_QUESTION) return put(out, "}");
  const Bytes data = to_bytes(record.data);
  const bool is_address = (record.type == kDnsTypeA || record.type == kDnsTypeAaaa) && !data.empty();
  const bool is_text = record.type == kDnsTypeTxt || record.type == kDnsTypeHinfo;
  out = put_u32(put(out, R"(,"TTL":)"), record.ttl_s);
  out = put_u32(put(out, R"(,"DataLength":)"), static_cast<std::uint32_t>(data.size()));
  out = put_base64_string(put(out, R"(,"Data":)"), data);
  out = put(out, R"(,"IP":")");
  if (is_address) out = put_address(out, data);
  out = put_target(put(out, R"(","NS":)"), record, kDnsTypeNs);
  out = put_target(put(out, R"(,"CNAME":)"), record, kDnsTypeCname);
  out = put_target(put(out, R"(,"PTR":)"), record, kDnsTypePtr);
  out = put(out, R"(,"TXTs":)");
  out = is_text ? put_strings(out, data) : put(out, "null");
  out = put_objects(out, record, message);
  out = put(out, R"(,"TXT":)");
  out = is_text ? put_base64_string(out, data) : put(out, "null");
  return put(out, "}");
}

// With the upper bits that OPT records bring, as far as gopacket takes them (RFC 6891, section 6.1.3).
std::uint8_t response_code(const nfbus_dns& dns) noexcept {
  unsigned code = dns.flags & 0xfU;
  for (const nfbus_dns_record* record : std::span(dns.records, dns.record_count)) {
    if (record->section == NFBUS_DNS_ADDITIONAL && record->type == kDnsTypeOpt) code |= record->ttl_s >> 20U & 0xf0U;
  }
  return static_cast<std::uint8_t>(code);
}

void append_header(const nfbus_dns& dns, Bytes message, bool full, TextBuffer& out) {
  const DnsHeader header(message.first<DnsHeader::kSize>());
  char* at = out.room(kHeaderRoom + json::base64_bytes(message.size()) + json::kSlack);
  at = put(at, R"("DNS":{)");
  if (full) at = put(put_base64_string(put(at, R"("Contents":)"), message), R"(,"Payload":null,)");
  at = put_u32(put(at, R"("ID":)"), dns.id);
  at = put_bit(put(at, R"(,"QR":)"), dns.flags, 15);
  at = put_u32(put(at, R"(,"OpCode":)"), dns.flags >> 11U & 0xfU);
  at = put_bit(put(at, R"(,"AA":)"), dns.flags, 10);
  at = put_bit(put(at, R"(,"TC":)"), dns.flags, 9);
  at = put_bit(put(at, R"(,"RD":)"), dns.flags, 8);
  at = put_bit(put(at, R"(,"RA":)"), dns.flags, 7);
  at = put_u32(put(at, R"(,"Z":)"), dns.flags >> 4U & 0x7U);
  at = put_u32(put(at, R"(,"ResponseCode":)"), response_code(dns));
  at = put_u32(put(at, R"(,"QDCount":)"), header.questions());
  at = put_u32(put(at, R"(,"ANCount":)"), header.answers());
  at = put_u32(put(at, R"(,"NSCount":)"), header.authorities());
  at = put_u32(put(at, R"(,"ARCount":)"), header.additionals());
  out.commit(at);
}

// A section as an array; null without records.
void append_section(std::string_view key, std::span<const nfbus_dns_record* const> records, Bytes message,
                    TextBuffer& out) {
  out.append(key);
  if (records.empty()) return out.append("null");
  char separator = '[';
  for (const nfbus_dns_record* record : records) {
    const std::size_t names = json::base64_bytes(record->name.size) + json::base64_bytes(record->target.size);
    const std::size_t soa = record->type == kDnsTypeSoa ? 2 * json::base64_bytes(kMaxDnsNameBytes) : 0;
    char* at = out.room(kRecordRoom + names + soa + kRoomPerByte * record->data.size + json::kSlack);
    *at++ = separator;
    separator = ',';
    out.commit(put_record(at, *record, message));
  }
  out.append("]");
}

}  // namespace

std::string_view append_dns(const nfbus_event& event, bool full, TextBuffer& out) {
  const CarriedMessage carried = carried_dns(event);
  const Bytes message = carried.bytes;
  if (message.empty()) return {};
  thread_local DnsDecoder decoder;
  const nfbus_dns* dns = decoder.decode(carried);
  if (dns == nullptr) return decoder.error();
  append_header(*dns, message, full, out);
  std::span<const nfbus_dns_record* const> rest(dns->records, dns->record_count);
  constexpr std::array<std::string_view, 4> kKeys{R"(,"Questions":)", R"(,"Answers":)", R"(,"Authorities":)",
                                                  R"(,"Additionals":)"};
  for (std::uint16_t section = NFBUS_DNS_QUESTION; section <= NFBUS_DNS_ADDITIONAL; ++section) {
    const auto end = std::ranges::find_if(rest, [&](const auto* record) { return record->section != section; });
    const auto count = static_cast<std::size_t>(end - rest.begin());
    append_section(kKeys.at(section - NFBUS_DNS_QUESTION), rest.first(count), message, out);
    rest = rest.subspan(count);
  }
  out.append("},");
  return decoder.error();
}

}  // namespace nfbus::host
