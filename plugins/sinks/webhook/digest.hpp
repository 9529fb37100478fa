// Digests in hexadecimal digits, by OpenSSL.
#pragma once

#include <string>
#include <string_view>

namespace webhook {

// FIPS 180-4.
[[nodiscard]] std::string sha256(std::string_view bytes);
// RFC 2104.
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view bytes);

}  // namespace webhook
