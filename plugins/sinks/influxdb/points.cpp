#include "points.hpp"

#include <netdb.h>

#include <algorithm>
#include <utility>

namespace influx {
namespace {

// At most 8: what a point costs the server goes with their number.
std::vector<std::string> default_fields(Measurement measurement) {
  switch (measurement) {
    case Measurement::tcp: return {"SrcIP", "DstIP", "SrcPort", "DstPort", "Length", "Flags", "DnsName", "DnsType"};
    case Measurement::udp: return {"SrcIP", "DstIP", "SrcPort", "DstPort", "Length", "DnsName", "DnsType"};
    case Measurement::icmp:
    case Measurement::icmpv6: return {"SrcIP", "DstIP", "Length", "Type", "Code"};
    case Measurement::arp: return {"SrcIP", "DstIP", "Length", "Operation"};
    case Measurement::ip: break;
  }
  return {"SrcIP", "DstIP", "SrcPort", "DstPort", "Length", "Protocol"};
}

// Of a tag that has too many values.
constexpr std::string_view kFallbackSuffix = "_value";

std::int64_t floor_to(std::int64_t time_ns, std::int64_t unit) {
  const std::int64_t rest = time_ns % unit;
  return time_ns - (rest < 0 ? rest + unit : rest);
}

}  // namespace

std::int64_t point_time_ns(nfbus::Event event) noexcept {
  const nfbus_event& raw = *event.raw();
  // What was replayed from a file has times of its own.
  if ((raw.present & NFBUS_HAS_SEQUENCE) == 0) return raw.time_ns;
  if ((raw.present & NFBUS_HAS_KERNEL_TIME) != 0) {
    constexpr std::int64_t kUnit = 1'000;
    constexpr std::uint32_t kGroups = 8;
    return floor_to(raw.time_ns, kUnit) + raw.sequence % (kUnit / kGroups) * kGroups + raw.group % kGroups;
  }
  constexpr std::int64_t kUnit = 1'000'000;
  constexpr std::uint32_t kGroups = 16;
  return floor_to(raw.time_ns, kUnit) + raw.sequence % (kUnit / kGroups) * kGroups + raw.group % kGroups;
}

Points::Points(nfbus::Host host, PointSettings settings, std::function<void(const std::string&)> warn)
    : host_(host), settings_(std::move(settings)), warn_(std::move(warn)) {
  std::vector<std::string> names = settings_.tags;
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    Tag& tag = tags_.emplace_back(Tag{column(name), {}, TagGuard(settings_.max_tag_values)});
    append_key(tag.fallback_key, name + std::string(kFallbackSuffix));
    tag.fallback_key += '=';
  }
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const auto of = settings_.fields ? *settings_.fields : default_fields(static_cast<Measurement>(i + 1));
    for (const std::string& name : of) {
      if (std::find(names.begin(), names.end(), name) == names.end()) fields_[i].push_back(column(name));
    }
  }
  if (!settings_.measurement.empty()) append_measurement(measurement_, settings_.measurement);
  if (settings_.layout == Layout::spr) {
    constexpr std::size_t kPorts = 65536;
    setservent(1);
    while (const servent* entry = getservent()) {
      const bool is_tcp = std::string_view(entry->s_proto) == "tcp";
      if (!is_tcp && std::string_view(entry->s_proto) != "udp") continue;
      std::vector<std::string>& of = services_[is_tcp ? 1 : 0];
      of.resize(kPorts);
      std::string& name = of[ntohs(static_cast<std::uint16_t>(entry->s_port))];
      if (name.empty()) name = entry->s_name;
    }
    endservent();
  }
}

Points::Column Points::column(const std::string& name) {
  Column out{.what = known(name), .name = name, .key = {}};
  append_key(out.key, name);
  out.key += '=';
  return out;
}

void Points::append_tags(EventValues& values, std::string& out) {
  for (Tag& tag : tags_) {
    const std::string_view text = tag_text(values.get(tag.column.what, tag.column.name), scratch_);
    if (text.empty()) continue;
    const std::size_t hash = text.size() + std::size_t{5} * static_cast<unsigned char>(text.front()) +
                             std::size_t{3} * static_cast<unsigned char>(text.back());
    Shown& shown = tag.shown[hash % tag.shown.size()];
    if (!shown.piece.empty() && shown.value == text) {
      out += shown.piece;
      continue;
    }
    if (!tag.guard.passes(text)) {
      append_field(tag.fallback_key, Value::of(text), overflow_);
      if (!std::exchange(tag.warned, true)) {
        warn_("tag " + tag.column.name + " has more than " + std::to_string(settings_.max_tag_values) +
              " values: further ones go to the field " + tag.column.name + std::string(kFallbackSuffix) +
              "; take it out of tags, or raise max_tag_values");
      }
      continue;
    }
    shown.value = text;
    shown.piece = ',';
    shown.piece += tag.column.key;
    append_tag_value(shown.piece, text);
    out += shown.piece;
  }
}

void Points::append_field(const std::string& key, const Value& value, std::string& out) {
  if (!is_writable(value)) return;
  out += std::exchange(has_field_, true) ? ',' : ' ';
  out += key;
  append_field_value(out, value);
}

void Points::append(nfbus::Event event, std::string_view device, std::string& out) {
  if (settings_.layout == Layout::spr) return append_spr(event, out);
  const Measurement measurement = measurement_of(event);
  EventValues values(host_, event, device);
  has_field_ = false;
  overflow_.clear();
  out += measurement_.empty() ? name_of(measurement) : std::string_view(measurement_);
  append_tags(values, out);
  out += overflow_;
  for (const Column& field : fields_[static_cast<std::size_t>(measurement) - 1]) {
    append_field(field.key, values.get(field.what, field.name), out);
  }
  // A point needs a field.
  if (!has_field_) append_field("Length=", values.get(Known::length, {}), out);
  out += ' ';
  append_number(out, point_time_ns(event));
  out += '\n';
}

std::string_view Points::service(bool is_tcp, std::uint16_t port) const {
  const std::vector<std::string>& names = services_[is_tcp ? 1 : 0];
  return port < names.size() ? std::string_view(names[port]) : std::string_view();
}

void Points::append_spr(nfbus::Event event, std::string& out) {
  EventValues values(host_, event, {});
  const bool is_tcp = event.has_layer(NFBUS_LAYER_TCP);
  const bool is_udp = event.has_layer(NFBUS_LAYER_UDP);
  out += is_tcp ? "tcp" : is_udp ? "udp" : "ip";
  const auto tag = [&](std::string_view key, Known what) {
    const std::string_view text = tag_text(values.get(what, {}), scratch_);
    if (text.empty()) return;
    ((out += ',') += key) += '=';
    append_tag_value(out, text);
  };
  tag("Action", Known::action);
  tag("DstIP", Known::destination);
  tag("Prefix", Known::prefix);
  tag("SrcIP", Known::source);
  const auto number = [&](std::string_view key, std::int64_t value) {
    (out += key) += '=';
    append_number(out, value);
    out += 'u';
  };
  // RFC 791, section 3.1: the header's sum; IPv6 has none.
  constexpr std::size_t kSum = 10;
  const auto payload = event.payload();
  const bool has_sum = event.has_layer(NFBUS_LAYER_IPV4) && payload.size() > kSum + 1;
  number(" Length", event.size_bytes());
  number(",Checksum", has_sum ? payload[kSum] * 256 + payload[kSum + 1] : 0);
  const auto port = [&](std::string_view key, std::optional<std::uint16_t> value) {
    if (!value || !(is_tcp || is_udp)) return;
    scratch_.clear();
    append_number(scratch_, *value);
    if (const std::string_view name = service(is_tcp, *value); !name.empty()) ((scratch_ += '(') += name) += ')';
    (out += key) += '=';
    append_text_field(out, scratch_);
  };
  port(",SrcPort", event.source_port());
  port(",DstPort", event.destination_port());
  if (const std::optional<nfbus::Dns>& dns = values.dns()) {
    number(",DNS.ID", dns->id());
    // A message's questions are points of one time and tags there, so that the last one stays.
    std::optional<nfbus::DnsRecord> last;
    for (const nfbus::DnsRecord record : *dns) {
      if (record.is_question()) last = record;
    }
    if (last) {
      out += ",DNS.Type=";
      append_text_field(out, dns_type_name(last->raw()->type, scratch_));
      out += ",DNS.Name=";
      append_text_field(out, last->name());
    }
  }
  out += ' ';
  append_number(out, event.time_ns());
  out += '\n';
}

}  // namespace influx
