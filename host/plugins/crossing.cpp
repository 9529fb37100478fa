#include "plugins/crossing.hpp"

#include "support/utf8.hpp"

#include <fmt/format.h>

namespace nfbus::host {

namespace {
constexpr std::size_t kMaxTextBytes = sizeof(nfbus_error::text);
}

std::string clean_text(std::string_view text) { return valid_utf8(text.substr(0, kMaxTextBytes)); }

void append_error(nfbus_error& error, std::string_view text) noexcept {
  const std::size_t used = std::min<std::size_t>(error.size, sizeof error.text);
  const std::size_t room = std::min(sizeof error.text - used, text.size());
  if (room != 0) std::memcpy(error.text + used, text.data(), room);
  error.size = static_cast<std::uint32_t>(used + room);
}

std::string text_of(const nfbus_error& error) {
  return clean_text({error.text, std::min<std::size_t>(error.size, sizeof error.text)});
}

std::string option_of(const nfbus_error& error) {
  return clean_text({error.option, std::min<std::size_t>(error.option_size, sizeof error.option)});
}

std::string failure_text(std::uint32_t status, const nfbus_error& error, std::string_view function) {
  std::string said = text_of(error);
  if (said.empty()) said = "it does not say why";
  if (status != NFBUS_RETRY && status != NFBUS_FATAL && status != NFBUS_FAILED) {
    return fmt::format("{}() returned the unknown status {}: {}", function, status, said);
  }
  return fmt::format("{}() failed: {}", function, said);
}

Result<void> outcome(std::uint32_t status, const nfbus_error& error, std::string_view function, Code code) {
  if (status == NFBUS_OK) return {};
  return Error{.code = code, .text = failure_text(status, error, function)};
}

}  // namespace nfbus::host
