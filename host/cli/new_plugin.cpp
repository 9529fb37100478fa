// `nfbus new-plugin`: a copy of the SDK's template of a kind, with a name of its own.
#include "cli/commands.hpp"
#include "plugins/handshake.hpp"
#include "support/log.hpp"
#include "support/printable.hpp"
#include "support/program.hpp"
#include "support/suggest.hpp"

#include <nfbus/result.hpp>
#include <nfbus/util/commands.hpp>

#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kKinds = {"sink", "filter", "source"};

// Words that CMake or make keeps for itself: no target of a project may be called so.
constexpr std::array<std::string_view, 8> kKept = {"all",     "clean", "edit_cache",    "help",
                                                   "install", "test",  "rebuild_cache", "package"};

Result<void> check_name(const std::string& name) {
  if (!is_plain_name(name) || name.front() == '-') {
    return Error{
        .code = Code::invalid,
        .text = fmt::format("\"{}\" cannot be a plugin's name: use 1 to 64 of a-z 0-9 _ -, not - first", name)};
  }
  if (std::ranges::find(kKept, name) != kKept.end()) {
    return Error{.code = Code::invalid,
                 .text = fmt::format("\"{}\" cannot be a plugin's name: CMake uses it itself; choose another", name)};
  }
  return {};
}

Result<void> check_kind(const std::string& kind) {
  if (std::ranges::find(kKinds, kind) != kKinds.end()) return {};
  return Error{.code = Code::invalid,
               .text = fmt::format("there is no kind \"{}\"{}; use --kind sink, filter or source", kind,
                                   did_you_mean(kind, kKinds))};
}

Error cannot(std::string_view what, const fs::path& path, const std::error_code& error) {
  return {.code = Code::io, .text = fmt::format("cannot {} {}: {}", what, path.string(), error.message())};
}

std::string with_name(std::string text, const std::string& name) {
  constexpr std::string_view kPlace = "@NAME@";
  for (std::size_t at = 0; (at = text.find(kPlace, at)) != std::string::npos; at += name.size()) {
    text.replace(at, kPlace.size(), name);
  }
  return text;
}

// Empty, made if need be: what somebody has written is not mixed with ours.
Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(folder, error)) && !fs::is_directory(folder, error)) {
    return Error{.code = Code::busy, .text = folder.string() + " is there already, and is no folder; name another DIR"};
  }
  fs::create_directories(folder, error);
  if (error) return cannot("make", folder, error);
  const bool is_empty = fs::is_empty(folder, error);
  if (error) return cannot("read", folder, error);
  if (is_empty) return {};
  return Error{.code = Code::busy, .text = folder.string() + " is not empty; name another DIR"};
}

Result<void> fill_file(const fs::path& from, const fs::path& to, const std::string& name) {
  std::ifstream in(from, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.good() && !in.eof()) return cannot("read", from, std::make_error_code(std::errc::io_error));
  std::ofstream out(to, std::ios::binary);
  out << with_name(text, name) << std::flush;
  if (!out) return cannot("write", to, std::make_error_code(std::errc::io_error));
  return {};
}

Result<void> fill_folder(const fs::path& from, const fs::path& to, const std::string& name) {
  std::error_code error;
  fs::directory_iterator entries(from, error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const std::string file = with_name(entries->path().filename().string(), name);
    if (auto filled = fill_file(entries->path(), to / file, name); !filled) return filled;
  }
  if (error) return cannot("read", from, error);
  return {};
}

// The commands as they can be pasted.
void say_next_steps(const std::string& name, const fs::path& folder) {
  std::error_code error;
  const fs::path prefix = program_prefix();
  // Of a program that was not installed nobody knows where its SDK will be.
  const bool is_installed = fs::exists(prefix / "lib/cmake/nfbus/nfbus-config.cmake", error);
  const std::string where = is_installed ? util::shell_word(prefix.string()) : "PREFIX";
  // A name that begins with - would be read as an option.
  const fs::path path = folder.string().starts_with('-') ? "." / folder : folder;
  const std::string source = util::shell_word(path.string());
  const std::string build = util::shell_word((path / "build").string());
  fmt::print("{} is there; next:\n", printable(folder.string()));
  fmt::print("  cmake -S {} -B {} -DCMAKE_PREFIX_PATH={}\n", source, build, where);
  fmt::print("  cmake --build {}\n", build);
  fmt::print("  cmake --install {} --prefix {}\n", build, where);
  fmt::print("  nfbus plugins {}\n", name);
}

}  // namespace

int new_plugin_command(const NewPluginOptions& options) {
  const auto fail = [](const Error& error, int status) {
    log::error(to_string(error));
    return status;
  };
  if (auto checked = check_name(options.name); !checked) return fail(checked.error(), exit_status::kUsage);
  if (auto checked = check_kind(options.kind); !checked) return fail(checked.error(), exit_status::kUsage);
  const fs::path folder(options.folder.value_or(options.name));
  const fs::path from = program_prefix() / "share/nfbus/template" / options.kind;
  std::error_code error;
  if (!fs::is_directory(from, error)) {
    return fail({.code = Code::not_found, .text = from.string() + " is not there: install nfbus with its SDK"},
                exit_status::kFailed);
  }
  if (auto made = make_folder(folder); !made) return fail(made.error(), exit_status::kFailed);
  if (auto filled = fill_folder(from, folder, options.name); !filled) {
    return fail(filled.error(), exit_status::kFailed);
  }
  say_next_steps(options.name, folder);
  return exit_status::kDone;
}

}  // namespace nfbus::host
