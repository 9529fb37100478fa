#include "names.hpp"

#include <nfbus/util/output_place.hpp>

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>

namespace pcapsink {
namespace {

constexpr std::size_t kMinDigits = 6;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

// How many digits a conversion gives at least; 0: it is none of ours.
std::size_t digits_of(char conversion) noexcept {
  switch (conversion) {
    case 'Y': return 4;
    case 'j': return 3;
    case 'm':
    case 'd':
    case 'H':
    case 'M':
    case 'S':
    case 'y': return 2;
    case 's': return 1;
    default: return 0;
  }
}

// Takes a leading `part` off.
bool take(std::string_view& text, std::string_view part) noexcept {
  if (!text.starts_with(part)) return false;
  text.remove_prefix(part.size());
  return true;
}

}  // namespace

nfbus::Result<Names> Names::parse(const std::string& path) {
  Names out;
  out.pattern_ = path;
  out.folder_ = nfbus::util::folder_of(path);
  const std::size_t slash = path.rfind('/');
  std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const auto wrong = [&](const std::string& text) {
    return nfbus::Error{nfbus::Code::invalid, "file \"" + path + "\": " + text};
  };
  if (name.empty()) return wrong("it must end with the name of a file");
  if (slash != std::string::npos && path.find('%') < slash) return wrong("% may stand in its last part only");
  const std::size_t dot = name.rfind('.');
  if (dot != std::string::npos && dot != 0 && name.find('%', dot) == std::string::npos) {
    out.extension_ = name.substr(dot);
    name.resize(dot);
  }
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] != '%') {
      out.stem_ += name[i];
      continue;
    }
    const char conversion = ++i < name.size() ? name[i] : '\0';
    if (conversion == 'F') {
      out.stem_ += "%Y-%m-%d";
    } else if (conversion == 'T') {
      out.stem_ += "%H:%M:%S";
    } else if (conversion == '%' || digits_of(conversion) != 0) {
      out.stem_ += '%';
      out.stem_ += conversion;
    } else {
      return wrong("after % it takes one of Y m d H M S y j s F T %");
    }
  }
  return out;
}

std::string Names::make(std::uint64_t number, std::time_t time) const {
  std::tm local{};
  localtime_r(&time, &local);
  std::string out(stem_.size() * 8 + 64, '\0');
  out.resize(std::strftime(out.data(), out.size(), stem_.c_str(), &local));
  const std::string digits = std::to_string(number);
  out += '-';
  out.append(kMinDigits - std::min(kMinDigits, digits.size()), '0').append(digits).append(extension_);
  return out;
}

std::optional<std::string_view> Names::behind_stem(std::string_view name) const {
  for (std::size_t i = 0; i < stem_.size(); ++i) {
    if (stem_[i] != '%' || stem_[i + 1] == '%') {
      if (stem_[i] == '%') ++i;
      if (!take(name, std::string_view(stem_).substr(i, 1))) return std::nullopt;
      continue;
    }
    const char conversion = stem_[++i];
    std::size_t digits = 0;
    // The seconds since 1970 are as many digits as there are.
    while (digits < name.size() && is_digit(name[digits]) && (conversion == 's' || digits < digits_of(conversion))) {
      ++digits;
    }
    if (digits < digits_of(conversion)) return std::nullopt;
    name.remove_prefix(digits);
  }
  return name;
}

std::optional<OwnFile> Names::recognize(std::string_view name) const {
  const std::string_view whole = name;
  const std::optional<std::string_view> rest = behind_stem(name);
  if (!rest) return std::nullopt;
  name = *rest;
  if (!take(name, "-")) return std::nullopt;
  OwnFile out;
  std::size_t digits = 0;
  while (digits < name.size() && is_digit(name[digits])) ++digits;
  if (digits < kMinDigits || (digits > kMinDigits && name[0] == '0')) return std::nullopt;
  if (std::from_chars(name.data(), name.data() + digits, out.number).ec != std::errc()) return std::nullopt;
  name.remove_prefix(digits);
  if (!take(name, extension_)) return std::nullopt;
  out.name = whole.substr(0, whole.size() - name.size());
  for (const std::string_view ending : {".gz", ".zst"}) {
    if (take(name, ending)) {
      out.ending = ending;
      break;
    }
  }
  out.unfinished = take(name, kUnfinished);
  if (!name.empty()) return std::nullopt;
  return out;
}

nfbus::Result<std::vector<OwnFile>> Names::list(const nfbus::util::OutputFolder& folder) const {
  std::vector<std::string> names;
  if (const int error = folder.list(names); error != 0) {
    return nfbus::util::cannot_open(folder_ + "/.", {.fd = {}, .error = error, .refusal = {}});
  }
  std::vector<OwnFile> out;
  for (const std::string& name : names) {
    std::optional<OwnFile> own = recognize(name);
    struct stat found {};
    if (!own || folder.stat_entry(name, found) != 0 || !S_ISREG(found.st_mode)) continue;
    own->size_bytes = static_cast<std::uint64_t>(found.st_size);
    out.push_back(std::move(*own));
  }
  std::sort(out.begin(), out.end(), [](const OwnFile& a, const OwnFile& b) { return a.number < b.number; });
  return out;
}

}  // namespace pcapsink
