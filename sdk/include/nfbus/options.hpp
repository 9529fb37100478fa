// The instance's configuration: already checked against the plugin's schema, defaults filled in.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/text.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nfbus {

// Says what is wrong with one option. Thrown by a constructor (and by Options), it has the host show the option's place
// in the user's file.
class OptionError : public std::invalid_argument {
 public:
  // key: as Options takes it ("drop/0/dst"). text: what is wrong; it need not name the key.
  OptionError(std::string_view key, const std::string& text)
      : std::invalid_argument(text), pointer_(std::make_shared<const std::string>('/' + std::string(key))) {}
  // JSON pointer (RFC 6901).
  [[nodiscard]] std::string_view pointer() const noexcept { return *pointer_; }

 private:
  std::shared_ptr<const std::string> pointer_;  // shared: copies of an exception must not throw
};

// [control] Valid during the constructor that it is given to; what it returns is the caller's own.
// A key is a JSON pointer (RFC 6901) without its first slash: "file", "drop/0/dst". An accessor throws OptionError when
// there is no such value or when it has another type.
class Options {
 public:
  explicit Options(const nfbus_options* raw) : raw_(raw) {}

  [[nodiscard]] bool has(std::string_view key) const { return find(key).has_value(); }

  [[nodiscard]] std::string text(std::string_view key) const {
    return std::string(to_view(get(key, NFBUS_VALUE_TEXT, "a text").text));
  }
  [[nodiscard]] std::int64_t integer(std::string_view key) const {
    return get(key, NFBUS_VALUE_INTEGER, "an integer").integer;
  }
  // Also of an integer.
  [[nodiscard]] double number(std::string_view key) const {
    const std::optional<nfbus_value> value = find(key);
    if (value && value->type == NFBUS_VALUE_INTEGER) return value->number;
    return get(key, NFBUS_VALUE_NUMBER, "a number").number;
  }
  [[nodiscard]] bool boolean(std::string_view key) const {
    return get(key, NFBUS_VALUE_BOOLEAN, "true or false").integer != 0;
  }
  // An array of texts.
  [[nodiscard]] std::vector<std::string> list(std::string_view key) const {
    std::vector<std::string> out;
    const std::size_t count = get(key, NFBUS_VALUE_ARRAY, "an array").count;
    for (std::size_t i = 0; i < count; ++i) out.push_back(text(std::string(key) + '/' + std::to_string(i)));
    return out;
  }
  // How many elements an array or a table has; 0 when there is no such value.
  [[nodiscard]] std::size_t count(std::string_view key) const {
    const std::optional<nfbus_value> value = find(key);
    return value ? value->count : 0;
  }
  // The table or array below a key, as options of its own: options.below("drop/0").text("dst").
  [[nodiscard]] Options below(std::string_view key) const { return {raw_, pointer(key)}; }

  // The instance's whole table as JSON.
  [[nodiscard]] std::string_view json() const noexcept { return to_view(raw_->json); }
  // A table or an array as JSON, for Host::match.
  [[nodiscard]] std::string json(std::string_view key) const {
    const std::optional<nfbus_value> value = find(key);
    if (value && value->type == NFBUS_VALUE_TABLE) return std::string(to_view(value->text));
    return std::string(to_view(get(key, NFBUS_VALUE_ARRAY, "a table or an array").text));
  }

 private:
  Options(const nfbus_options* raw, std::string base) : raw_(raw), base_(std::move(base)) {}

  [[nodiscard]] std::string pointer(std::string_view key) const { return base_ + '/' + std::string(key); }

  [[nodiscard]] std::optional<nfbus_value> find(std::string_view key) const {
    nfbus_value value{};
    value.struct_size = sizeof value;
    if (raw_->get(raw_->context, to_text(pointer(key)), &value) != NFBUS_OK) return std::nullopt;
    return value;
  }

  [[nodiscard]] nfbus_value get(std::string_view key, std::uint32_t type, const char* wanted) const {
    const std::optional<nfbus_value> value = find(key);
    if (!value) throw OptionError(pointer(key).substr(1), "option " + pointer(key).substr(1) + " is missing");
    if (value->type != type) {
      throw OptionError(pointer(key).substr(1), "option " + pointer(key).substr(1) + " must be " + wanted);
    }
    return *value;
  }

  const nfbus_options* raw_;
  std::string base_;  // where the keys start; empty: the whole table
};

}  // namespace nfbus
