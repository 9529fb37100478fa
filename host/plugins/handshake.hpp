// Whether a plugin and this host understand each other.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host {

// [control] Checks a loaded library and all its plugins: versions, sizes, names, required functions, schemas. Reads no
// field that a struct's size does not cover. Code::unsupported for versions, Code::invalid for the rest; the text names
// both sides and the fix. One plugin that is wrong makes the whole library wrong.
[[nodiscard]] Result<const nfbus_library*> check_library(const void* symbol);

// [part] The same of what a privileged part exports.
[[nodiscard]] Result<nfbus_privileged> check_privileged(const void* symbol);

// Those of a library that check_library() accepted; as long as the process.
[[nodiscard]] std::span<const nfbus_plugin* const> plugins_of(const nfbus_library& library) noexcept;

// Whether `name` may name a plugin or a counter: [a-z0-9_-]+, at most 64 bytes.
[[nodiscard]] bool is_plain_name(std::string_view name) noexcept;

// The fields that a filter may add; with a null data(): it does not say. As long as the plugin, which check_library()
// accepted.
[[nodiscard]] std::span<const nfbus_text> annotates(const nfbus_plugin& plugin) noexcept;

// The commands of a plugin that check_library() accepted.
[[nodiscard]] std::span<const nfbus_command* const> commands_of(const nfbus_plugin& plugin) noexcept;

// How the plugin wants to be called; all 0 where it does not say.
[[nodiscard]] nfbus_shape shape_of(const nfbus_plugin& plugin) noexcept;

// NFBUS_EVENT_*, ORed, that the plugin takes or gives.
[[nodiscard]] std::uint32_t event_kinds_of(const nfbus_plugin& plugin) noexcept;

// "sink", "filter" or "source".
[[nodiscard]] std::string_view kind_name(std::uint32_t plugin_kind) noexcept;

}  // namespace nfbus::host
