// Whether a plugin and this host understand each other.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <cstdint>
#include <span>
#include <string_view>

namespace nfbus::host {

// [control] Checks the entry of a loaded plugin: versions, sizes, names, required functions, schema. Reads no field
// that a struct's size does not cover. Code::unsupported for versions, Code::invalid for the rest; the text names both
// sides and the fix.
[[nodiscard]] Result<const nfbus_entry*> check_entry(const void* symbol);

// Whether `name` may name a plugin or a counter: [a-z0-9_-]+, at most 64 bytes.
[[nodiscard]] bool is_plain_name(std::string_view name) noexcept;

// The fields that a filter may add; with a null data(): it does not say. Of an entry that check_entry() accepted,
// whatever its minor version; as long as the plugin.
[[nodiscard]] std::span<const nfbus_text> annotates(const nfbus_entry& entry) noexcept;

// "sink" or "filter".
[[nodiscard]] std::string_view kind_name(std::uint32_t plugin_kind) noexcept;

}  // namespace nfbus::host
