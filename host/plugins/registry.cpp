#include "plugins/registry.hpp"

#include "event/event.hpp"
#include "plugins/current_call.hpp"
#include "plugins/elf.hpp"
#include "plugins/handshake.hpp"
#include "plugins/library.hpp"
#include "plugins/privileged_parts.hpp"
#include "plugins/trust.hpp"
#include "support/program.hpp"

#include <nfbus/util/dac_override.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <system_error>
#include <utility>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

// Names of the *.so in a folder, sorted, so that which of two plugins comes first does not depend on the disk.
Result<std::vector<std::string>> list_libraries(const Trusted& folder) {
  std::vector<std::string> names;
  std::error_code error;
  const util::DacOverride as_root;
  // Through the descriptor: the folder that was checked, whatever its path leads to by now.
  fs::directory_iterator entries(fmt::format("/proc/self/fd/{}", folder.descriptor.get()), error);
  for (; !error && entries != fs::directory_iterator(); entries.increment(error)) {
    const fs::path name = entries->path().filename();
    if (name.extension() == ".so" && !is_privileged_part(name)) names.push_back(name.string());
  }
  if (error) return Error{.code = Code::io, .text = "cannot list it: " + error.message()};
  std::ranges::sort(names);
  return names;
}

RefusedPlugin unused(const fs::path& folder, Error error) {
  error.text = "no plugins are loaded from here: " + error.text;
  return {.file = folder, .error = std::move(error)};
}

// The libraries that a scan opened.
class SeenFiles {
 public:
  // Whether it is one of them by another name, of which one is a link: libmine.so -> libmine-1.2.so.
  bool is_linked_again(const Trusted& file) {
    const bool again = std::ranges::any_of(files_, [&](const Seen& seen) {
      return seen.version.is_same_file(file.version) && (seen.is_link || file.is_link);
    });
    if (!again) files_.push_back({.version = file.version, .is_link = file.is_link});
    return again;
  }

 private:
  struct Seen {
    FileVersion version;
    bool is_link;
  };
  std::vector<Seen> files_;
};

Result<const nfbus_library*> load(Result<Trusted> file, const std::string& name) {
  if (!file) return file.error();
  if (auto checked = check_elf(file->descriptor.get(), file->version.size_bytes); !checked) return checked.error();
  const CurrentCall constructors({name, "static constructors"});
  auto symbol = load_library(std::move(file).value(), NFBUS_LIBRARY_SYMBOL);
  if (!symbol) return symbol.error();
  return check_library(*symbol);
}

}  // namespace

PluginRegistry PluginRegistry::scan(const std::vector<fs::path>& folders) {
  PluginRegistry registry;
  registry.folders_ = folders;
  std::vector<FileVersion> seen;  // a folder may be named twice
  SeenFiles seen_files;
  for (const fs::path& folder : folders) {
    auto opened = open_trusted_folder(folder);
    if (!opened) {
      registry.refused_.push_back(unused(folder, opened.error()));
      continue;
    }
    const auto is_this = [&](const FileVersion& other) { return other.is_same_file(opened->version); };
    if (std::ranges::any_of(seen, is_this)) continue;
    seen.push_back(opened->version);
    auto names = list_libraries(*opened);
    if (!names) {
      registry.refused_.push_back(unused(folder, names.error()));
      continue;
    }
    for (const std::string& name : *names) {
      auto file = open_trusted_file(*opened, name);
      if (file && seen_files.is_linked_again(*file)) continue;
      registry.add(folder / name, load(std::move(file), name));
    }
  }
  return registry;
}

void PluginRegistry::add(const fs::path& file, Result<const nfbus_library*> library) {
  if (!library) {
    refused_.push_back({file, std::move(library).error()});
    return;
  }
  // All plugins of a library or none: one of them may count on another.
  std::vector<Plugin> fresh;
  for (const nfbus_plugin* plugin : plugins_of(**library)) {
    const std::string_view name(plugin->name.data, plugin->name.size);
    const auto is_named_so = [&](const Plugin& other) { return view(other.entry->name) == name; };
    if (std::ranges::any_of(fresh, is_named_so)) {
      refused_.push_back({file, Error{.code = Code::invalid,
                                      .text = fmt::format("it brings two plugins named \"{}\": rename one", name)}});
      return;
    }
    if (const Plugin* first = find(name); first != nullptr) {
      refused_.push_back({file, Error{.code = Code::busy,
                                      .text = fmt::format("a plugin named \"{}\" was found before it in {}: "
                                                          "remove one of the two files",
                                                          name, first->file.string())}});
      return;
    }
    fresh.push_back({.entry = plugin, .file = file, .library = *library});
  }
  plugins_.insert(plugins_.end(), fresh.begin(), fresh.end());
}

const Plugin* PluginRegistry::find(std::string_view name) const noexcept {
  const auto found =
      std::ranges::find_if(plugins_, [&](const Plugin& plugin) { return view(plugin.entry->name) == name; });
  return found == plugins_.end() ? nullptr : &*found;
}

std::vector<fs::path> builtin_plugin_folders(const fs::path& prefix) {
  // `lib` is where cmake --install puts them on every distribution, whose packages may move them.
  constexpr std::array<const char*, 3> kLibraryFolders = {"lib", "lib64", "lib/" NFBUS_LIBRARY_ARCHITECTURE};
  std::vector<fs::path> folders;
  for (const char* const library_folder : kLibraryFolders) {
    fs::path folder = (prefix / library_folder / "nfbus/plugins").lexically_normal();
    std::error_code error;
    if (!fs::is_directory(folder, error)) continue;
    const auto is_this = [&](const fs::path& other) { return fs::equivalent(other, folder, error); };
    if (std::ranges::none_of(folders, is_this)) folders.push_back(std::move(folder));
  }
  if (folders.empty()) folders.push_back(prefix / "lib/nfbus/plugins");
  return folders;
}

std::vector<fs::path> builtin_plugin_folders() { return builtin_plugin_folders(program_prefix()); }

}  // namespace nfbus::host
