// Testing events: no allocation, no virtual call, integers first.
#include "decode/dns.hpp"
#include "event/event.hpp"
#include "event/pattern.hpp"
#include "match/match.hpp"
#include "match/program.hpp"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

namespace nfbus::host {

namespace {

char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal(std::string_view pattern, std::string_view text, bool ignore_case) noexcept {
  if (!ignore_case) return pattern == text;
  return pattern.size() == text.size() &&
         std::equal(pattern.begin(), pattern.end(), text.begin(), [](char p, char t) { return p == lower(t); });
}

// As many as are quicker gone through than searched.
constexpr std::size_t kFew = 8;

template <typename RangeType, typename Number>
bool in_ranges(std::span<const RangeType> ranges, const Number& number) noexcept {
  if (ranges.size() <= kFew) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const RangeType& range) { return range.low <= number && number <= range.high; });
  }
  const auto above = std::upper_bound(ranges.begin(), ranges.end(), number,
                                      [](const Number& wanted, const RangeType& range) { return wanted < range.low; });
  return above != ranges.begin() && number <= std::prev(above)->high;
}

class Tester {
 public:
  Tester(const MatchProgram& program, const Facts& facts) noexcept : program_(program), facts_(facts) {}

  [[nodiscard]] bool holds(const Table& table) const noexcept {
    if (facts_.traits.meet(table.forbidden) || (table.required & ~facts_.present) != 0) return false;
    const MatchCondition* const conditions = program_.conditions.data() + table.first;
    for (std::uint32_t i = 0; i < table.count; ++i) {
      if (matches(conditions[i]) == conditions[i].negated) return false;
    }
    return true;
  }

 private:
  // Also false when the event does not have the field.
  [[nodiscard]] bool matches(const MatchCondition& condition) const noexcept {
    switch (condition.kind) {
      case Kind::number: return has(condition.field) && in_ranges(ranges(condition), facts_.number(condition.field));
      case Kind::bits: return (facts_.number(condition.field) & ranges(condition).front().low) != 0;
      case Kind::masked: return has(condition.field) && matches_masked(condition);
      case Kind::port:
        return has(Field::source_port) && (in_ranges(ranges(condition), facts_.number(Field::source_port)) ||
                                           in_ranges(ranges(condition), facts_.number(Field::destination_port)));
      case Kind::source: return matches_address(condition, facts_.source, facts_.source6);
      case Kind::destination: return matches_address(condition, facts_.destination, facts_.destination6);
      case Kind::host:
        return matches_address(condition, facts_.source, facts_.source6) ||
               matches_address(condition, facts_.destination, facts_.destination6);
      case Kind::mac: return has(Field::mac) && matches_mac(condition);
      case Kind::text: return has(condition.field) && matches_text(condition, facts_.text(condition.field), false);
      case Kind::folded_text:
        return has(condition.field) && matches_text(condition, facts_.text(condition.field), true);
      case Kind::topic: return matches_topic(condition);
      case Kind::annotation: return matches_annotation(condition, program_.names[condition.first6], false);
      case Kind::domain: return matches_domain(condition);
      case Kind::bpf: return has(Field::packet) && matches_bpf(condition);
    }
    return false;
  }

  [[nodiscard]] bool has(Field field) const noexcept { return (facts_.present & bit(field)) != 0; }

  [[nodiscard]] std::span<const Range> ranges(const MatchCondition& condition) const noexcept {
    return {program_.ranges.data() + condition.first, condition.count};
  }

  [[nodiscard]] bool matches_masked(const MatchCondition& condition) const noexcept {
    const std::uint32_t number = facts_.number(condition.field);
    const auto wanted = ranges(condition);
    return std::any_of(wanted.begin(), wanted.end(),
                       [number](const Range& bits) { return (number & bits.high) == bits.low; });
  }

  [[nodiscard]] bool matches_address(const MatchCondition& condition, std::uint32_t ipv4,
                                     const Ipv6Number& ipv6) const noexcept {
    if (facts_.ip_version == 4) return in_ranges(ranges(condition), ipv4);
    if (facts_.ip_version != 6) return false;
    return in_ranges(std::span(program_.ranges6.data() + condition.first6, condition.count6), ipv6);
  }

  [[nodiscard]] bool matches_mac(const MatchCondition& condition) const noexcept {
    const std::span wanted(program_.macs.data() + condition.first, condition.count);
    return std::any_of(wanted.begin(), wanted.end(), [this](std::uint64_t mac) {
      return std::find(facts_.macs.begin(), facts_.macs.end(), mac) != facts_.macs.end();
    });
  }

  [[nodiscard]] bool matches_text(const MatchCondition& condition, std::string_view text,
                                  bool ignore_case) const noexcept {
    return matches_any(std::span(program_.patterns.data() + condition.first, condition.count), text, ignore_case);
  }

  [[nodiscard]] static bool matches_any(std::span<const Pattern> patterns, std::string_view text,
                                        bool ignore_case) noexcept {
    return std::any_of(patterns.begin(), patterns.end(), [&](const Pattern& pattern) {
      return pattern.has_star ? host::matches(pattern.text, text, Extent::whole, ignore_case)
                              : equal(pattern.text, text, ignore_case);
    });
  }

  [[nodiscard]] bool matches_topic(const MatchCondition& condition) const noexcept {
    const std::span patterns(program_.patterns.data() + condition.first, condition.count);
    const bool is_packet = facts_.event->kind == NFBUS_EVENT_PACKET;
    const std::size_t half = patterns.size() / 2;
    return matches_any(is_packet ? patterns.first(half) : patterns.last(half), facts_.text(Field::topic), is_packet);
  }

  [[nodiscard]] bool matches_annotation(const MatchCondition& condition, std::string_view name,
                                        bool is_domain) const noexcept {
    for (const nfbus_field& field : std::span(facts_.event->fields, facts_.event->field_count)) {
      if (view(field.name) != name) continue;
      std::string_view value = view(field.value);
      if (is_domain && value.ends_with('.')) value.remove_suffix(1);
      return matches_text(condition, value, is_domain);
    }
    return false;
  }

  [[nodiscard]] bool matches_domain(const MatchCondition& condition) const noexcept {
    if (matches_annotation(condition, "RecentDomainSrc", true)) return true;
    if (matches_annotation(condition, "RecentDomainDst", true)) return true;
    if (!has(Field::source_port)) return false;
    bool found = false;
    for_each_dns_question(*facts_.event, [&](std::string_view name, std::uint16_t /*type*/) {
      found = matches_text(condition, name, true);
      return !found;
    });
    return found;
  }

  [[nodiscard]] bool matches_bpf(const MatchCondition& condition) const noexcept {
    const std::span programs(program_.programs.data() + condition.first, condition.count);
    return std::any_of(programs.begin(), programs.end(),
                       [this](const BpfProgram& program) { return program.matches(*facts_.event); });
  }

  const MatchProgram& program_;
  const Facts& facts_;
};

}  // namespace

MatchSet::MatchSet() = default;
MatchSet::MatchSet(std::unique_ptr<const MatchProgram> program) : program_(std::move(program)) {
  for (const Table& table : program_->tables) forbidden_ &= table.forbidden;
}
MatchSet::MatchSet(MatchSet&& other) noexcept = default;
MatchSet& MatchSet::operator=(MatchSet&& other) noexcept = default;
MatchSet::~MatchSet() = default;

std::uint32_t MatchSet::table_count() const noexcept {
  return program_ ? static_cast<std::uint32_t>(program_->tables.size()) : 0;
}

std::uint64_t MatchSet::search_cost_ns(const Facts& facts) const noexcept {
  if (!program_) return kGlanceNs;
  const MatchCost& cost = program_->cost;
  std::uint64_t ns = kGlanceNs + cost.ns + cost.ns_per_topic_byte * facts.text(Field::topic).size();
  if (cost.ns_per_dns_byte != 0) ns += cost.ns_per_dns_byte * dns_message(*facts.event).size();
  return ns;
}

std::size_t MatchSet::size_bytes() const noexcept {
  if (!program_) return 0;
  const auto bytes_of = [](const auto& elements) { return elements.capacity() * sizeof elements[0]; };
  std::size_t bytes = sizeof *program_ + bytes_of(program_->tables) + bytes_of(program_->conditions) +
                      bytes_of(program_->ranges) + bytes_of(program_->ranges6) + bytes_of(program_->macs) +
                      bytes_of(program_->patterns) + bytes_of(program_->names) + bytes_of(program_->programs);
  for (const Pattern& pattern : program_->patterns) bytes += pattern.text.capacity();
  for (const std::string& name : program_->names) bytes += name.capacity();
  for (const BpfProgram& program : program_->programs) bytes += program.instructions() * sizeof(bpf_insn);
  return bytes;
}

std::uint32_t MatchSet::search(const Facts& facts) const noexcept {
  if (!program_) return 0;
  const Tester tester(*program_, facts);
  std::uint32_t number = 0;
  for (const Table& table : program_->tables) {
    ++number;
    if (tester.holds(table)) return number;
  }
  return 0;
}

}  // namespace nfbus::host
