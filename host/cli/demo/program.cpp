#include "cli/demo/program.hpp"

#include "support/descriptor.hpp"
#include "support/system_error.hpp"

#include <fmt/format.h>

#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace nfbus::host::demo {
namespace {

// A file without a name.
Descriptor scratch_file() noexcept { return Descriptor(memfd_create("nfbus-demo", MFD_CLOEXEC)); }

std::string beginning_of(int descriptor) {
  std::array<char, 2048> text{};
  const ssize_t size = pread(descriptor, text.data(), text.size(), 0);
  std::string out(text.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

}  // namespace

Result<void> run_program(const std::vector<std::string>& arguments, std::string_view input) {
  const Descriptor in = scratch_file();
  const Descriptor said = scratch_file();
  if (!in.valid() || !said.valid() ||
      pwrite(in.get(), input.data(), input.size(), 0) != static_cast<ssize_t>(input.size())) {
    return system_error("cannot run " + arguments[0]);
  }

  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, said.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, said.get(), STDERR_FILENO);
  pid_t child = -1;
  const int failure = posix_spawnp(&child, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failure == ENOENT) {
    return Error{Code::not_found, fmt::format("{} is missing: install the packages iproute2 and nftables", argv[0])};
  }
  if (failure != 0) return system_error(fmt::format("cannot run {}", argv[0]), failure);

  int status = 0;
  while (waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return system_error(fmt::format("cannot wait for {}", argv[0]));
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  return Error{Code::io, fmt::format("{} failed: {}", argv[0], beginning_of(said.get()))};
}

}  // namespace nfbus::host::demo
