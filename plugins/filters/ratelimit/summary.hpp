// The message that says what was dropped.
#pragma once

#include "buckets.hpp"

#include <nfbus/key_fields.hpp>

#include <string>
#include <string_view>

namespace ratelimit {

// {"Filter":..,"From":..,"To":..,"Dropped":N,"Keys":[{"src":..,"prefix":..,"Dropped":N},..],"Other":N} of this round,
// keys with the most first; From and To are the times of the first and the last event dropped (RFC 3339, UTC). Keys is
// cut so that the text stays below 24 KiB, which a bus client can read whatever has to be escaped; Other is what was
// dropped of the keys that are not shown. Only when something was dropped. Valid UTF-8.
[[nodiscard]] std::string summary(std::string_view filter, Buckets& buckets, const nfbus::KeyFields& fields);

}  // namespace ratelimit
