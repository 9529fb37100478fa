#include "pattern.hpp"

#include <stdexcept>
#include <string>

namespace rules {
namespace {

using Bytes = std::bitset<256>;

std::size_t index(char c) noexcept { return static_cast<unsigned char>(c); }

void add_range(Bytes& bytes, char first, char last) {
  for (std::size_t i = index(first); i <= index(last); ++i) bytes.set(i);
}

// \d \w \s; false: none of these.
bool add_class(Bytes& bytes, char letter) {
  switch (letter) {
    case 'd': add_range(bytes, '0', '9'); return true;
    case 'w':
      add_range(bytes, '0', '9');
      add_range(bytes, 'a', 'z');
      add_range(bytes, 'A', 'Z');
      bytes.set(index('_'));
      return true;
    case 's':
      for (const char c : {' ', '\t', '\n', '\r', '\f'}) bytes.set(index(c));
      return true;
    default: return false;
  }
}

[[noreturn]] void fail(std::string_view what, std::string_view why) {
  throw std::invalid_argument("\"" + std::string(what) + "\" in a regular expression " + std::string(why));
}

// Takes what follows a backslash.
Bytes take_escaped(std::string_view& rest) {
  if (rest.empty()) fail("\\", "has nothing behind it");
  const char letter = rest.front();
  rest.remove_prefix(1);
  Bytes bytes;
  if (add_class(bytes, letter)) return bytes;
  if (letter == 'D' || letter == 'W' || letter == 'S') {
    add_class(bytes, static_cast<char>(letter - 'A' + 'a'));
    return ~bytes;
  }
  const bool is_letter = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z');
  if (is_letter || (letter >= '0' && letter <= '9')) fail(std::string("\\") + letter, "is not known here");
  bytes.set(index(letter));
  return bytes;
}

// Takes a class behind its `[`.
Bytes take_class(std::string_view& rest) {
  Bytes bytes;
  const bool is_negated = rest.starts_with('^');
  if (is_negated) rest.remove_prefix(1);
  for (bool is_first = true;; is_first = false) {
    if (rest.empty()) fail("[", "has no \"]\" behind it");
    const char c = rest.front();
    if (c == ']' && !is_first) break;
    if (rest.starts_with("[:")) fail("[:", "is not known here");
    rest.remove_prefix(1);
    if (c == '\\') {
      bytes |= take_escaped(rest);
    } else if (rest.size() >= 2 && rest[0] == '-' && rest[1] != ']') {
      if (rest[1] == '\\' || index(rest[1]) < index(c)) fail(std::string({c, '-', rest[1]}), "is no range");
      add_range(bytes, c, rest[1]);
      rest.remove_prefix(2);
    } else {
      bytes.set(index(c));
    }
  }
  rest.remove_prefix(1);
  return is_negated ? ~bytes : bytes;
}

}  // namespace

Pattern::Pattern(std::string_view text) {
  if (text.starts_with('^')) {
    from_start_ = true;
    text.remove_prefix(1);
  }
  while (!text.empty()) {
    const char c = text.front();
    text.remove_prefix(1);
    if (c == '$' && text.empty()) {
      to_end_ = true;
      break;
    }
    Step step;
    switch (c) {
      case '.':
        step.bytes.set();
        step.bytes.reset(index('\n'));
        break;
      case '[': step.bytes = take_class(text); break;
      case '\\': step.bytes = take_escaped(text); break;
      case '(':
      case ')':
      case '|':
      case '{':
      case '}':
      case '^':
      case '$':
      case '*':
      case '+':
      case '?': fail(std::string(1, c), "is not known here; a backslash before it makes it the character");
      default: step.bytes.set(index(c));
    }
    if (!text.empty() && std::string_view("*+?").find(text.front()) != std::string_view::npos) {
      step.may_lack = text.front() != '+';
      step.may_repeat = text.front() != '?';
      text.remove_prefix(1);
    }
    if (steps_.size() == kMostSteps) {
      throw std::invalid_argument("a regular expression is longer than " + std::to_string(kMostSteps) + " characters");
    }
    steps_.push_back(step);
  }
}

Pattern::Places Pattern::with_what_may_lack(Places places) const noexcept {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    if ((places >> i & 1U) != 0 && steps_[i].may_lack) places |= Places{1} << (i + 1);
  }
  return places;
}

bool Pattern::found_in(std::string_view text) const {
  const Places end = Places{1} << steps_.size();
  const Places begin = with_what_may_lack(1);
  Places places = begin;
  for (const char c : text) {
    if ((places & end) != 0 && !to_end_) return true;
    Places next = 0;
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if ((places >> i & 1U) == 0 || !steps_[i].bytes.test(index(c))) continue;
      next |= Places{1} << (i + 1);
      if (steps_[i].may_repeat) next |= Places{1} << i;
    }
    // What may repeat has been there once, and may lack from now on.
    places = with_what_may_lack(next);
    if (!from_start_) places |= begin;
    if (places == 0) return false;
  }
  return (places & end) != 0;
}

}  // namespace rules
