// Points of events: which measurement, tags and fields, and at what time.
#pragma once

#include "line.hpp"
#include "tag_guard.hpp"
#include "values.hpp"

#include <nfbus/event.hpp>
#include <nfbus/host.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace influx {

enum class Layout : std::uint8_t { own = 1, spr };

struct PointSettings {
  Layout layout = Layout::own;
  std::string measurement = {};  // empty: by the protocol
  std::string device = {};       // empty: as the host names it
  std::vector<std::string> tags = {"Device", "Prefix", "Action", "InDev", "OutDev"};
  std::optional<std::vector<std::string>> fields = {};  // none: by the protocol
  std::size_t max_tag_values = 10000;                   // of each tag; 0: no limit
};

// A point's time in ns, made of the event alone, so that a resend is the same point: the kernel's time to its µs (the
// time of receipt, which a whole datagram of packets shares, to its ms) and behind it digits from sequence and group,
// so that no two packets of a tag set have one time.
[[nodiscard]] std::int64_t point_time_ns(nfbus::Event event) noexcept;

// Thread safety: none. Allocates nothing for an event once its texts have grown.
class Points {
 public:
  // warn: told once for each tag that has too many values.
  Points(nfbus::Host host, PointSettings settings, std::function<void(const std::string&)> warn);

  // Appends the event's point as one line of line protocol, with its newline. There is always one.
  void append(nfbus::Event event, std::string_view device, std::string& out);

 private:
  struct Column {
    Known what;
    std::string name;
    std::string key;  // escaped, with its "="
  };
  // How a value of a tag was written before: most packets are like a few others.
  struct Shown {
    std::string value;
    std::string piece;  // ",KEY=VALUE"; empty: none yet
  };
  struct Tag {
    Column column;
    std::string fallback_key;  // of the field that a value goes to when there are too many
    TagGuard guard;
    bool warned = false;
    std::array<Shown, 16> shown = {};
  };

  static Column column(const std::string& name);
  void append_tags(EventValues& values, std::string& out);
  void append_field(const std::string& key, const Value& value, std::string& out);
  void append_spr(nfbus::Event event, std::string& out);
  [[nodiscard]] std::string_view service(bool is_tcp, std::uint16_t port) const;

  const nfbus::Host host_;
  const PointSettings settings_;
  const std::function<void(const std::string&)> warn_;
  std::vector<Tag> tags_;                      // in the order of their keys
  std::array<std::vector<Column>, 6> fields_;  // by measurement
  std::string measurement_;                    // escaped; empty: by the protocol
  std::string overflow_;                       // fields of tags with too many values
  std::string scratch_;
  bool has_field_ = false;
  std::array<std::vector<std::string>, 2> services_;  // names of UDP's and TCP's ports; layout spr
};

}  // namespace influx
