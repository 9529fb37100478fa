// Makes safe what comes over from a plugin: structs of another size, texts, errors, exceptions.
#pragma once

#include "plugins/current_call.hpp"

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <span>
#include <string>
#include <string_view>

namespace nfbus::host {

// A plugin's struct as this host knows it: what the plugin's struct_size does not cover is zero.
template <typename Struct>
Struct host_copy(const Struct& theirs) noexcept {
  Struct ours{};
  std::memcpy(&ours, &theirs, std::min<std::size_t>(theirs.struct_size, sizeof ours));
  ours.struct_size = sizeof ours;
  return ours;
}

// Empty for a text without data.
inline std::string_view plugin_view(nfbus_text text) noexcept {
  return text.data == nullptr ? std::string_view() : std::string_view(text.data, text.size);
}

// As a plugin gets them; alive as long as the items.
inline nfbus_events events_of(std::span<const nfbus_event* const> items, std::uint64_t size_bytes) noexcept {
  return {.struct_size = sizeof(nfbus_events),
          .count = static_cast<std::uint32_t>(items.size()),
          .items = items.data(),
          .reserved_pointer = nullptr,
          .size_bytes = size_bytes};
}

// A plugin's text as valid UTF-8 of bounded length, for logs and status.
[[nodiscard]] std::string clean_text(std::string_view text);

// Adds `text` to the buffer, cut to the room that is left.
void append_error(nfbus_error& error, std::string_view text) noexcept;

// The barrier: runs `call`, which calls one function of a plugin, the one that `of` names, and lets no exception
// through. Clears `error` before; an exception becomes `of_a_throw` with its text.
template <typename Call>
std::uint32_t call_plugin(const PluginCall& of, nfbus_error& error, const Call& call,
                          std::uint32_t of_a_throw = NFBUS_FATAL) noexcept {
  const CurrentCall current(of);
  error.struct_size = sizeof error;
  error.size = 0;
  error.option_size = 0;
  try {
    return call();
  } catch (const std::exception& thrown) {
    error.size = 0;
    append_error(error, "it threw an exception: ");
    append_error(error, thrown.what());
  } catch (...) {
    error.size = 0;
    append_error(error, "it threw an exception of an unknown type");
  }
  return of_a_throw;
}

// Returns what the plugin said; empty: nothing.
[[nodiscard]] std::string text_of(const nfbus_error& error);

// The option that create() names, a JSON pointer; empty: none.
[[nodiscard]] std::string option_of(const nfbus_error& error);

// The same of a call to `function` that did not return NFBUS_OK. Names a status that the ABI does not know.
[[nodiscard]] std::string failure_text(std::uint32_t status, const nfbus_error& error, std::string_view function);

// The call's outcome; `code` is that of a failure.
[[nodiscard]] Result<void> outcome(std::uint32_t status, const nfbus_error& error, std::string_view function,
                                   Code code);

}  // namespace nfbus::host
