// What an event gives to placeholders, each as a part of a JSON text (json_parts.hpp).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace webhook {

// What stands between the braces of {KEY}, {KEY.KEY} or {ONE|OTHER}: paths, the first of which that leads to something
// counts.
struct Placeholder {
  std::vector<std::vector<std::string>> paths;

  // Whether it asks for {NAME}.
  [[nodiscard]] bool asks_for(std::string_view name) const;
};

// text: what stands between the braces. Throws std::invalid_argument, which says what is wrong with it.
[[nodiscard]] Placeholder placeholder_of(std::string_view text);

// A table of the user's: what a placeholder's value becomes under the table's name.
struct Lookup {
  Placeholder of;
  std::map<std::string, std::string> values;  // parts, by the text of the value
  std::string other;                          // part; empty: there is none
};
using Lookups = std::map<std::string, Lookup, std::less<>>;

inline constexpr std::string_view kOwnNames[] = {"topic", "time", "device", "id", "event"};

// One event, as the host shows it.
struct Shown {
  std::string_view line;  // in the format "packet": a message is {"Topic","Timestamp","Message","Fields"?}
  bool is_message = false;
  std::string_view topic;    // raw bytes
  std::string_view id = {};  // the same whenever this event is sent
};

// Thread safety: none. What it returns is valid until the next set().
class Facts {
 public:
  Facts(const Lookups& lookups, std::string_view device);

  void set(const Shown& shown);
  [[nodiscard]] std::string_view line() const noexcept { return line_; }

  // The part that it stands for: {topic}, {time}, {device}, {id} and {event}, else a lookup, else a path into the
  // packet's JSON, or into the message's and then into what the host puts around that. Empty: there is none.
  [[nodiscard]] std::string_view find(const Placeholder& placeholder) const;

 private:
  [[nodiscard]] std::string_view find_path(const std::vector<std::string>& path) const;
  [[nodiscard]] std::string_view look_up(const Lookup& lookup) const;

  const Lookups& lookups_;
  const std::string device_;
  std::string topic_;
  std::string id_;
  std::string_view line_;
  std::string_view event_;
  bool is_message_ = false;
};

}  // namespace webhook
