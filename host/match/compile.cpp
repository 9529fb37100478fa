// From tables to the compiled form.
#include "match/keys.hpp"
#include "match/match.hpp"
#include "match/values.hpp"
#include "support/json_text.hpp"
#include "support/suggest.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>
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

// The buckets that numbers of a range fall into.
Traits buckets_of(const TraitGroup& group, const Range& range) {
  if (range.high - range.low >= group.count) return group.all() & ~group.absent();
  Traits traits = 0;
  for (std::uint32_t number = range.low;; ++number) {
    traits |= group.bucket(number);
    if (number == range.high) return traits;
  }
}

// Those of the group that none of the condition's values has.
Traits forbidden_by_numbers(const MatchProgram& program, const Condition& condition, const TraitGroup& group) {
  Traits allowed = 0;
  for (std::uint32_t i = 0; i < condition.count; ++i) {
    allowed |= buckets_of(group, program.ranges[condition.first + i]);
  }
  return group.all() & ~allowed;
}

Traits forbidden_by_texts(const MatchProgram& program, const Condition& condition, const TraitGroup& group) {
  Traits allowed = 0;
  for (std::uint32_t i = 0; i < condition.count; ++i) {
    const Pattern& pattern = program.patterns[condition.first + i];
    allowed |= pattern.has_star ? group.all() & ~group.absent() : group.bucket(text_hash(pattern.text));
  }
  return group.all() & ~allowed;
}

Traits forbidden_by_addresses(const Condition& condition) {
  Traits allowed = 0;
  if (condition.count != 0) allowed |= kVersionTraits.bucket(0);
  if (condition.count6 != 0) allowed |= kVersionTraits.bucket(1);
  return kVersionTraits.all() & ~allowed;
}

Traits forbidden_by_flags(const MatchProgram& program, const Condition& condition) {
  Traits allowed = 0;
  for (std::uint32_t i = 0; i < condition.count; ++i) {
    const Range& bits = program.ranges[condition.first + i];
    for (std::size_t value = 0; value < 4; ++value) {
      if ((value & syn_and_ack(bits.high)) == syn_and_ack(bits.low)) allowed |= kFlagsTraits.bucket(value);
    }
  }
  return kFlagsTraits.all() & ~allowed;
}

// Of a condition that is not negated.
Traits forbidden_traits(const MatchProgram& program, const Condition& condition) {
  switch (condition.field) {
    case Field::protocol: return forbidden_by_numbers(program, condition, kProtocolTraits);
    case Field::source_port:
      // Of `port` either side may be the one.
      if (condition.kind == Kind::port) return kSourcePortTraits.absent();
      return forbidden_by_numbers(program, condition, kSourcePortTraits);
    case Field::destination_port: return forbidden_by_numbers(program, condition, kDestinationPortTraits);
    case Field::tcp_flags: return forbidden_by_flags(program, condition);
    case Field::in_name: return forbidden_by_texts(program, condition, kInTraits);
    case Field::out_name: return forbidden_by_texts(program, condition, kOutTraits);
    case Field::prefix: return forbidden_by_texts(program, condition, kPrefixTraits);
    case Field::source:
    case Field::destination: return forbidden_by_addresses(condition);
    default: return 0;
  }
}

class Compiler {
 public:
  Compiler(const KnownFields& known, MatchProgram& program, std::vector<MatchFault>& faults)
      : known_(known), program_(program), faults_(faults) {}

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
    std::vector<Condition> conditions;
    std::uint32_t required = 0;
    Traits forbidden = 0;
    for (const auto& [name, value] : table.items()) {
      if (const auto condition = make_condition(name, value)) {
        conditions.push_back(*condition);
        if (condition->negated) continue;
        required |= bit(condition->field);
        forbidden |= forbidden_traits(program_, *condition);
      }
    }
    std::stable_sort(conditions.begin(), conditions.end(),
                     [](const Condition& a, const Condition& b) { return a.kind < b.kind; });
    const auto count = static_cast<std::uint32_t>(conditions.size());
    const std::uint32_t first = append(program_.conditions, std::move(conditions));
    program_.tables.push_back({.forbidden = forbidden, .required = required, .first = first, .count = count});
  }

  std::optional<Condition> make_condition(const std::string& written, const json& value) {
    const bool negated = written.starts_with('!');
    const std::string name = negated ? written.substr(1) : written;
    const Key* key = find_key(name);
    if (key == nullptr && (name == "rule" || known_.contains(name))) key = &annotation_key();
    if (key == nullptr) {
      unknown_key(written, name);
      return std::nullopt;
    }
    Values values;
    if (!read_values(written, *key, value, values)) return std::nullopt;
    return store(*key, name, negated, std::move(values));
  }

  void unknown_key(const std::string& written, const std::string& name) {
    std::vector<std::string> names = key_names();
    names.insert(names.end(), known_.names.begin(), known_.names.end());
    std::string text = "unknown key";
    if (name.ends_with('!')) {
      text += fmt::format("; write !{} for a condition that must not hold", name.substr(0, name.size() - 1));
    } else if (const std::string near(nearest(name, names)); !near.empty()) {
      text += fmt::format("; did you mean \"{}{}\"?", written.size() > name.size() ? "!" : "", near);
    } else {
      text += "; it is neither a key of matches nor a field that a configured filter adds";
    }
    faults_.push_back({.table = table_, .key = written, .element = {}, .about_key = true, .text = std::move(text)});
  }

  bool read_values(const std::string& written, const Key& key, const json& value, Values& values) {
    if (!value.is_array()) {
      const auto wrong = add_value(key, value, values);
      if (wrong) fault(written, *wrong);
      return !wrong;
    }
    if (value.empty()) {
      fault(written, "lists nothing, and so would never match; leave it out");
      return false;
    }
    bool good = true;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (const auto wrong = add_value(key, value[i], values)) {
        fault(written, *wrong, i);
        good = false;
      }
    }
    return good;
  }

  Condition store(const Key& key, const std::string& name, bool negated, Values values) {
    Condition condition = {.kind = key.kind, .field = key.field, .negated = negated};
    if (key.kind == Kind::bits) {
      std::uint32_t mask = 0;
      for (const Range& range : values.ranges) mask |= range.low;
      values.ranges = {{.low = mask, .high = mask}};
    } else if (key.kind != Kind::masked) {
      join(values.ranges);
      join(values.ranges6);
    }
    condition.count = static_cast<std::uint32_t>(
        std::max({values.ranges.size(), values.macs.size(), values.patterns.size(), values.programs.size()}));
    condition.count6 = static_cast<std::uint32_t>(values.ranges6.size());
    condition.first6 = append(program_.ranges6, std::move(values.ranges6));
    switch (key.kind) {
      case Kind::mac: condition.first = append(program_.macs, std::move(values.macs)); break;
      case Kind::annotation: condition.first6 = append(program_.names, std::vector<std::string>{name}); [[fallthrough]];
      case Kind::text:
      case Kind::folded_text:
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

CompiledMatch compile_match(const json& tables, const KnownFields& known) {
  CompiledMatch compiled;
  auto program = std::make_unique<MatchProgram>();
  Compiler(known, *program, compiled.faults).add_tables(tables);
  if (compiled.faults.empty()) compiled.matches = MatchSet(std::move(program));
  return compiled;
}

Result<MatchSet> compile_match_json(std::string_view text, const KnownFields& known) {
  const auto invalid = [](std::string why) { return Error{.code = Code::invalid, .text = std::move(why)}; };
  if (text.size() > kMostBytes) return invalid("a match is at most 1 MiB of JSON");
  const json tables = json::parse(text, nullptr, false);
  if (tables.is_discarded()) return invalid("a match is a table or an array of tables as JSON, and this is no JSON");
  CompiledMatch compiled = compile_match(tables, known);
  if (!compiled.faults.empty()) return invalid(to_string(compiled.faults.front()));
  return std::move(compiled.matches);
}

}  // namespace nfbus::host
