// Messages with places that an event fills.
#pragma once

#include "fields.hpp"
#include "judged_event.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace rules {

// A template of ours: "{src} tried {dport}". `{{` and `}}` are braces. Beside the fields of an event there are {count},
// {window_s} and {time}; what the event does not have is empty. Thread safety: as a const object.
class MessageTemplate {
 public:
  // Whether it may have several lines.
  enum class Lines : std::uint8_t { one = 1, several };

  MessageTemplate() = default;
  // [control] host: knows what filters add. Throws std::invalid_argument, which says what is wrong.
  MessageTemplate(std::string_view text, Lines lines, const nfbus::Host& host);

  // [worker] Cut behind so many bytes. What {count} and {window_s} are is known later.
  [[nodiscard]] std::string fill(JudgedEvent& event, std::size_t most_bytes) const;
  // Puts them into what fill() returned.
  static void put_numbers(std::string& filled, std::uint64_t count, std::uint32_t window_s);

  [[nodiscard]] bool empty() const noexcept { return parts_.empty(); }

 private:
  enum class Number : std::uint8_t { count = 1, window_s, time };
  std::vector<std::variant<std::string, Field, Number>> parts_;
};

// [worker] A template of SPR: `{{IP.SrcIP}}`, `{{IP.SrcIP#Device}}` (the name that the user gave to it). What the event
// does not have stays as it is written.
[[nodiscard]] std::string fill_spr_template(std::string_view text, const Json& event, const NameOf& name_of,
                                            std::size_t most_bytes);

// The value at a path of keys and numbers of elements, "DNS.Questions.0.Name"; null: there is none.
[[nodiscard]] const Json* find_path(const Json& event, std::string_view path);

}  // namespace rules
