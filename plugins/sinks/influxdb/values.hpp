// What of an event can be a tag or a field, by its name in the options.
#pragma once

#include "line.hpp"

#include <arpa/inet.h>
#include <nfbus/dns.hpp>
#include <nfbus/event.hpp>
#include <nfbus/host.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace influx {

enum class Measurement : std::uint8_t { tcp = 1, udp, icmp, icmpv6, ip, arp };
[[nodiscard]] Measurement measurement_of(nfbus::Event event) noexcept;
[[nodiscard]] std::string_view name_of(Measurement measurement) noexcept;

enum class Known : std::uint8_t {
  annotation = 1,  // any other name: what a filter added
  device,
  prefix,
  topic,
  action,
  group,
  in_dev,
  out_dev,
  phys_in_dev,
  phys_out_dev,
  source,
  destination,
  protocol,
  source_port,
  destination_port,
  length,
  ttl,
  flags,
  type,
  code,
  operation,
  mark,
  uid,
  gid,
  dns_name,
  dns_type,
  decode_error,
};

// A name of the options: one that is built in, or that of an annotation.
[[nodiscard]] Known known(std::string_view name) noexcept;

// "A", "AAAA", ...; others by their number: "65".
[[nodiscard]] std::string_view dns_type_name(std::uint16_t type, std::string& scratch);

// Reads one event's values. Made for each event; keeps what takes work. Thread safety: none.
class EventValues {
 public:
  // device: the tag Device. Both outlive this.
  EventValues(nfbus::Host host, nfbus::Event event, std::string_view device) noexcept
      : host_(host), event_(event), device_(device) {}

  // Of kind `none` where the event has none. name: of an annotation. Views are valid until the next call that asks for
  // the same value.
  [[nodiscard]] Value get(Known what, std::string_view name);

  // The DNS message, decoded once; none where there can be none.
  [[nodiscard]] const std::optional<nfbus::Dns>& dns();

 private:
  [[nodiscard]] Value annotation(std::string_view name) const;
  [[nodiscard]] std::optional<std::uint8_t> transport_byte(std::size_t offset) const noexcept;
  [[nodiscard]] std::optional<nfbus::DnsRecord> question();

  const nfbus::Host host_;
  const nfbus::Event event_;
  const std::string_view device_;
  bool has_looked_for_dns_ = false;
  std::optional<nfbus::Dns> dns_;
  std::array<char, INET6_ADDRSTRLEN> source_;  // as text; written before it is read
  std::array<char, INET6_ADDRSTRLEN> destination_;
  std::string dns_type_;
};

}  // namespace influx
