// The DNS message of a packet as the host decoded it: views, valid until the instance's next Host::dns() and not beyond
// the call that handed the event over. Nothing here allocates or throws. Thread safety: as const objects.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/event.hpp>
#include <nfbus/text.hpp>

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string_view>

namespace nfbus {

enum class DnsSection : std::uint16_t {
  question = NFBUS_DNS_QUESTION,
  answer = NFBUS_DNS_ANSWER,
  authority = NFBUS_DNS_AUTHORITY,
  additional = NFBUS_DNS_ADDITIONAL,
};

// The types that have accessors below; a message may have any other number (IANA, "DNS Parameters").
enum class DnsType : std::uint16_t { a = 1, ns = 2, cname = 5, ptr = 12, mx = 15, aaaa = 28, srv = 33 };

// One question or resource record. As large as a pointer; pass it by value.
class DnsRecord {
 public:
  explicit DnsRecord(const nfbus_dns_record* raw) noexcept : raw_(raw) {}

  [[nodiscard]] const nfbus_dns_record* raw() const noexcept { return raw_; }

  [[nodiscard]] DnsSection section() const noexcept { return static_cast<DnsSection>(raw_->section); }
  [[nodiscard]] bool is_question() const noexcept { return section() == DnsSection::question; }
  [[nodiscard]] bool is_answer() const noexcept { return section() == DnsSection::answer; }
  [[nodiscard]] DnsType type() const noexcept { return static_cast<DnsType>(raw_->type); }
  [[nodiscard]] std::uint16_t dns_class() const noexcept { return raw_->dns_class; }
  [[nodiscard]] std::uint32_t ttl_s() const noexcept { return raw_->ttl_s; }  // 0 for a question
  // Dotted, without the trailing dot, with the bytes and in the case of the message: not always UTF-8. Empty: the root.
  [[nodiscard]] std::string_view name() const noexcept { return to_view(raw_->name); }
  // The name in the data of CNAME, NS, PTR, MX and SRV; else empty.
  [[nodiscard]] std::string_view target() const noexcept { return to_view(raw_->target); }
  // RDATA as it stands in the message; empty for a question.
  [[nodiscard]] std::span<const std::uint8_t> data() const noexcept { return {raw_->data.data, raw_->data.size}; }
  // Of A and AAAA records, in network order: 4 or 16 bytes; else none.
  [[nodiscard]] std::span<const std::uint8_t> address_bytes() const noexcept {
    const std::size_t wanted = type() == DnsType::a ? 4 : type() == DnsType::aaaa ? 16 : 0;
    return wanted == data().size() ? data() : std::span<const std::uint8_t>{};
  }
  [[nodiscard]] AddressText address() const noexcept { return AddressText(address_bytes()); }

 private:
  const nfbus_dns_record* raw_;
};

// A whole message: a range of its questions and records, in its order. As large as a pointer; pass it by value.
class Dns {
 public:
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using iterator_concept = std::forward_iterator_tag;
    using value_type = DnsRecord;
    using difference_type = std::ptrdiff_t;
    using pointer = void;
    using reference = DnsRecord;

    Iterator() = default;
    explicit Iterator(const nfbus_dns_record* const* at) noexcept : at_(at) {}

    DnsRecord operator*() const noexcept { return DnsRecord(*at_); }
    Iterator& operator++() noexcept {
      ++at_;
      return *this;
    }
    Iterator operator++(int) noexcept { return Iterator(at_++); }
    bool operator==(const Iterator&) const = default;

   private:
    const nfbus_dns_record* const* at_ = nullptr;
  };

  explicit Dns(const nfbus_dns* raw) noexcept : raw_(raw) {}

  [[nodiscard]] const nfbus_dns* raw() const noexcept { return raw_; }

  [[nodiscard]] std::uint16_t id() const noexcept { return raw_->id; }
  // RFC 1035, section 4.1.1.
  [[nodiscard]] bool is_response() const noexcept { return (raw_->flags & 0x8000U) != 0; }
  [[nodiscard]] bool is_truncated() const noexcept { return (raw_->flags & 0x0200U) != 0; }
  [[nodiscard]] std::uint8_t opcode() const noexcept { return static_cast<std::uint8_t>(raw_->flags >> 11U & 0xfU); }
  [[nodiscard]] std::uint8_t response_code() const noexcept { return static_cast<std::uint8_t>(raw_->flags & 0xfU); }

  [[nodiscard]] std::uint32_t size() const noexcept { return raw_->record_count; }
  [[nodiscard]] DnsRecord operator[](std::uint32_t index) const noexcept { return DnsRecord(raw_->records[index]); }
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(raw_->records); }
  [[nodiscard]] Iterator end() const noexcept { return Iterator(raw_->records + raw_->record_count); }

 private:
  const nfbus_dns* raw_;
};

}  // namespace nfbus
