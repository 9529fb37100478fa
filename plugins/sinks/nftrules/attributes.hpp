// Netlink attributes as bytes (linux/netlink.h, struct nlattr): read in place, written by appending. nf_tables has all
// numbers in network byte order.
#pragma once

#include <arpa/inet.h>
#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace nftrules {

// One attribute; a view into the message that it was read from.
struct Attribute {
  std::uint16_t type = 0;    // without the flags of nla_type
  std::string_view payload;  // as long as nla_len says, without padding
  std::string_view whole;    // with its header and padding: what is copied to keep it byte for byte

  [[nodiscard]] std::uint32_t be32() const noexcept {
    std::uint32_t value = 0;
    if (payload.size() >= sizeof value) std::memcpy(&value, payload.data(), sizeof value);
    return ntohl(value);
  }
  [[nodiscard]] std::uint16_t be16() const noexcept {
    std::uint16_t value = 0;
    if (payload.size() >= sizeof value) std::memcpy(&value, payload.data(), sizeof value);
    return ntohs(value);
  }
  [[nodiscard]] std::uint64_t be64() const noexcept {
    if (payload.size() < sizeof(std::uint64_t)) return 0;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof value; ++i) value = value << 8U | static_cast<std::uint8_t>(payload[i]);
    return value;
  }
  // Without the NUL that ends it on the wire.
  [[nodiscard]] std::string_view text() const noexcept { return payload.substr(0, payload.find('\0')); }
};

// The attributes of a message or of a nested attribute, in their order. A header that claims more than there is ends
// it.
class Attributes {
 public:
  class Iterator {
   public:
    explicit Iterator(std::string_view rest) noexcept : rest_(rest) { read(); }
    const Attribute& operator*() const noexcept { return now_; }
    const Attribute* operator->() const noexcept { return &now_; }
    Iterator& operator++() noexcept {
      rest_.remove_prefix(now_.whole.size());
      read();
      return *this;
    }
    bool operator!=(const Iterator& other) const noexcept { return rest_.size() != other.rest_.size(); }

   private:
    void read() noexcept {
      nlattr header{};
      if (rest_.size() < sizeof header) return end();
      std::memcpy(&header, rest_.data(), sizeof header);
      if (header.nla_len < sizeof header || header.nla_len > rest_.size()) return end();
      const std::size_t padded = NLA_ALIGN(static_cast<std::size_t>(header.nla_len));
      now_.type = header.nla_type & NLA_TYPE_MASK;
      now_.payload = rest_.substr(sizeof header, header.nla_len - sizeof header);
      now_.whole = rest_.substr(0, padded < rest_.size() ? padded : rest_.size());
    }
    void end() noexcept { rest_ = rest_.substr(rest_.size()); }

    std::string_view rest_;
    Attribute now_;
  };

  explicit Attributes(std::string_view bytes) noexcept : bytes_(bytes) {}
  [[nodiscard]] Iterator begin() const noexcept { return Iterator(bytes_); }
  [[nodiscard]] Iterator end() const noexcept { return Iterator(bytes_.substr(bytes_.size())); }

  // The first of that type; one of type 0 and without bytes when there is none.
  [[nodiscard]] Attribute find(std::uint16_t type) const noexcept {
    for (const Attribute& attribute : *this) {
      if (attribute.type == type) return attribute;
    }
    return {};
  }
  [[nodiscard]] bool has(std::uint16_t type) const noexcept { return !find(type).whole.empty(); }

 private:
  std::string_view bytes_;
};

// Appends attributes to bytes.
class AttributeWriter {
 public:
  [[nodiscard]] const std::string& bytes() const& noexcept { return bytes_; }
  [[nodiscard]] std::string bytes() && noexcept { return std::move(bytes_); }

  AttributeWriter& raw(std::string_view whole) {
    bytes_.append(whole);
    pad();
    return *this;
  }
  AttributeWriter& put(std::uint16_t type, std::string_view payload) {
    const nlattr header{static_cast<std::uint16_t>(sizeof(nlattr) + payload.size()), type};
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
    bytes_.append(payload);
    pad();
    return *this;
  }
  AttributeWriter& nested(std::uint16_t type, std::string_view attributes) {
    return put(static_cast<std::uint16_t>(type | NLA_F_NESTED), attributes);
  }
  AttributeWriter& text(std::uint16_t type, std::string_view value) { return put(type, std::string(value) + '\0'); }
  AttributeWriter& be16(std::uint16_t type, std::uint16_t value) {
    const std::uint16_t wire = htons(value);
    return put(type, {reinterpret_cast<const char*>(&wire), sizeof wire});
  }
  AttributeWriter& be32(std::uint16_t type, std::uint32_t value) {
    const std::uint32_t wire = htonl(value);
    return put(type, {reinterpret_cast<const char*>(&wire), sizeof wire});
  }
  AttributeWriter& be64(std::uint16_t type, std::uint64_t value) {
    std::string wire;
    for (unsigned shift = 64; shift != 0; shift -= 8) wire += static_cast<char>(value >> (shift - 8));
    return put(type, wire);
  }

 private:
  void pad() { bytes_.resize(NLA_ALIGN(bytes_.size())); }

  std::string bytes_;
};

}  // namespace nftrules
