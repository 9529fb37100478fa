#include "secret.hpp"

#include "../small_file.hpp"

#include <cstddef>

namespace http {
namespace {

constexpr std::size_t kMostSecretBytes = 65536;

nfbus::Error wrong(std::string text) { return {nfbus::Code::io, std::move(text)}; }

}  // namespace

nfbus::Result<std::string> read_secret(const Secret& secret) {
  const std::string& path = secret.file;
  if (path.empty()) return secret.value;
  nfbus::Result<std::string> read = output::read_small_file(path, kMostSecretBytes);
  if (!read) return std::move(read).error();
  std::string out = std::move(*read);
  while (!out.empty() && (out.back() == '\n' || out.back() == '\r')) out.pop_back();
  if (out.empty()) return wrong(path + " is empty: put the secret there");
  for (const char c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == '\x7f') {
      return wrong(path + " has more than one line: it holds the secret alone");
    }
  }
  return out;
}

}  // namespace http
