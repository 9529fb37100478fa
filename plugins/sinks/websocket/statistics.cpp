#include "statistics.hpp"

#include "json_text.hpp"
#include "row.hpp"

#include <algorithm>

namespace websocket {
namespace {

constexpr std::string_view kOther = "other";

std::span<const std::uint8_t> address_of(std::string_view key) {
  return {reinterpret_cast<const std::uint8_t*>(key.data()), key.size()};
}

std::string address_shown(std::string_view key) { return std::string(nfbus::AddressText(address_of(key))); }

std::string_view bytes_of(std::span<const std::uint8_t> address) {
  return {reinterpret_cast<const char*>(address.data()), address.size()};
}

void append_numbers(std::string& out, const std::vector<std::uint32_t>& values) {
  out += '[';
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0) out += ',';
    append_number(out, values[i]);
  }
  out += ']';
}

void append_member(std::string& out, std::string_view name, std::uint64_t value) {
  out += '"';
  out += name;
  out += "\":";
  append_number(out, value);
  out += ',';
}

}  // namespace

void Series::advance(std::int64_t now) {
  const auto size = static_cast<std::int64_t>(counts_.size());
  if (now <= now_) return;
  const std::int64_t first = std::max(now_ + 1, now - size + 1);
  for (std::int64_t at = first; at <= now; ++at) counts_[static_cast<std::size_t>(at % size)] = 0;
  now_ = now;
}

std::vector<std::uint32_t> Series::values(std::int64_t now) {
  advance(now);
  std::vector<std::uint32_t> out;
  const auto size = static_cast<std::int64_t>(counts_.size());
  for (std::int64_t at = now_ - size + 1; at <= now_; ++at) {
    out.push_back(at < 0 ? 0 : counts_[static_cast<std::size_t>(at % size)]);
  }
  return out;
}

std::uint32_t Series::at(std::int64_t when) const {
  const auto size = static_cast<std::int64_t>(counts_.size());
  return when > now_ || when <= now_ - size || when < 0 ? 0 : counts_[static_cast<std::size_t>(when % size)];
}

Statistics::Counted& Statistics::topic_of(std::string_view topic) {
  const auto found = topics_.find(topic);
  if (found != topics_.end()) return found->second;
  if (topics_.size() < kMostTopics - 1) return topics_[std::string(topic)];
  return topics_[std::string(kOther)];
}

void Statistics::turn(std::int64_t now_s) {
  const std::int64_t half_hour = now_s / kHalfHour;
  if (half_hour == half_hour_) return;
  for (Top* const top : {&sources_, &destinations_, &ports_, &domains_}) {
    top->before = half_hour == half_hour_ + 1 ? std::move(top->now) : HeavyHitters(kSketch);
    top->now = HeavyHitters(kSketch);
  }
  half_hour_ = half_hour;
}

void Statistics::add(nfbus::Event event, std::int64_t now_s) {
  turn(now_s);
  all_.add(now_s);
  topic_of(event.topic()).add(now_s);
  if (!event.is_packet()) {
    ++messages_;
    return;
  }
  (event.action() == nfbus::Action::blocked ? blocked_ : allowed_).add(now_s);
  for (const auto& [names, name] : {std::pair(&in_, event.in_name()), std::pair(&out_, event.out_name())}) {
    if (!name.empty() && names->find(name) == names->end() && names->size() < kMostNames) names->emplace(name);
  }
  if (const auto source = event.source_bytes(); !source.empty()) sources_.add(bytes_of(source));
  if (const auto destination = event.destination_bytes(); !destination.empty())
    destinations_.add(bytes_of(destination));
  if (const auto port = event.destination_port()) {
    std::string room;
    key_ = protocol_name(event, room);
    key_ += '/';
    append_number(key_, *port);
    ports_.add(key_);
  }
  if (const std::string_view domain = domain_of(event, "RecentDomainDst"); !domain.empty()) domains_.add(domain);
}

void Statistics::append_top(std::string& out, std::string_view name, const Top& top, std::int64_t now_s,
                            const NameOf* name_of) const {
  std::map<std::string, HeavyHitters::Hit> sum;
  // Without events nothing turns them.
  const std::int64_t age = now_s / kHalfHour - half_hour_;
  std::vector<const HeavyHitters*> parts;
  if (age <= 1) parts.push_back(&top.now);
  if (age <= 0) parts.push_back(&top.before);
  for (const HeavyHitters* const part : parts) {
    for (HeavyHitters::Hit& hit : part->hits()) {
      HeavyHitters::Hit& into = sum[hit.key];
      into.count += hit.count;
      into.error += hit.error;
    }
  }
  std::vector<std::pair<std::string, HeavyHitters::Hit>> sorted(sum.begin(), sum.end());
  const std::size_t size = std::min(kTop, sorted.size());
  std::partial_sort(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(size), sorted.end(),
                    [](const auto& a, const auto& b) { return a.second.count > b.second.count; });
  out += '"';
  out += name;
  out += "\":[";
  for (std::size_t i = 0; i < size; ++i) {
    if (i != 0) out += ',';
    out += '[';
    const std::string& key = sorted[i].first;
    append_quoted(out, name_of == nullptr ? key : address_shown(key));
    out += ',';
    append_number(out, sorted[i].second.count);
    out += ',';
    append_number(out, sorted[i].second.error);
    const std::string_view called = name_of == nullptr ? std::string_view() : (*name_of)(address_of(key));
    if (!called.empty()) {
      out += ',';
      append_quoted(out, called);
    }
    out += ']';
  }
  out += ']';
}

void Statistics::append_totals(std::string& out, std::int64_t now_s, const NameOf& name_of) const {
  append_member(out, "events", all_.count);
  append_member(out, "packets", blocked_.count + allowed_.count);
  append_member(out, "blocked", blocked_.count);
  append_member(out, "allowed", allowed_.count);
  append_member(out, "messages", messages_);
  append_member(out, "rate", all_.seconds.at(now_s - 1));
  out += "\"topics\":[";
  bool is_first = true;
  for (const auto& [topic, counted] : topics_) {
    if (!is_first) out += ',';
    is_first = false;
    out += "{\"topic\":";
    append_quoted(out, topic);
    out += ',';
    append_member(out, "count", counted.count);
    out += "\"last\":";
    append_number(out, counted.seconds.at(now_s - 1));
    out += '}';
  }
  out += "],\"top\":{";
  append_top(out, "src", sources_, now_s, &name_of);
  out += ',';
  append_top(out, "dst", destinations_, now_s, &name_of);
  out += ',';
  append_top(out, "port", ports_, now_s, nullptr);
  out += ',';
  append_top(out, "domain", domains_, now_s, nullptr);
  out += '}';
}

std::string Statistics::series_json(unsigned step_s, std::int64_t now_s, std::int64_t time_ns) {
  const bool by_seconds = step_s == 1;
  const auto values = [&](Counted& counted) {
    // The second that runs is not complete.
    return by_seconds ? counted.seconds.values(now_s) : counted.tens.values(now_s / 10);
  };
  std::string out = "{\"step\":";
  append_number(out, by_seconds ? 1U : 10U);
  out += ",\"end_ms\":";
  append_number(out, time_ns / 1'000'000);
  out += ",\"topics\":[";
  bool is_first = true;
  for (auto& [topic, counted] : topics_) {
    if (!is_first) out += ',';
    is_first = false;
    out += "{\"topic\":";
    append_quoted(out, topic);
    out += ",\"counts\":";
    append_numbers(out, values(counted));
    out += '}';
  }
  out += "],\"blocked\":";
  append_numbers(out, values(blocked_));
  out += ",\"allowed\":";
  append_numbers(out, values(allowed_));
  out += '}';
  return out;
}

void Statistics::append_seen(std::string& out) const {
  std::set<std::string, std::less<>> topics;
  for (const auto& entry : topics_) topics.insert(entry.first);
  const auto append = [&out](std::string_view name, const auto& texts) {
    out += '"';
    out += name;
    out += "\":[";
    bool is_first = true;
    for (const std::string& text : texts) {
      if (!is_first) out += ',';
      is_first = false;
      append_quoted(out, text);
    }
    out += ']';
  };
  append("topic", topics);
  out += ',';
  append("in", in_);
  out += ',';
  append("out", out_);
}

}  // namespace websocket
