#include "decode/dns.hpp"

#include "decode/dhcp.hpp"
#include "decode/headers.hpp"

#include <algorithm>
#include <cstring>

namespace nfbus::host {

namespace {

constexpr std::string_view kCutShort = "DNS: message cut short";
constexpr std::string_view kRecordTooLong = "DNS: record longer than the message";
constexpr std::string_view kCutBySnaplen = "DNS: message cut by snaplen";
constexpr std::string_view kTooMuchWork = "DNS: names of more than 256 KiB together";

// The smallest question has the root as its name; so has the smallest record, which has no data.
constexpr std::size_t kMinQuestionBytes = 5;
constexpr std::size_t kMinRecordBytes = 11;

class RecordTail : public HeaderView<10> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint16_t type() const noexcept { return u16<0>(); }
  [[nodiscard]] std::uint16_t dns_class() const noexcept { return u16<2>(); }
  [[nodiscard]] std::uint32_t ttl_s() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint16_t data_bytes() const noexcept { return u16<8>(); }
};

class SoaTail : public HeaderView<20> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint32_t serial() const noexcept { return u32<0>(); }
  [[nodiscard]] std::uint32_t refresh_s() const noexcept { return u32<4>(); }
  [[nodiscard]] std::uint32_t retry_s() const noexcept { return u32<8>(); }
  [[nodiscard]] std::uint32_t expire_s() const noexcept { return u32<12>(); }
  [[nodiscard]] std::uint32_t minimum_s() const noexcept { return u32<16>(); }
};

// A two-byte length or pointer.
class Word : public HeaderView<2> {
 public:
  using HeaderView::HeaderView;
  [[nodiscard]] std::uint16_t value() const noexcept { return u16<0>(); }
};

constexpr std::uint8_t kPointerMark = 0xc0;
constexpr std::uint16_t kPointerMask = 0x3fff;

bool is_dns_port(std::uint16_t port) noexcept { return port == kDnsPort || port == kMdnsPort; }

// The first message of a TCP segment that is made of whole messages: in the middle of a stream, lengths do not fit. Of
// one that was cut, as much of that as was captured must be so, and a message that is cut itself must end with it.
CarriedMessage message_of_segment(const CarriedMessage& segment) noexcept {
  const bool is_cut = segment.wire_bytes > segment.bytes.size();
  CarriedMessage first;
  Reader reader(segment.bytes);
  while (!reader.rest().empty()) {
    const auto length = reader.peek<Word>();
    if (!length && is_cut) return first;
    if (!length || length->value() < DnsHeader::kSize || !reader.skip(Word::kSize)) return {};
    const Bytes rest = reader.rest();
    if (!reader.skip(length->value())) {
      const std::size_t end = reader.offset() + length->value();
      if (!is_cut || end > segment.wire_bytes) return {};
      if (!first.bytes.empty()) return first;
      if (end != segment.wire_bytes) return {};
      return {.bytes = rest, .wire_bytes = length->value()};
    }
    if (first.bytes.empty()) first = {.bytes = rest.first(length->value()), .wire_bytes = length->value()};
  }
  return first;
}

}  // namespace

CarriedMessage carried_dns(const nfbus_event& event) noexcept {
  if ((event.layers & NFBUS_LAYER_UDP) != 0) {
    const std::uint16_t to = event.destination_port;
    // Where both ports are well-known, that of the destination decides.
    const bool carries = is_dns_port(to) || (is_dns_port(event.source_port) && !is_dhcp_port(to));
    return carries && !is_fragment(event) ? carried_data(event) : CarriedMessage{};
  }
  if ((event.layers & NFBUS_LAYER_TCP) != 0) {
    const bool carries = event.destination_port == kDnsPort || event.source_port == kDnsPort;
    return carries && !is_fragment(event) ? message_of_segment(carried_data(event)) : CarriedMessage{};
  }
  return {};
}

std::string_view DnsName::read(Bytes message, std::size_t& offset) noexcept {
  size_bytes_ = 0;
  jumps_ = 0;
  std::size_t text_bytes = 0;  // with a dot behind each label
  std::size_t at = offset;
  std::size_t end = 0;  // behind the first pointer
  while (true) {
    if (at >= message.size()) return kCutShort;
    const std::uint8_t length = message[at];
    if (length == 0) break;
    if (length >= kPointerMark) {
      const auto pointer = Reader(message, at).peek<Word>();
      if (!pointer) return kCutShort;
      if (jumps_ == 0) end = at + Word::kSize;
      if (++jumps_ > kMaxDnsJumps) return "DNS: name with a loop of pointers";
      at = pointer->value() & kPointerMask;
      continue;
    }
    if (length > 63) return "DNS: label of an unknown kind";  // RFC 6891, section 5
    if (message.size() - at - 1 < length) return kCutShort;
    if (text_bytes + length + 1 > text_.size()) return "DNS: name longer than 255 bytes";
    std::memcpy(&text_[text_bytes], &message[at + 1], length);
    text_bytes += length;
    text_[text_bytes++] = '.';
    at += 1 + std::size_t{length};
  }
  if (text_bytes != 0) size_bytes_ = text_bytes - 1;
  offset = jumps_ == 0 ? at + 1 : end;
  return {};
}

std::string_view DnsSoa::read(Bytes message, Bytes data) noexcept {
  auto offset = static_cast<std::size_t>(data.data() - message.data());
  message = message.first(offset + data.size());
  if (const std::string_view wrong = server.read(message, offset); !wrong.empty()) return wrong;
  if (const std::string_view wrong = mailbox.read(message, offset); !wrong.empty()) return wrong;
  const auto tail = Reader(message, offset).peek<SoaTail>();
  if (!tail) return "DNS: SOA record cut short";
  serial = tail->serial();
  refresh_s = tail->refresh_s();
  retry_s = tail->retry_s();
  expire_s = tail->expire_s();
  minimum_s = tail->minimum_s();
  return {};
}

const nfbus_dns* DnsDecoder::decode(const CarriedMessage& message) {
  error_ = read_message(message);
  const bool has_header = message.bytes.size() >= DnsHeader::kSize;
  return error_.empty() || (error_ == kCutBySnaplen && has_header) ? &dns_ : nullptr;
}

// Uninitialized: pages that no message needed are never touched.
void DnsDecoder::reserve() {
  if (pointers_ != nullptr) return;
  texts_ = std::make_unique_for_overwrite<char[]>(kMaxDnsWork);
  records_ = std::make_unique_for_overwrite<nfbus_dns_record[]>(kMaxDnsRecords);
  pointers_ = std::make_unique_for_overwrite<const nfbus_dns_record*[]>(kMaxDnsRecords);
}

std::string_view DnsDecoder::read_message(const CarriedMessage& carried) {
  const Bytes message = carried.bytes;
  const bool is_cut = carried.wire_bytes > message.size();
  const auto header = Reader(message).peek<DnsHeader>();
  if (!header) return is_cut ? kCutBySnaplen : "DNS: header cut short";
  const std::array<std::size_t, 4> counts{header->questions(), header->answers(), header->authorities(),
                                          header->additionals()};
  const std::size_t records = counts[1] + counts[2] + counts[3];
  if (counts[0] * kMinQuestionBytes + records * kMinRecordBytes >
      std::max(carried.wire_bytes, message.size()) - DnsHeader::kSize) {
    return "DNS: more records announced than the message can hold";
  }
  if (counts[0] + records > kMaxDnsRecords) return "DNS: more than 4096 records";
  reserve();
  message_ = message;
  offset_ = DnsHeader::kSize;
  text_bytes_ = 0;
  work_ = 0;
  last_target_ = 0;
  std::uint32_t count = 0;
  std::string_view cut;
  for (std::uint16_t section = NFBUS_DNS_QUESTION; section <= NFBUS_DNS_ADDITIONAL && cut.empty(); ++section) {
    for (std::size_t left = counts.at(section - NFBUS_DNS_QUESTION); left != 0; --left) {
      nfbus_dns_record& record = records_[count];
      record = {};
      record.struct_size = sizeof record;
      record.section = section;
      in_data_ = false;
      if (const std::string_view wrong = read_record(record); !wrong.empty()) {
        // What ends with the bytes, rather than in a record that is there whole, is the capture's doing.
        if (!is_cut || in_data_ || (wrong != kCutShort && wrong != kRecordTooLong)) return wrong;
        cut = kCutBySnaplen;
        break;
      }
      pointers_[count++] = &record;
    }
  }
  dns_ = {.struct_size = sizeof dns_,
          .id = header->id(),
          .flags = header->flags(),
          .record_count = count,
          .reserved = 0,
          .records = pointers_.get()};
  return cut;
}

std::string_view DnsDecoder::read_record(nfbus_dns_record& record) noexcept {
  if (const std::string_view wrong = read_owner(record.name); !wrong.empty()) return wrong;
  if (record.section == NFBUS_DNS_QUESTION) {
    const auto tail = Reader(message_, offset_).peek<detail::DnsQuestionTail>();
    if (!tail) return kCutShort;
    record.type = tail->type();
    record.dns_class = tail->dns_class();
    offset_ += detail::DnsQuestionTail::kSize;
    return {};
  }
  const auto tail = Reader(message_, offset_).peek<RecordTail>();
  if (!tail) return kCutShort;
  record.type = tail->type();
  record.dns_class = tail->dns_class();
  record.ttl_s = tail->ttl_s();
  offset_ += RecordTail::kSize;
  if (message_.size() - offset_ < tail->data_bytes()) return kRecordTooLong;
  record.data = {&message_[offset_], tail->data_bytes()};
  in_data_ = true;
  const std::string_view wrong = read_data(record);
  offset_ += tail->data_bytes();
  return wrong;
}

// Owners are mostly a pointer to the name of the question, again and again.
std::string_view DnsDecoder::read_owner(nfbus_text& owner) noexcept {
  std::size_t target = offset_;
  const auto word = Reader(message_, offset_).peek<Word>();
  if (word && word->value() >= kPointerMark << 8U) {
    target = word->value() & kPointerMask;
    if (target == last_target_ && last_target_ != 0) {
      owner = last_owner_;
      offset_ += Word::kSize;
      return {};
    }
  }
  DnsName name;
  if (const std::string_view wrong = name.read(message_, offset_); !wrong.empty()) return wrong;
  if (!keep(name, owner)) return kTooMuchWork;
  last_target_ = target;
  last_owner_ = owner;
  return {};
}

std::string_view DnsDecoder::read_data(nfbus_dns_record& record) noexcept {
  const Bytes data = to_bytes(record.data);
  if (data.empty()) return {};  // an update that deletes (RFC 2136, section 2.5)
  switch (record.type) {
    case kDnsTypeA:
    case kDnsTypeAaaa: return data.size() == 4 || data.size() == 16 ? "" : "DNS: address of neither 4 nor 16 bytes";
    case kDnsTypeNs:
    case kDnsTypeCname:
    case kDnsTypePtr: return read_target(record, 0);
    case kDnsTypeMx: return read_target(record, 2);
    case kDnsTypeSrv: return read_target(record, 6);
    case kDnsTypeSoa: {
      DnsSoa soa;
      if (const std::string_view wrong = soa.read(message_, data); !wrong.empty()) return wrong;
      return spend(soa.server) && spend(soa.mailbox) ? "" : kTooMuchWork;
    }
    case kDnsTypeTxt:
    case kDnsTypeHinfo: return for_each_dns_string(data, [](Bytes) {}) ? "" : "DNS: text cut short";
    case kDnsTypeOpt:
      return for_each_dns_option(data, [](std::uint16_t, Bytes) {}) ? "" : "DNS: option of an OPT record cut short";
    case kDnsTypeUri: return data.size() >= 4 ? "" : "DNS: URI record cut short";
    default: return {};
  }
}

// The name behind some fixed bytes; it must end in the data, and point to nothing behind it.
std::string_view DnsDecoder::read_target(nfbus_dns_record& record, std::size_t fixed_bytes) noexcept {
  DnsName name;
  std::size_t offset = offset_ + fixed_bytes;
  if (const std::string_view wrong = name.read(message_.first(offset_ + record.data.size), offset); !wrong.empty()) {
    return wrong;
  }
  return keep(name, record.target) ? "" : kTooMuchWork;
}

bool DnsDecoder::spend(const DnsName& name) noexcept {
  work_ += name.view().size() + kDnsJumpWork * name.jumps();
  return work_ <= kMaxDnsWork;
}

bool DnsDecoder::keep(const DnsName& name, nfbus_text& text) noexcept {
  if (!spend(name)) return false;
  const std::string_view view = name.view();
  if (view.empty()) return true;
  char* const out = &texts_[text_bytes_];
  std::memcpy(out, view.data(), view.size());
  text = {out, view.size()};
  text_bytes_ += view.size();
  return true;
}

}  // namespace nfbus::host
