// DNS messages: RFC 1035; AAAA RFC 3596, SRV RFC 2782, OPT RFC 6891, URI RFC 7553, updates RFC 2136, mDNS RFC 6762,
// over TCP RFC 7766. Decoded only when somebody asks.
//
// A message is decoded whole or is an error, and every error is a constant text; of one that snaplen cut, there is what
// was captured whole besides. What a hostile message may cost:
//   - a name: kMaxDnsNameBytes of text and kMaxDnsJumps pointers;
//   - a message: kMaxDnsRecords questions and records, and kMaxDnsWork over all of its names. Real answers stay below:
//     a message of 65,535 bytes holds at most 4,095 addresses, of one name or of names of 60 bytes on average;
//   - a decoder: kMaxDnsWork bytes of names and kMaxDnsRecords records, about half a megabyte, of which only what was
//     ever needed becomes resident.
#pragma once

#include "decode/headers.hpp"
#include "decode/reader.hpp"

#include <nfbus/abi.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace nfbus::host {

inline constexpr std::uint16_t kDnsPort = 53;
inline constexpr std::uint16_t kMdnsPort = 5353;

// Of a name without the trailing dot: one more than RFC 1035 (section 3.1) allows, as other decoders have it.
inline constexpr std::size_t kMaxDnsNameBytes = 254;
// A name has at most 127 labels; more pointers than that are a loop.
inline constexpr std::size_t kMaxDnsJumps = 127;
inline constexpr std::size_t kMaxDnsRecords = 4096;
// Bytes of names, where a pointer counts as kDnsJumpWork. Consecutive owners that are the same pointer count once.
inline constexpr std::size_t kMaxDnsWork = 256UL * 1024;
inline constexpr std::size_t kDnsJumpWork = 4;
// for_each_dns_question() goes no further.
inline constexpr std::uint16_t kMaxDnsQuestionsVisited = 64;

inline constexpr std::uint16_t kDnsTypeA = 1;
inline constexpr std::uint16_t kDnsTypeNs = 2;
inline constexpr std::uint16_t kDnsTypeCname = 5;
inline constexpr std::uint16_t kDnsTypeSoa = 6;
inline constexpr std::uint16_t kDnsTypePtr = 12;
inline constexpr std::uint16_t kDnsTypeHinfo = 13;
inline constexpr std::uint16_t kDnsTypeMx = 15;
inline constexpr std::uint16_t kDnsTypeTxt = 16;
inline constexpr std::uint16_t kDnsTypeAaaa = 28;
inline constexpr std::uint16_t kDnsTypeSrv = 33;
inline constexpr std::uint16_t kDnsTypeOpt = 41;
inline constexpr std::uint16_t kDnsTypeUri = 256;

class DnsHeader : public HeaderView<12> {
 public:
  using HeaderView::HeaderView;

  [[nodiscard]] std::uint16_t id() const noexcept { return u16<0>(); }
  // QR, opcode, AA, TC, RD, RA, Z, RCODE.
  [[nodiscard]] std::uint16_t flags() const noexcept { return u16<2>(); }
  [[nodiscard]] std::uint16_t questions() const noexcept { return u16<4>(); }
  [[nodiscard]] std::uint16_t answers() const noexcept { return u16<6>(); }
  [[nodiscard]] std::uint16_t authorities() const noexcept { return u16<8>(); }
  [[nodiscard]] std::uint16_t additionals() const noexcept { return u16<10>(); }
};

// The DNS message that a packet carries, no bytes: none. UDP: what goes to or comes from port 53 or 5353, unless it is
// a fragment. TCP: port 53, when the segment is made of whole messages with their 2-byte lengths; it is the first of
// them; where snaplen cut the segment, one that ends with it on the wire. Thread safety: any thread.
[[nodiscard]] CarriedMessage carried_dns(const nfbus_event& event) noexcept;
// Its bytes alone.
[[nodiscard]] inline Bytes dns_message(const nfbus_event& event) noexcept { return carried_dns(event).bytes; }

// A domain name in its own storage. Thread safety: none.
class DnsName {
 public:
  // Reads the name at `offset` of the message and moves `offset` behind it. Returns what is wrong with it (then the
  // name is empty and `offset` where it was), else an empty text.
  [[nodiscard]] std::string_view read(Bytes message, std::size_t& offset) noexcept;

  // Labels joined by dots, without the trailing one, with the bytes and in the case of the message: a label may itself
  // hold dots, NULs and what is not UTF-8. Empty: the root.
  [[nodiscard]] std::string_view view() const noexcept { return {text_.data(), size_bytes_}; }
  // Pointers that it took to read it.
  [[nodiscard]] std::size_t jumps() const noexcept { return jumps_; }

 private:
  std::array<char, kMaxDnsNameBytes + 1> text_;  // uninitialized
  std::size_t size_bytes_ = 0;
  std::size_t jumps_ = 0;
};

// Calls visit(std::string_view name, std::uint16_t type) for each question of the packet's DNS message, until it
// returns false: for those who want names without decoding the records. A name is valid during its visit. Ends without
// a word where the message is broken, and after kMaxDnsQuestionsVisited questions. Thread safety: any thread.
template <class Visit>
void for_each_dns_question(const nfbus_event& event, const Visit& visit) noexcept;

// The character strings in the data of TXT and HINFO records: calls visit(Bytes) for each. False when the last one is
// cut short.
template <class Visit>
[[nodiscard]] bool for_each_dns_string(Bytes data, const Visit& visit);

// The options in the data of an OPT record: calls visit(std::uint16_t code, Bytes data) for each. False when the last
// one is cut short.
template <class Visit>
[[nodiscard]] bool for_each_dns_option(Bytes data, const Visit& visit);

// The data of an SOA record.
struct DnsSoa {
  DnsName server;
  DnsName mailbox;
  std::uint32_t serial = 0;
  std::uint32_t refresh_s = 0;
  std::uint32_t retry_s = 0;
  std::uint32_t expire_s = 0;
  std::uint32_t minimum_s = 0;

  // data: of the record, not empty, in the message. Returns what is wrong, else an empty text.
  [[nodiscard]] std::string_view read(Bytes message, Bytes data) noexcept;
};

// Decodes whole messages into its own memory, which it takes at its first use and then reuses.
// Thread safety: none; one owner.
class DnsDecoder {
 public:
  // The message; null: it is broken, and error() says how. Of one that snaplen cut behind its header (wire_bytes is
  // more than its size) the records that were captured whole are there, fewer than it announces, and error() says so.
  // Names of the result are valid until the next decode(), data also as long as `message`. Name and target of a record
  // have a null pointer when they are the root or not there. Throws std::bad_alloc at the first use when memory is
  // short, and is then as before.
  [[nodiscard]] const nfbus_dns* decode(Bytes message) {
    return decode({.bytes = message, .wire_bytes = message.size()});
  }
  [[nodiscard]] const nfbus_dns* decode(const CarriedMessage& message);
  // Constant text of the last decode(); empty: it was whole.
  [[nodiscard]] std::string_view error() const noexcept { return error_; }

 private:
  [[nodiscard]] std::string_view read_message(const CarriedMessage& carried);
  [[nodiscard]] std::string_view read_record(nfbus_dns_record& record) noexcept;
  [[nodiscard]] std::string_view read_owner(nfbus_text& owner) noexcept;
  [[nodiscard]] std::string_view read_data(nfbus_dns_record& record) noexcept;
  [[nodiscard]] std::string_view read_target(nfbus_dns_record& record, std::size_t fixed_bytes) noexcept;
  [[nodiscard]] bool spend(const DnsName& name) noexcept;
  [[nodiscard]] bool keep(const DnsName& name, nfbus_text& text) noexcept;
  void reserve();

  std::unique_ptr<char[]> texts_;                        // kMaxDnsWork
  std::unique_ptr<nfbus_dns_record[]> records_;          // kMaxDnsRecords
  std::unique_ptr<const nfbus_dns_record*[]> pointers_;  // kMaxDnsRecords: to records_, in order
  nfbus_dns dns_{};
  std::string_view error_;

  // Of the message that is being decoded.
  Bytes message_;
  std::size_t offset_ = 0;
  std::size_t text_bytes_ = 0;  // used of texts_; never more than work_
  std::size_t work_ = 0;
  bool in_data_ = false;         // of a record that is there whole
  std::size_t last_target_ = 0;  // offset at which last_owner_ stands; 0: none
  nfbus_text last_owner_{};
};

// ---- Templates ----------------------------------------------------------------------------------------------------

namespace detail {

// Holds what stands behind the name of a question.
class DnsQuestionTail : public HeaderView<4> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint16_t type() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t dns_class() const noexcept { return u16<2>(); }
};

class DnsOptionHeader : public HeaderView<4> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint16_t code() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t size_bytes() const noexcept { return u16<2>(); }
};

}  // namespace detail

template <class Visit>
void for_each_dns_question(const nfbus_event& event, const Visit& visit) noexcept {
  const Bytes message = dns_message(event);
  const auto header = Reader(message).peek<DnsHeader>();
  if (!header) return;
  std::size_t offset = DnsHeader::kSize;
  DnsName name;
  for (std::uint16_t i = 0; i < header->questions() && i < kMaxDnsQuestionsVisited; ++i) {
    if (!name.read(message, offset).empty()) return;
    const auto tail = Reader(message, offset).peek<detail::DnsQuestionTail>();
    if (!tail || !visit(name.view(), tail->type())) return;
    offset += detail::DnsQuestionTail::kSize;
  }
}

template <class Visit>
bool for_each_dns_string(Bytes data, const Visit& visit) {
  while (!data.empty()) {
    const std::size_t size_bytes = data.front();
    if (data.size() - 1 < size_bytes) return false;
    visit(data.subspan(1, size_bytes));
    data = data.subspan(1 + size_bytes);
  }
  return true;
}

template <class Visit>
bool for_each_dns_option(Bytes data, const Visit& visit) {
  Reader reader(data);
  while (!reader.rest().empty()) {
    const auto header = reader.peek<detail::DnsOptionHeader>();
    if (!header || !reader.skip(detail::DnsOptionHeader::kSize)) return false;
    const Bytes rest = reader.rest();
    if (!reader.skip(header->size_bytes())) return false;
    visit(header->code(), rest.first(header->size_bytes()));
  }
  return true;
}

}  // namespace nfbus::host
