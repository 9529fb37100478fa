#include "plugins/library.hpp"

#include "support/mutex.hpp"

#include <nfbus/abi.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <algorithm>
#include <climits>
#include <deque>
#include <exception>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

// What plugins exported while the ABI was in the making.
constexpr const char* kSymbolBefore10 = "nfbus_plugin_entry";

struct Loaded {
  FileVersion version;
  fs::path path;  // of the file, by its own name; empty: its way is closed to us
  boost::dll::shared_library library;
  Descriptor descriptor;  // kept where the loader knows the library by it
};

// What the loader has mapped for us. Beside its own list, of which there is one in a process: it knows a library by the
// name that it was opened by, also when another file has that name by now.
struct LoadedLibraries {
  Mutex mutex;
  std::deque<Loaded> all NFBUS_GUARDED_BY(mutex);
};

LoadedLibraries& loaded_libraries() {
  static LoadedLibraries libraries;
  return libraries;
}

// Of the file that is open here, if that way leads to it for us, too: without root's rights. Else empty.
fs::path path_of(const Trusted& file) {
  std::string path(PATH_MAX, '\0');
  const std::string link = fmt::format("/proc/self/fd/{}", file.descriptor.get());
  const ssize_t size = ::readlink(link.c_str(), path.data(), path.size());
  if (size <= 0 || static_cast<std::size_t>(size) == path.size()) return {};
  path.resize(static_cast<std::size_t>(size));
  const Descriptor again(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  const auto there = version_of(again.get());
  return there && *there == file.version ? fs::path(path) : fs::path();
}

// A name of the file that the loader has not seen: the real path, for debuggers and core files, spelt so that it is not
// that of an earlier file. Where that way is closed, the descriptor, by a name that is good for a debugger, too.
std::string name_for(const Trusted& file, const fs::path& path, std::size_t earlier) {
  std::string name = path.parent_path().string();
  for (std::size_t i = 0; i < earlier; ++i) name += "/.";
  name += '/' + path.filename().string();
  if (!path.empty() && name.size() < PATH_MAX) return name;
  return fmt::format("/proc/{}/fd/{}", ::getpid(), file.descriptor.get());
}

// Boost says "boost::dll::... failed (dlerror system message: TEXT): ERRNO"; only TEXT means anything, and it begins
// with the name under which the file was opened.
std::string loader_text(std::string_view what, const std::string& name) {
  constexpr std::string_view kMark = "(dlerror system message: ";
  if (const auto at = what.find(kMark); at != std::string_view::npos) {
    what.remove_prefix(at + kMark.size());
    what = what.substr(0, what.rfind("): "));
  }
  if (what.starts_with(name + ": ")) what.remove_prefix(name.size() + 2);
  return std::string(what);
}

Result<const void*> symbol_of(const boost::dll::shared_library& library, const char* symbol) {
  if (library.has(symbol)) return &library.get<const char>(symbol);
  if (library.has(kSymbolBefore10)) {
    return Error{.code = Code::unsupported,
                 .text = "it was built against a header from before ABI 1.0: rebuild it against this SDK"};
  }
  return Error{
      .code = Code::unsupported,
      .text = fmt::format("it exports no symbol {}: not an nfbus plugin, or the symbol lacks NFBUS_EXPORT", symbol)};
}

}  // namespace

Result<const void*> load_library(Trusted file, const char* symbol) {
  LoadedLibraries& libraries = loaded_libraries();
  const MutexLock lock(libraries.mutex);
  const auto known = std::ranges::find_if(
      libraries.all, [&](const Loaded& loaded) { return loaded.version.is_same_file(file.version); });
  if (known != libraries.all.end()) {
    if (known->version == file.version) return symbol_of(known->library, symbol);
    return Error{.code = Code::refused,
                 .text =
                     "it was overwritten in place while this process runs its code, which may crash by that: start "
                     "nfbus anew, and replace a library by rename, as mv, install and cmake --install do"};
  }
  const fs::path path = path_of(file);
  const auto earlier = std::ranges::count_if(libraries.all, [&](const Loaded& loaded) { return loaded.path == path; });
  const std::string name = name_for(file, path, static_cast<std::size_t>(earlier));
  boost::dll::shared_library library;
  try {
    // NODELETE: the code stays, whatever becomes of `library`.
    constexpr auto kMode = static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    library.load(name, kMode);
  } catch (const std::exception& error) {
    return Error{.code = Code::unsupported, .text = "the loader refuses it: " + loader_text(error.what(), name)};
  }
  const Descriptor now(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  const auto there = version_of(now.get());
  const bool is_ours = there && *there == file.version;
  libraries.all.push_back({.version = is_ours ? file.version : FileVersion{},
                           .path = path,
                           .library = std::move(library),
                           .descriptor = path.empty() ? std::move(file.descriptor) : Descriptor()});
  if (!is_ours) return Error{.code = Code::busy, .text = "it was replaced while it was loaded: try again"};
  return symbol_of(libraries.all.back().library, symbol);
}

}  // namespace nfbus::host
