// The barrier that no exception passes: every function that a plugin exports runs inside one of these.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/host.hpp>
#include <nfbus/options.hpp>
#include <nfbus/result.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace nfbus::detail {

// Appends as much of the text as fits, and no half character of it.
inline void say(nfbus_error* error, std::string_view text) noexcept {
  const std::size_t room = sizeof error->text - std::min<std::size_t>(error->size, sizeof error->text);
  std::size_t size = std::min(text.size(), room);
  if (size < text.size()) {
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  }
  std::copy_n(text.data(), size, error->text + error->size);
  error->size += static_cast<std::uint32_t>(size);
}

// Runs body; on_throw(text) says what was thrown. Neither allocates nor throws by itself.
template <typename Body, typename OnThrow>
void contain(Body&& body, OnThrow&& on_throw) noexcept {
  try {
    std::forward<Body>(body)();
  } catch (const std::exception& thrown) {
    std::forward<OnThrow>(on_throw)(std::string_view(thrown.what()));
  } catch (...) {
    std::forward<OnThrow>(on_throw)(std::string_view("an exception that is no std::exception"));
  }
}

template <typename R>
inline constexpr bool is_void_or_result = std::is_void_v<R> || std::is_same_v<R, Result<void>>;

// Runs a body that returns void or Result<void>, and gives the ABI's status; `failure` is that of an error or throw.
template <typename Body>
std::uint32_t guard(nfbus_error* error, Body&& body, std::uint32_t failure = NFBUS_FATAL) noexcept {
  std::uint32_t status = failure;
  contain(
      [&] {
        if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
          std::forward<Body>(body)();
          status = NFBUS_OK;
        } else if (const Result<void> result = std::forward<Body>(body)(); result.ok()) {
          status = NFBUS_OK;
        } else {
          say(error, to_string(result.error()));
        }
      },
      [&](std::string_view thrown) { say(error, thrown); });
  return status;
}

// As guard(); an OptionError says which option it is about.
template <typename Body>
std::uint32_t guard_create(nfbus_error* error, Body&& body) noexcept {
  return guard(error, [&] {
    try {
      std::forward<Body>(body)();
    } catch (const OptionError& wrong) {
      error->option_size = 0;
      if (wrong.pointer().size() <= sizeof error->option) {
        std::copy_n(wrong.pointer().data(), wrong.pointer().size(), error->option);
        error->option_size = static_cast<std::uint32_t>(wrong.pointer().size());
      }
      throw;
    }
  });
}

// For functions that cannot report: what was thrown goes to the host's log.
template <typename Body>
void guard_or_log(const nfbus_host* host, std::string_view where, Body&& body) noexcept {
  contain(std::forward<Body>(body), [&](std::string_view thrown) {
    nfbus_error line{};
    say(&line, where);
    say(&line, thrown);
    Host(host).error({line.text, line.size});
  });
}

}  // namespace nfbus::detail
