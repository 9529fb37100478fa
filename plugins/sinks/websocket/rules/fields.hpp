// Fields of events by the names that matches have for them: for templates, groups and what was seen first.
#pragma once

#include "judged_event.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rules {

// A value. Thread safety: as a const object.
class Field {
 public:
  // Any plain word that is no field is the name of an annotation. Nothing: it is no plain word, or one of `host`.
  [[nodiscard]] static std::optional<Field> of(std::string_view word);

  // [worker] Appends it as text. False, and appends nothing: the event has none.
  bool append(JudgedEvent& judged, std::string& out) const;

  [[nodiscard]] bool is_annotation() const noexcept { return kind_ == Kind::annotation; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }

 private:
  enum class Kind : std::uint8_t {
    src = 1,
    dst,
    sport,
    dport,
    proto,
    in,
    out,
    mac,
    topic,
    prefix,
    action,
    domain,
    src_name,
    dst_name,
    group,
    mark,
    length,
    annotation
  };
  Field(Kind kind, std::string_view name) : kind_(kind), name_(name) {}

  Kind kind_;
  std::string name_;
};

// [control] From a list of names. Throws std::invalid_argument, which names the one that is no field that this host
// knows.
[[nodiscard]] std::vector<Field> fields_of(const std::vector<std::string>& names, const nfbus::Host& host);

// [control] Throws std::invalid_argument unless a filter may add it. more: other words that may have been meant.
void check_annotation(const Field& field, const nfbus::Host& host, std::vector<std::string_view> more = {});

// [worker] Makes `out` the key of an event: equal for events whose fields are equal. False: it has one of them not,
// which counts as empty.
bool make_key(const std::vector<Field>& fields, JudgedEvent& event, std::string& out);

// [worker] A line that says of an event what it is, where the user has none: "10.0.0.2 to 10.0.0.1 port 22 (tcp)".
[[nodiscard]] std::string default_message(JudgedEvent& judged);

}  // namespace rules
