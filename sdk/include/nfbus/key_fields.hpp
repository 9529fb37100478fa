// Keys made of an event's fields, for what counts or limits packets by source, prefix and so on.
#pragma once

#include <nfbus/event.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace nfbus {

// Names the fields that make a key, in their order; none: all events have one key. Their names are those of matches:
// src, dst, prefix, topic, in, out, proto, sport, dport. Thread safety: as a const object.
class KeyFields {
 public:
  // Holds what a field is shown as: a text, or a port's number.
  using Shown = std::variant<std::string, std::uint16_t>;

  // Throws std::invalid_argument, which names the field that is none.
  explicit KeyFields(const std::vector<std::string>& names) {
    fields_.reserve(names.size());
    for (const std::string& name : names) {
      const auto* const found = std::find(kNames.begin(), kNames.end(), name);
      if (found == kNames.end()) throw std::invalid_argument("key \"" + name + "\" is no field of an event");
      fields_.push_back(static_cast<Field>(found - kNames.begin() + 1));
    }
  }

  // [worker] Makes `out` the event's key: equal for events whose fields are equal, and for no others. Allocates nothing
  // once `out` has grown.
  void pack(Event event, std::string& out) const {
    out.clear();
    for (const Field field : fields_) {
      switch (field) {
        case Field::src: append(event.source_bytes(), out); break;
        case Field::dst: append(event.destination_bytes(), out); break;
        case Field::prefix: append(event.prefix(), out); break;
        case Field::topic: append(event.topic(), out); break;
        case Field::in: append(event.in_name(), out); break;
        case Field::out: append(event.out_name(), out); break;
        case Field::proto: append(number(event.protocol()), out); break;
        case Field::sport: append(number(event.source_port()), out); break;
        case Field::dport: append(number(event.destination_port()), out); break;
      }
    }
  }

  // visit(name, Shown) for each field of a key from pack(), but for those that the event did not have.
  template <typename Visit>
  void unpack(std::string_view key, Visit visit) const {
    for (const Field field : fields_) {
      const std::size_t size = length(key);
      const std::string_view bytes = key.substr(kLengthBytes, size);
      key.remove_prefix(kLengthBytes + size);
      if (!bytes.empty()) visit(kNames[static_cast<std::size_t>(field) - 1], show(field, bytes));
    }
  }

 private:
  enum class Field : std::uint8_t { src = 1, dst, prefix, topic, in, out, proto, sport, dport };
  static constexpr std::array<std::string_view, 9> kNames = {"src", "dst",   "prefix", "topic", "in",
                                                             "out", "proto", "sport",  "dport"};
  static constexpr std::size_t kLengthBytes = 2;

  static std::size_t length(std::string_view key) noexcept {
    return static_cast<std::size_t>(static_cast<unsigned char>(key[0])) << 8U | static_cast<unsigned char>(key[1]);
  }
  static void append(std::string_view bytes, std::string& out) {
    bytes = bytes.substr(0, 0xffff);
    out += static_cast<char>(bytes.size() >> 8U);
    out += static_cast<char>(bytes.size() & 0xffU);
    out += bytes;
  }
  static void append(std::span<const std::uint8_t> bytes, std::string& out) {
    append(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), out);
  }
  struct Number {
    std::array<char, 2> bytes;
    std::size_t size;
  };
  static void append(const Number& number, std::string& out) {
    append(std::string_view(number.bytes.data(), number.size), out);
  }
  template <typename T>
  static Number number(std::optional<T> value) noexcept {
    if (!value) return {.bytes = {}, .size = 0};
    return {.bytes = {static_cast<char>(*value >> 8U), static_cast<char>(*value & 0xffU)}, .size = 2};
  }

  static Shown show(Field field, std::string_view bytes) {
    switch (field) {
      case Field::src:
      case Field::dst:
        return std::string(AddressText({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}).view());
      case Field::proto: return protocol_name(length(bytes));
      case Field::sport:
      case Field::dport: return static_cast<std::uint16_t>(length(bytes));
      default: return std::string(bytes);
    }
  }
  // As nft and tcpdump name them; others by their number.
  static std::string protocol_name(std::size_t protocol) {
    switch (protocol) {
      case 1: return "icmp";
      case 2: return "igmp";
      case 6: return "tcp";
      case 17: return "udp";
      case 47: return "gre";
      case 50: return "esp";
      case 51: return "ah";
      case 58: return "icmpv6";
      case 132: return "sctp";
      default: return std::to_string(protocol);
    }
  }

  std::vector<Field> fields_;
};

}  // namespace nfbus
