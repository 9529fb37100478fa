// Events as a plugin sees them: views of what the host owns, valid until the call that handed them over returns.
// Nothing here allocates or throws. Thread safety: as const objects.
#pragma once

#include <arpa/inet.h>
#include <nfbus/abi.h>
#include <nfbus/text.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <string_view>

namespace nfbus {

enum class Action : std::uint8_t { allowed = NFBUS_ACTION_ALLOWED, blocked = NFBUS_ACTION_BLOCKED };

// An address as text, in its own storage: "192.0.2.1", "2001:db8::1" (RFC 5952); empty: none.
class AddressText {
 public:
  AddressText() = default;
  // address: 4 or 16 bytes, network order; anything else gives the empty text.
  explicit AddressText(std::span<const std::uint8_t> address) noexcept {
    if (address.size() != 4 && address.size() != 16) return;
    const int family = address.size() == 4 ? AF_INET : AF_INET6;
    if (inet_ntop(family, address.data(), text_.data(), static_cast<socklen_t>(text_.size())) == nullptr) text_[0] = 0;
  }

  [[nodiscard]] std::string_view view() const noexcept { return text_.data(); }
  [[nodiscard]] bool empty() const noexcept { return text_[0] == 0; }
  operator std::string_view() const noexcept { return view(); }

 private:
  std::array<char, INET6_ADDRSTRLEN> text_{};
};

// A text format of the host ("ulogd"), from Host::format(). Lives as long as the instance.
class Format {
 public:
  Format(const nfbus_host* host, std::uint32_t number) noexcept : host_(host), number_(number) {}

  // [worker] The event as one line of JSON without the newline, valid until the call that handed the event over
  // returns. Empty when the format cannot show this kind of event.
  [[nodiscard]] std::string_view json(const nfbus_event* event) const noexcept {
    return to_view(host_->render(host_->context, event, number_));
  }

 private:
  const nfbus_host* host_;
  std::uint32_t number_;
};

// One event: a packet that the kernel logged, or a message that somebody published. As large as a pointer; pass it by
// value.
class Event {
 public:
  explicit Event(const nfbus_event* raw) noexcept : raw_(raw) {}

  // The ABI's struct, for what has no accessor here.
  [[nodiscard]] const nfbus_event* raw() const noexcept { return raw_; }

  [[nodiscard]] bool is_packet() const noexcept { return raw_->kind == NFBUS_EVENT_PACKET; }
  [[nodiscard]] bool is_message() const noexcept { return raw_->kind == NFBUS_EVENT_MESSAGE; }

  // Both kinds.
  [[nodiscard]] std::string_view topic() const noexcept { return to_view(raw_->topic); }
  [[nodiscard]] std::int64_t time_ns() const noexcept { return raw_->time_ns; }  // since 1970-01-01 UTC
  [[nodiscard]] std::string_view json(Format format) const noexcept { return format.json(raw_); }

  // Returns what filters added.
  [[nodiscard]] std::span<const nfbus_field> fields() const noexcept { return {raw_->fields, raw_->field_count}; }
  [[nodiscard]] std::optional<std::string_view> field(std::string_view name) const noexcept {
    for (const nfbus_field& field : fields()) {
      if (to_view(field.name) == name) return to_view(field.value);  // its text, whatever its type
    }
    return std::nullopt;
  }

  // Messages.
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(raw_->payload.data), raw_->payload.size};
  }

  // Packets: of the rule that logged it.
  [[nodiscard]] Action action() const noexcept { return static_cast<Action>(raw_->action); }
  [[nodiscard]] std::string_view prefix() const noexcept { return to_view(raw_->prefix); }  // raw bytes
  [[nodiscard]] std::uint16_t group() const noexcept { return raw_->group; }
  [[nodiscard]] std::string_view in_name() const noexcept { return to_view(raw_->in_name); }    // empty: none
  [[nodiscard]] std::string_view out_name() const noexcept { return to_view(raw_->out_name); }  // empty: none
  // Of the bridge ports; empty: none.
  [[nodiscard]] std::string_view phys_in_name() const noexcept {
    return raw_->ports == nullptr ? std::string_view() : to_view(raw_->ports->in_name);
  }
  [[nodiscard]] std::string_view phys_out_name() const noexcept {
    return raw_->ports == nullptr ? std::string_view() : to_view(raw_->ports->out_name);
  }
  [[nodiscard]] std::optional<std::uint32_t> mark() const noexcept { return if_present(NFBUS_HAS_MARK, raw_->mark); }
  [[nodiscard]] std::optional<std::uint32_t> uid() const noexcept { return if_present(NFBUS_HAS_UID, raw_->uid); }
  [[nodiscard]] std::optional<std::uint32_t> gid() const noexcept { return if_present(NFBUS_HAS_GID, raw_->gid); }

  // Packets: of the headers. layer: one of NFBUS_LAYER_*.
  [[nodiscard]] bool has_layer(std::uint32_t layer) const noexcept { return (raw_->layers & layer) != 0; }
  // IPv4 and IPv6 addresses; of an ARP packet its sender's and target's.
  [[nodiscard]] AddressText source() const noexcept { return AddressText(source_bytes()); }
  [[nodiscard]] AddressText destination() const noexcept { return AddressText(destination_bytes()); }
  // The same in network order: 4 or 16 bytes, none when there is no address.
  [[nodiscard]] std::span<const std::uint8_t> source_bytes() const noexcept { return address(12, 8, 14); }
  [[nodiscard]] std::span<const std::uint8_t> destination_bytes() const noexcept { return address(16, 24, 24); }
  [[nodiscard]] std::optional<std::uint16_t> source_port() const noexcept {
    return if_present(NFBUS_HAS_PORTS, raw_->source_port);
  }
  [[nodiscard]] std::optional<std::uint16_t> destination_port() const noexcept {
    return if_present(NFBUS_HAS_PORTS, raw_->destination_port);
  }
  // The IP protocol number (6: TCP) after all extension headers.
  [[nodiscard]] std::optional<std::uint8_t> protocol() const noexcept {
    if (!has_layer(NFBUS_LAYER_IPV4 | NFBUS_LAYER_IPV6)) return std::nullopt;
    return raw_->ip_protocol;
  }
  // Bytes as far as captured: from the network header; the link-layer header; what the transport header carries.
  [[nodiscard]] std::span<const std::uint8_t> payload() const noexcept {
    return {raw_->payload.data, raw_->payload.size};
  }
  [[nodiscard]] std::span<const std::uint8_t> hw_header() const noexcept {
    return {raw_->hw_header.data, raw_->hw_header.size};
  }
  [[nodiscard]] std::span<const std::uint8_t> data() const noexcept {
    if (raw_->data_offset > payload().size()) return {};  // as NFBUS_NO_OFFSET always is
    return payload().subspan(raw_->data_offset);
  }
  // The packet's length on the wire from the network header.
  [[nodiscard]] std::uint32_t size_bytes() const noexcept { return raw_->packet_size; }
  // Empty: all layers are whole; else what is wrong with the first broken one.
  [[nodiscard]] std::string_view decode_error() const noexcept { return to_view(raw_->decode_error); }

 private:
  template <typename T>
  [[nodiscard]] std::optional<T> if_present(std::uint32_t bit, T value) const noexcept {
    return (raw_->present & bit) != 0 ? std::optional<T>(value) : std::nullopt;
  }

  // Offsets from the network header: RFC 791 section 3.1, RFC 8200 section 3, RFC 826 (Ethernet and IPv4).
  [[nodiscard]] std::span<const std::uint8_t> address(std::size_t ipv4, std::size_t ipv6,
                                                      std::size_t arp) const noexcept {
    if (has_layer(NFBUS_LAYER_IPV4)) return slice(ipv4, 4);
    if (has_layer(NFBUS_LAYER_IPV6)) return slice(ipv6, 16);
    if (has_layer(NFBUS_LAYER_ARP)) return slice(arp, 4);
    return {};
  }

  [[nodiscard]] std::span<const std::uint8_t> slice(std::size_t offset, std::size_t size) const noexcept {
    if (payload().size() < offset + size) return {};
    return payload().subspan(offset, size);
  }

  const nfbus_event* raw_;
};

static_assert(sizeof(Event) == sizeof(void*));

// Walks an array of pointers to events.
class EventIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using iterator_concept = std::forward_iterator_tag;
  using value_type = Event;
  using difference_type = std::ptrdiff_t;
  using pointer = void;
  using reference = Event;

  EventIterator() = default;
  explicit EventIterator(const nfbus_event* const* at) noexcept : at_(at) {}

  Event operator*() const noexcept { return Event(*at_); }
  EventIterator& operator++() noexcept {
    ++at_;
    return *this;
  }
  EventIterator operator++(int) noexcept { return EventIterator(at_++); }
  bool operator==(const EventIterator&) const = default;

 private:
  const nfbus_event* const* at_ = nullptr;
};

// The events of one write() or hear(), at least one, all of one kind. A range; pass it by value.
class Events {
 public:
  // report: null where nothing can be rejected.
  Events(const nfbus_events* events, nfbus_report* report) noexcept : events_(events), report_(report) {}

  [[nodiscard]] std::uint32_t size() const noexcept { return events_->count; }
  [[nodiscard]] Event operator[](std::uint32_t index) const noexcept { return Event(events_->items[index]); }
  [[nodiscard]] EventIterator begin() const noexcept { return EventIterator(events_->items); }
  [[nodiscard]] EventIterator end() const noexcept { return EventIterator(events_->items + events_->count); }
  [[nodiscard]] std::uint64_t size_bytes() const noexcept { return events_->size_bytes; }
  [[nodiscard]] std::span<const nfbus_event* const> raw() const noexcept { return {events_->items, events_->count}; }

  // Say what became of single events; of the others write()'s result says it. An event that has an outcome keeps it. In
  // hear() these do nothing.
  // This event is delivered.
  void delivered(std::uint32_t index) const noexcept { say(index, NFBUS_DELIVERED, {}); }
  // It comes again, before what came after it.
  void again(std::uint32_t index) const noexcept { say(index, NFBUS_AGAIN, {}); }
  // It can never be delivered: counted, logged with its reason; the others go on.
  void reject(std::uint32_t index, std::string_view reason) const noexcept { say(index, NFBUS_REJECTED, reason); }
  // How long this write() may still take, for its waits; 0: its time is over. A stop of the host shortens it. [any]
  [[nodiscard]] std::uint32_t time_left_ms() const noexcept {
    return report_ == nullptr ? 0 : report_->time_left_ms(report_->context);
  }

 private:
  void say(std::uint32_t index, std::uint32_t outcome, std::string_view reason) const noexcept {
    if (report_ != nullptr) report_->outcome(report_->context, index, 1, outcome, to_text(reason));
  }

  const nfbus_events* events_;
  nfbus_report* report_;
};

}  // namespace nfbus
