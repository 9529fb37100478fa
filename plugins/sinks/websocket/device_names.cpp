#include "device_names.hpp"

#include "address.hpp"

#include "../../lib/ascii.hpp"
#include "../../lib/small_file.hpp"
#include "../../lib/utf8.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <optional>

namespace websocket {
namespace {

constexpr std::size_t kMostBytes = 4U << 20U;
constexpr std::size_t kMacBytes = 6;
constexpr std::size_t kMostNameBytes = 128;
constexpr std::string_view kBlanks = " \t\r";

using output::lower;

bool is_mac(std::string_view text) {
  if (text.size() != 17) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool is_good =
        i % 3 == 2 ? text[i] == ':' : std::string_view("0123456789abcdef").find(text[i]) != std::string_view::npos;
    if (!is_good) return false;
  }
  return true;
}

// As it is looked up; none: it is neither.
std::optional<std::string> key_of(std::string_view text) {
  std::string key = lower(text);
  if (is_mac(key)) return key;
  return address_of(key);
}

}  // namespace

std::string mac_text(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  if (bytes.size() != kMacBytes) return out;
  for (const std::uint8_t byte : bytes) {
    if (!out.empty()) out += ':';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 15U];
  }
  return out;
}

std::span<const std::uint8_t> source_mac_of(nfbus::Event event) noexcept {
  if (event.has_layer(NFBUS_LAYER_ETHERNET)) return event.hw_header().subspan(kMacBytes, kMacBytes);
  const nfbus_bytes address = event.raw()->hw_address;
  return {address.data, address.size};
}

DeviceNames::DeviceNames(nfbus::Host host, std::string path) : host_(host), path_(std::move(path)), warning_(host) {}

void DeviceNames::refresh() {
  if (path_.empty()) return;
  struct stat found {};
  if (stat(path_.c_str(), &found) == 0 && found.st_size == size_bytes_ && found.st_mtim.tv_sec == changed_.tv_sec &&
      found.st_mtim.tv_nsec == changed_.tv_nsec) {
    return;
  }
  const nfbus::Result<std::string> text = output::read_small_file(path_, kMostBytes);
  if (!text) return warning_.met("names: " + text.error().text + ": the names before stay");
  warning_.over();
  changed_ = found.st_mtim;
  size_bytes_ = found.st_size;
  read(*text);
}

void DeviceNames::read(const std::string& text) {
  names_.clear();
  std::string_view rest = output::without_mark(text);
  for (unsigned line_number = 1; !rest.empty(); ++line_number) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    line = output::trimmed(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::size_t blank = line.find_first_of(kBlanks);
    const std::string_view name =
        blank == std::string_view::npos ? std::string_view() : output::trimmed(line.substr(blank));
    const std::optional<std::string> key = key_of(line.substr(0, blank));
    if (!key || name.empty() || name.size() > kMostNameBytes) {
      host_.warning("names: " + path_ + ':' + std::to_string(line_number) +
                    ": a line is an address or MAC, a blank, and a name of 128 bytes at most");
      continue;
    }
    names_.insert_or_assign(*key, std::string(name));
  }
}

std::string_view DeviceNames::of(std::string_view address_or_mac) const {
  const auto found = names_.find(address_or_mac);
  return found == names_.end() ? std::string_view() : found->second;
}

}  // namespace websocket
