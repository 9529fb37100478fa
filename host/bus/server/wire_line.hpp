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
    broken,       // no JSON object
    wrong_topic,  // a topic that is no string
    wrong_value,  // a value that is no string
    ambiguous,    // one of the keys below stands there more than once: which of them counts depends on the reader
  };
  Kind kind = Kind::broken;
  std::string_view topic;  // decoded; lies in the line or in the scanner. Missing: empty
  std::string_view value;  // as it stands between its quotes; decode_string() makes the text of it
  // What stands behind the keys of our own, as JSON; empty: nothing.
  std::string_view format;
  std::string_view match;
  std::string_view marker;
  bool wants_answer = false;  // "answer":true; also of lines of which nothing else is good, but for broken ones
  [[nodiscard]] bool asks_for_more() const noexcept { return !format.empty() || !match.empty() || !marker.empty(); }
  std::string_view repeated;  // the key that makes it ambiguous
};

// Thread safety: none.
class WireScanner {
 public:
  // One line without its newline. What the result points to is valid until the next scan() and as long as `line`.
  // Keys count as encoding/json compares them: in any case, with escapes. Bytes that are not UTF-8 are let through.
  [[nodiscard]] WireLine scan(std::string_view line);

 private:
  // The keys that mean something. Values are bits.
  enum class Key : std::uint8_t { topic = 1, value = 2, format = 4, match = 8, marker = 16, answer = 32, other = 64 };

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
  bool read_member(WireLine& out);
  [[nodiscard]] Key key_of(std::string_view inside);
  // Puts the value of a key where it belongs.
  void keep(Key key, std::string_view json, WireLine& out);
  void keep_topic(std::string_view json, WireLine& out);

  std::string_view text_;
  std::size_t at_ = 0;
  std::string open_;       // the brackets around at_, below the line's own object
  std::string topic_;      // decoded, where it had escapes
  std::string key_;        // decoded and folded
  std::uint8_t seen_ = 0;  // of the keys
};

// Appends the text that the inside of a JSON string stands for. Lone surrogates, and bytes that are not UTF-8, become
// U+FFFD. `inside` must have passed a scanner.
void decode_string(std::string_view inside, std::string& out);

}  // namespace nfbus::host
