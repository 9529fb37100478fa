// A line as clients write it, read the way encoding/json of Go reads it, since that is what SPR's bus does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace nfbus::host {

// The longest line that is accepted of a client, without its newline.
inline constexpr std::size_t kMostReceivedBytes = 262143;
// The longest line that nfbus makes itself, newline included: clients written in Go end at a longer one.
inline constexpr std::size_t kMostMadeBytes = 65535;

struct WireLine {
  enum class Kind : std::uint8_t {
    publish = 1,
    subscribe,    // the topic begins with "subscribe:", which is not part of `topic` any more
    broken,       // no JSON object, or a topic that is no string
    wrong_value,  // a value that is no string
  };
  Kind kind = Kind::broken;
  std::string_view topic;  // decoded; lies in the line or in the scanner. Missing: empty
  std::string_view value;  // as it stands between its quotes; decode_string() makes the text of it
  bool extended = false;   // there are keys besides topic and value
};

// Thread safety: none.
class WireScanner {
 public:
  // One line without its newline. What the result points to is valid until the next scan() and as long as `line`.
  // Keys count in any case, with escapes; of several the last wins. Bytes that are not UTF-8 are let through.
  [[nodiscard]] WireLine scan(std::string_view line);

 private:
  // Each returns false at the first byte that is wrong and else leaves at_ behind what it read.
  bool skip_value();
  bool skip_scalar();
  bool skip_string(std::string_view& inside);
  bool skip_number();
  bool skip_digits();
  bool skip_literal(std::string_view literal);
  bool skip_key();
  bool open_container(char bracket);
  bool close_containers();
  void skip_space();
  bool take(char expected);
  [[nodiscard]] bool is_key(std::string_view inside, std::string_view name);
  bool read_member(WireLine& out);

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;   // the brackets around at_, below the line's own object
  std::string topic_;  // decoded, where it had escapes
  std::string key_;
};

// Appends the text that the inside of a JSON string stands for. Lone surrogates, and bytes that are not UTF-8, become
// U+FFFD. `inside` must have passed a scanner.
void decode_string(std::string_view inside, std::string& out);

}  // namespace nfbus::host
