#include "support/environment.hpp"

#include <sys/auxv.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace nfbus::host {

void hide_environment(std::span<char*> arguments) noexcept {
  if (environ == nullptr || arguments.empty()) return;
  std::size_t count = 0;
  std::size_t text_bytes = 0;
  for (; environ[count] != nullptr; ++count) text_bytes += std::strlen(environ[count]) + 1;

  // Never freed: it lasts as long as anybody may call getenv(), which is longer than main().
  auto* const variables = static_cast<char**>(std::malloc((count + 1) * sizeof(char*) + text_bytes));
  if (variables == nullptr) return;
  auto* text = reinterpret_cast<char*>(variables + count + 1);

  // The kernel puts the environment between the arguments and the program's file name. What lies elsewhere was set by a
  // library that was loaded before us, shows nowhere, and is not ours to write.
  const auto begin = reinterpret_cast<std::uintptr_t>(arguments.back() + std::strlen(arguments.back()) + 1);
  const auto end = static_cast<std::uintptr_t>(::getauxval(AT_EXECFN));
  for (std::size_t i = 0; i < count; ++i) {
    char* const old = environ[i];
    const std::size_t size = std::strlen(old) + 1;
    std::memcpy(text, old, size);
    const auto at = reinterpret_cast<std::uintptr_t>(old);
    if (at >= begin && at < end) ::explicit_bzero(old, size);
    variables[i] = text;
    text += size;
  }
  variables[count] = nullptr;
  environ = variables;
}

}  // namespace nfbus::host
