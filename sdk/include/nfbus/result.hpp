// The one vocabulary of errors, in the host and in plugins: Result<T> holds a value or an Error, never both.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace nfbus {

// Names the kind of failure, as a caller must act on it.
enum class Code {
  invalid = 1,  // the user's input is wrong: configuration, arguments, a broken file. Retrying changes nothing.
  not_found,    // what was named does not exist
  refused,      // permission, a missing capability, an untrusted file
  busy,         // somebody else holds it
  unsupported,  // this kernel, plugin or version lacks it
  io,           // the outside world failed: disk, socket, peer. Retrying may help.
};

// A place in a file that the user can go to. line and column count from 1; line 0: the file as a whole.
struct Location {
  std::string file;
  unsigned line = 0;
  unsigned column = 0;
};

struct Error {
  Code code;
  std::string text;  // one sentence: what is wrong and, where known, the fix; no final full stop
  std::optional<Location> where = {};
  std::string option = {};  // of a plugin's create(): which option is meant, a JSON pointer: "/drop/0/dst"
};

// "FILE:LINE:COL: text", "FILE: text" or "text".
inline std::string to_string(const Error& error) {
  std::string out;
  if (error.where) {
    out += error.where->file;
    if (error.where->line != 0) {
      out += ':' + std::to_string(error.where->line) + ':' + std::to_string(error.where->column);
    }
    out += ": ";
  }
  return out + error.text;
}

// Thread safety: as its value's. Reading value() of an error, or error() of a value, throws std::bad_variant_access.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }

  [[nodiscard]] T& value() & { return std::get<0>(state_); }
  [[nodiscard]] const T& value() const& { return std::get<0>(state_); }
  [[nodiscard]] T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
  [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  [[nodiscard]] bool ok() const noexcept { return !error_.has_value(); }
  explicit operator bool() const noexcept { return ok(); }
  [[nodiscard]] const Error& error() const& { return error_.value(); }
  [[nodiscard]] Error&& error() && { return std::move(error_).value(); }

 private:
  std::optional<Error> error_;
};

}  // namespace nfbus
