// An event as a row of the page's table: JSON, and columns of a CSV file.
#pragma once

#include "devices.hpp"

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace websocket {

inline constexpr std::string_view kLossTopic = "nfbus:loss";

// Thread safety: none; [worker].
class Rows {
 public:
  Rows(nfbus::Host host, Devices& devices) : host_(host), devices_(devices) {}

  // {"id":...,"t":...,"k":...}; README.md has the keys. The event is one that was handed over in this call, or a copy.
  void append_json(std::string& out, std::uint64_t id, nfbus::Event event);
  // time,topic,action,in,out,proto,src,sport,dst,dport,length,info, and a newline.
  void append_csv(std::string& out, nfbus::Event event);
  static constexpr std::string_view kCsvHeader = "time,topic,action,in,out,proto,src,sport,dst,dport,length,info\n";

  // What there is to say of a packet beside its columns: flags, ICMP type, what a DNS message asks for, what is broken.
  [[nodiscard]] std::string_view info_of(nfbus::Event event);

 private:
  void append_packet(std::string& out, nfbus::Event event);

  const nfbus::Host host_;
  Devices& devices_;
  std::string info_;
};

// "tcp", "58"; empty: it has no IP header. room: where a number is written.
[[nodiscard]] std::string_view protocol_name(nfbus::Event event, std::string& room);
// The name that a filter found for an address (RecentDomainSrc, RecentDomainDst), without the last dot; empty: none.
[[nodiscard]] std::string_view domain_of(nfbus::Event event, std::string_view field);

// How many packets a nfbus:loss message tells of, and of which group (the first, where there are several).
struct Loss {
  std::uint64_t lost = 0;
  std::uint64_t group = 0;
};
[[nodiscard]] Loss loss_of(std::string_view text);

}  // namespace websocket
