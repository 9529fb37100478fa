// From tables to the compiled form.
#include "match/keys.hpp"
#include "match/match.hpp"
#include "match/other_words.hpp"
#include "match/values.hpp"
#include "support/json_text.hpp"
#include "support/suggest.hpp"

#include <nfbus/util/json_levels.hpp>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

namespace nfbus::host {

using nlohmann::json;

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20U;

// Sorted, and those that touch joined, so that they can be searched.
template <typename RangeType>
void join(std::vector<RangeType>& ranges) {
  std::sort(ranges.begin(), ranges.end());
  std::vector<RangeType> joined;
  joined.reserve(ranges.size());
  for (const RangeType& range : ranges) {
    if (!joined.empty() && range.low <= joined.back().high) {
      joined.back().high = std::max(joined.back().high, range.high);
    } else {
      joined.push_back(range);
    }
  }
  ranges = std::move(joined);
}

// Appends `from` to `to` and says where it begins there.
template <typename T>
std::uint32_t append(std::vector<T>& to, std::vector<T>&& from) {
  const auto first = static_cast<std::uint32_t>(to.size());
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  return first;
}

// The buckets that the numbers from low to high fall into.
Traits buckets_of(const TraitGroup& group, std::uint64_t low, std::uint64_t high) {
  if (high - low >= group.count) return group.all().without(group.absent());
  Traits traits;
  for (std::uint64_t number = low; number <= high; ++number) traits |= group.bucket(number);
  return traits;
}

// What allow(range) says of each range, together.
template <typename RangeType, typename Allow>
Traits allowed_by(std::span<const RangeType> ranges, const Allow& allow) {
  Traits allowed;
  for (const RangeType& range : ranges) allowed |= allow(range);
  return allowed;
}

std::span<const Range> ranges_of(const MatchProgram& program, const MatchCondition& condition) {
  return {program.ranges.data() + condition.first, condition.count};
}

Traits allowed_numbers(const MatchProgram& program, const MatchCondition& condition, const TraitGroup& group) {
  return allowed_by(ranges_of(program, condition),
                    [&](const Range& range) { return buckets_of(group, range.low, range.high); });
}

Traits allowed_texts(const MatchProgram& program, const MatchCondition& condition, const TraitGroup& group) {
  const std::span patterns(program.patterns.data() + condition.first, condition.count);
  return allowed_by(std::span<const Pattern>(patterns), [&](const Pattern& pattern) {
    return pattern.has_star ? group.all().without(group.absent()) : group.bucket(text_hash(pattern.text));
  });
}

Traits allowed_addresses(const MatchProgram& program, const MatchCondition& condition, const TraitGroup& group) {
  Traits allowed = allowed_by(ranges_of(program, condition), [&](const Range& range) {
    return buckets_of(group, network_hash(range.low), network_hash(range.high));
  });
  const std::span<const Ipv6Range> ranges6(program.ranges6.data() + condition.first6, condition.count6);
  allowed |= allowed_by(ranges6, [&](const Ipv6Range& range) {
    return buckets_of(group, network_hash(range.low.high), network_hash(range.high.high));
  });
  return allowed;
}

// hash: of a number, and of the wanted bits and the mask; it keeps bits apart.
template <typename Hash>
Traits allowed_bits(const MatchProgram& program, const MatchCondition& condition, const TraitGroup& group,
                    const Hash& hash) {
  return allowed_by(ranges_of(program, condition), [&](const Range& bits) {
    Traits allowed;
    for (std::uint64_t value = 0; value < group.count - 1; ++value) {
      if ((value & hash(bits.high)) == hash(bits.low)) allowed |= group.bucket(value);
    }
    return allowed;
  });
}

// Of a condition that is not negated.
Traits forbidden_traits(const MatchProgram& program, const MatchCondition& condition) {
  const auto others = [](const TraitGroup& group, const Traits& allowed) { return group.all().without(allowed); };
  const auto numbers = [&](const TraitGroup& group) {
    return others(group, allowed_numbers(program, condition, group));
  };
  const auto texts = [&](const TraitGroup& group) { return others(group, allowed_texts(program, condition, group)); };
  const auto addresses = [&](const TraitGroup& group) {
    return others(group, allowed_addresses(program, condition, group));
  };
  switch (condition.kind) {
    // Either side may be the one.
    case Kind::port: return kSourcePortTraits.absent();
    case Kind::host: return kSourceTraits.absent();
    case Kind::annotation:
    case Kind::domain: return {};
    default: break;
  }
  switch (condition.field) {
    case Field::protocol: return numbers(kProtocolTraits);
    case Field::source_port: return numbers(kSourcePortTraits);
    case Field::destination_port: return numbers(kDestinationPortTraits);
    case Field::source: return addresses(kSourceTraits);
    case Field::destination: return addresses(kDestinationTraits);
    case Field::mark: {
      const auto last_bits = [](std::uint32_t mark) { return std::uint64_t{mark & 0xfU}; };
      return others(kMarkTraits, allowed_bits(program, condition, kMarkTraits, last_bits));
    }
    case Field::tcp_flags: return others(kFlagsTraits, allowed_bits(program, condition, kFlagsTraits, syn_and_ack));
    case Field::in_name: return texts(kInTraits);
    case Field::out_name: return texts(kOutTraits);
    case Field::prefix: return texts(kPrefixTraits);
    case Field::topic: return texts(kTopicTraits);
    default: return {};
  }
}

// Of what is not a topic or in a DNS message; the kernel's prefixes have so many bytes at most.
constexpr std::uint64_t kMostTextBytes = 128;

// Adds what the test of a condition with these values takes at most, about.
void add_cost(const Key& key, const Values& values, MatchCost& cost) {
  constexpr std::uint64_t kConditionNs = 20;
  std::uint64_t pattern_ns = 0;  // for each byte of the text
  cost.ns += kConditionNs + values.macs.size() + std::min<std::size_t>(values.ranges.size(), 32) +
             std::min<std::size_t>(values.ranges6.size(), 32);
  for (const Pattern& pattern : values.patterns) {
    cost.ns += 4;
    if (pattern.has_star) pattern_ns += 1 + pattern.text.size() / 2;
  }
  for (const BpfProgram& program : values.programs) cost.ns += program.instructions();
  if (key.field == Field::topic) {
    cost.ns_per_topic_byte += pattern_ns;
  } else if (key.kind == Kind::domain) {
    cost.ns_per_dns_byte += pattern_ns + values.patterns.size();
  } else {
    cost.ns += pattern_ns * kMostTextBytes;
  }
}

class Compiler {
 public:
  Compiler(const KnownFields& known, MatchLimits limits, MatchProgram& program, CompiledMatch& compiled)
      : known_(known),
        program_(program),
        faults_(compiled.faults),
        doubts_(compiled.doubts),
        bpf_words_left_(limits.bpf_words) {}

  void add_tables(const json& tables) {
    if (!tables.is_array()) return add_table(tables);
    for (std::size_t i = 0; i < tables.size(); ++i) {
      table_ = i;
      add_table(tables[i]);
    }
  }

 private:
  void add_table(const json& table) {
    if (!table.is_object()) return fault({}, fmt::format("expected a table, found {}", found_type(table)));
    if (table.empty()) return fault({}, "has no conditions, and so would hold for every event; leave it out");
    std::vector<MatchCondition> conditions;
    std::uint32_t required = 0;
    Traits forbidden;
    for (const auto& [name, value] : table.items()) {
      if (const auto condition = make_condition(name, value)) {
        conditions.push_back(*condition);
        if (condition->negated) continue;
        required |= bit(condition->field);
        forbidden |= forbidden_traits(program_, *condition);
      }
    }
    std::stable_sort(conditions.begin(), conditions.end(),
                     [](const MatchCondition& a, const MatchCondition& b) { return a.kind < b.kind; });
    const auto count = static_cast<std::uint32_t>(conditions.size());
    const std::uint32_t first = append(program_.conditions, std::move(conditions));
    program_.tables.push_back({.forbidden = forbidden, .required = required, .first = first, .count = count});
  }

  std::optional<MatchCondition> make_condition(const std::string& written, const json& value) {
    const bool negated = written.starts_with('!');
    const std::string name = negated ? written.substr(1) : written;
    const Key* key = find_key(name);
    if (key == nullptr && (name == "rule" || known_.contains(name))) {
      key = &annotation_key();
      doubt_annotation(written, name);
    }
    if (key == nullptr) {
      unknown_key(written, name, value);
      return std::nullopt;
    }
    Values values;
    values.bpf_words_left = bpf_words_left_;
    values.topic_root = known_.topic_root;
    const bool good = read_values(written, *key, value, values);
    bpf_words_left_ = values.bpf_words_left;
    if (!good) return std::nullopt;
    return store(*key, name, negated, std::move(values));
  }

  // Where any name may be a field's, those that others have for our keys are taken for one, too.
  void doubt_annotation(const std::string& written, const std::string& name) {
    const std::string_view ours = other_words::key_of(name);
    if (ours.empty() || std::find(known_.names.begin(), known_.names.end(), name) != known_.names.end()) return;
    doubts_.push_back({.table = table_,
                       .key = written,
                       .element = {},
                       .about_key = true,
                       .text = fmt::format("is taken for a field that a filter adds; did you mean \"{}\"?", ours)});
  }

  // value: a table, where the name has a dot in it (ip.saddr).
  void unknown_key(const std::string& written, const std::string& name, const json& value) {
    const std::string key_inside = value.is_object() && value.size() == 1 ? '.' + value.begin().key() : std::string();
    std::vector<std::string> names = key_names();
    names.insert(names.end(), known_.names.begin(), known_.names.end());
    std::string text = "unknown key";
    if (name.ends_with('!')) {
      text += fmt::format("; write !{} for a condition that must not hold", name.substr(0, name.size() - 1));
    } else if (const std::string_view ours = other_words::key_of(name + key_inside); !ours.empty()) {
      text += fmt::format("; did you mean \"{}{}\"?", written.size() > name.size() ? "!" : "", ours);
    } else if (const std::string near(nearest(name, names)); !near.empty()) {
      text += fmt::format("; did you mean \"{}{}\"?", written.size() > name.size() ? "!" : "", near);
    } else {
      text += "; it is neither a key of matches nor a field that a configured filter adds";
    }
    faults_.push_back({.table = table_, .key = written, .element = {}, .about_key = true, .text = std::move(text)});
  }

  bool read_values(const std::string& written, const Key& key, const json& value, Values& values) {
    if (!value.is_array()) {
      const auto added = add_value(key, value, values);
      if (!added) fault(written, added.error().text);
      take_doubts(written, {}, values);
      return added.ok();
    }
    if (value.empty()) {
      fault(written, "lists nothing, and so would never match; leave it out");
      return false;
    }
    bool good = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (const auto added = add_value(key, value[i], values); !added) {
        fault(written, added.error().text, i);
        good = false;
      }
      take_doubts(written, i, values);
    }
    return good;
  }

  void take_doubts(const std::string& written, std::optional<std::size_t> element, Values& values) {
    for (std::string& text : values.doubts) {
      doubts_.push_back(
          {.table = table_, .key = written, .element = element, .about_key = false, .text = std::move(text)});
    }
    values.doubts.clear();
  }

  MatchCondition store(const Key& key, const std::string& name, bool negated, Values values) {
    MatchCondition condition = {.kind = key.kind, .field = key.field, .negated = negated};
    if (key.kind == Kind::bits) {
      std::uint32_t mask = 0;
      for (const Range& range : values.ranges) mask |= range.low;
      values.ranges = {{.low = mask, .high = mask}};
    } else if (key.kind != Kind::masked) {
      join(values.ranges);
      join(values.ranges6);
    }
    add_cost(key, values, program_.cost);
    values.patterns.insert(values.patterns.end(), values.message_patterns.begin(), values.message_patterns.end());
    condition.count = static_cast<std::uint32_t>(
        std::max({values.ranges.size(), values.macs.size(), values.patterns.size(), values.programs.size()}));
    condition.count6 = static_cast<std::uint32_t>(values.ranges6.size());
    condition.first6 = append(program_.ranges6, std::move(values.ranges6));
    switch (key.kind) {
      case Kind::mac: condition.first = append(program_.macs, std::move(values.macs)); break;
      case Kind::annotation: condition.first6 = append(program_.names, std::vector<std::string>{name}); [[fallthrough]];
      case Kind::text:
      case Kind::folded_text:
      case Kind::topic:
      case Kind::domain: condition.first = append(program_.patterns, std::move(values.patterns)); break;
      case Kind::bpf: condition.first = append(program_.programs, std::move(values.programs)); break;
      default: condition.first = append(program_.ranges, std::move(values.ranges)); break;
    }
    return condition;
  }

  void fault(const std::string& key, std::string text, std::optional<std::size_t> element = {}) {
    faults_.push_back({.table = table_, .key = key, .element = element, .about_key = false, .text = std::move(text)});
  }

  const KnownFields& known_;
  MatchProgram& program_;
  std::vector<MatchFault>& faults_;
  std::vector<MatchFault>& doubts_;
  std::size_t bpf_words_left_;
  std::optional<std::size_t> table_;
};

}  // namespace

std::string to_string(const MatchFault& fault) {
  std::string place;
  if (fault.table) place += fmt::format("[{}]", *fault.table);
  if (!fault.key.empty()) {
    if (!place.empty()) place += '.';
    const std::string key = shown(json(fault.key));
    const bool as_it_is = KnownFields::is_plain(std::string_view(fault.key).substr(fault.key.starts_with('!') ? 1 : 0));
    place += as_it_is ? fault.key : key;
  }
  if (fault.element) place += fmt::format("[{}]", *fault.element);
  return place.empty() ? fault.text : place + ": " + fault.text;
}

CompiledMatch compile_match(const json& tables, const KnownFields& known, MatchLimits limits) {
  CompiledMatch compiled;
  auto program = std::make_unique<MatchProgram>();
  Compiler(known, limits, *program, compiled).add_tables(tables);
  if (compiled.faults.empty()) compiled.matches = MatchSet(std::move(program));
  return compiled;
}

Result<MatchSet> compile_match_json(std::string_view text, const KnownFields& known, MatchLimits limits) {
  const auto invalid = [](std::string why) { return Error{.code = Code::invalid, .text = std::move(why)}; };
  if (text.size() > kMostBytes) return invalid("a match is at most 1 MiB of JSON");
  if (util::is_nested_deeper(text))
    return invalid("a match is a table or an array of tables, and this is nested too deep");
  const json tables = json::parse(text, nullptr, false);
  if (tables.is_discarded()) return invalid("a match is a table or an array of tables as JSON, and this is no JSON");
  CompiledMatch compiled = compile_match(tables, known, limits);
  if (!compiled.faults.empty()) return invalid(to_string(compiled.faults.front()));
  return std::move(compiled.matches);
}

}  // namespace nfbus::host
