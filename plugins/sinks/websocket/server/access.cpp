#include "access.hpp"

#include "../address.hpp"

#include "../../../lib/ascii.hpp"
#include "../../../lib/small_file.hpp"
#include "../../../lib/utf8.hpp"

#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include <algorithm>
#include <stdexcept>

namespace websocket {
namespace {

constexpr std::size_t kMostTokens = 1024;
constexpr std::size_t kMostFileBytes = 1U << 20U;
constexpr std::chrono::seconds kForgiven{30};  // one failure, after so long without another
constexpr std::chrono::milliseconds kFirstDelay{250};
constexpr unsigned kMostDoublings = 5;

std::string_view key_of(const Digest& digest) noexcept {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

std::string network_of(std::string_view address) {
  std::string text(address.substr(0, address.find('%')));
  text = address_of(text).value_or(text);  // of IPv4, too, through a socket of both
  in6_addr bytes{};
  if (inet_pton(AF_INET6, text.c_str(), &bytes) != 1) return text;
  return {reinterpret_cast<const char*>(&bytes), 8};
}

}  // namespace

Digest digest_of(std::string_view text) {
  Digest out{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), out.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL cannot compute SHA-256");
  }
  return out;
}

nfbus::Result<Tokens> Tokens::read(const std::string& path) {
  nfbus::Result<std::string> text = output::read_small_file(path, kMostFileBytes);
  if (!text) return std::move(text).error();
  Tokens out;
  std::string_view rest = output::without_mark(*text);
  for (unsigned line_number = 1; !rest.empty(); ++line_number) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    const std::string_view token = output::trimmed(line);
    if (token.empty() || token.starts_with('#')) continue;
    const auto* const wrong =
        std::ranges::find_if(token, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == '\x7f'; });
    if (wrong != token.end()) {
      const auto column = static_cast<unsigned>(wrong - line.begin()) + 1;
      return nfbus::Error{nfbus::Code::invalid, "a token has a control character", {{path, line_number, column}}};
    }
    if (out.digests_.size() == kMostTokens) {
      return nfbus::Error{nfbus::Code::invalid, path + " has more than 1,024 tokens"};
    }
    out.digests_.push_back(digest_of(token));
  }
  if (out.digests_.empty()) return nfbus::Error{nfbus::Code::invalid, path + " holds no token: put one on a line"};
  return out;
}

bool Tokens::holds(std::string_view token) const {
  const Digest given = digest_of(token);
  unsigned found = 0;
  for (const Digest& one : digests_) found |= CRYPTO_memcmp(one.data(), given.data(), given.size()) == 0 ? 1U : 0U;
  return found != 0;
}

std::string Sessions::begin(Clock::time_point now) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<std::uint8_t, 32> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    throw std::runtime_error("OpenSSL has no random bytes");
  }
  std::string out;
  for (const std::uint8_t byte : random) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  sessions_.insert(key_of(digest_of(out)), now + kLife);
  return out;
}

bool Sessions::holds(std::string_view cookie, Clock::time_point now) {
  if (cookie.empty()) return false;
  Clock::time_point* const until = sessions_.use(key_of(digest_of(cookie)));
  if (until == nullptr || *until < now) return false;
  *until = now + kLife;
  return true;
}

void Sessions::end(std::string_view cookie) {
  if (Clock::time_point* const until = sessions_.find(key_of(digest_of(cookie)))) *until = Clock::time_point::min();
}

std::chrono::milliseconds Slowdown::failed(std::string_view address, Clock::time_point now) {
  const std::string network = network_of(address);
  Failures* found = failures_.use(network);
  if (found == nullptr) found = &failures_.insert(network, {});
  const auto forgiven = static_cast<std::uint64_t>(std::max<std::int64_t>((now - found->last) / kForgiven, 0));
  found->count = forgiven >= found->count ? 1 : found->count - static_cast<unsigned>(forgiven) + 1;
  found->last = now;
  const std::chrono::milliseconds delay = kFirstDelay * (1U << std::min(found->count - 1, kMostDoublings));
  found->until = now + delay;
  return delay;
}

std::chrono::milliseconds Slowdown::wait(std::string_view address, Clock::time_point now) {
  const Failures* const found = failures_.use(network_of(address));
  if (found == nullptr || found->until <= now) return std::chrono::milliseconds(0);
  return std::chrono::ceil<std::chrono::milliseconds>(found->until - now);
}

std::string_view cookie_of(const Request& request, std::string_view name) {
  std::string_view rest = request.header("cookie");
  while (!rest.empty()) {
    std::string_view one = rest.substr(0, rest.find(';'));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    while (one.starts_with(' ')) one.remove_prefix(1);
    const std::size_t equals = one.find('=');
    if (equals != std::string_view::npos && one.substr(0, equals) == name) return one.substr(equals + 1);
  }
  return {};
}

std::string_view bearer_of(const Request& request) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string_view given = request.header("authorization");
  if (given.size() <= kScheme.size()) return {};
  if (output::lower(given.substr(0, kScheme.size())) != kScheme) return {};
  return output::trimmed(given.substr(kScheme.size()));
}

}  // namespace websocket
