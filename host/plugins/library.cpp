#include "plugins/library.hpp"

#include <nfbus/abi.h>

#include <dlfcn.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/stat.h>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

#include <charconv>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace nfbus::host {

namespace {

constexpr std::string_view kDescriptorFolder = "/proc/self/fd/";

// What plugins exported while the ABI was in the making.
constexpr const char* kSymbolBefore10 = "nfbus_plugin_entry";

// A library that this process already mapped through a descriptor.
struct Search {
  const Trusted& file;
  int found = -1;
};

int compare_mapped(dl_phdr_info* info, std::size_t /*size*/, void* context) {
  auto& search = *static_cast<Search*>(context);
  const std::string_view name = info->dlpi_name == nullptr ? "" : info->dlpi_name;
  if (!name.starts_with(kDescriptorFolder)) return 0;
  int number = -1;
  const char* digits = name.data() + kDescriptorFolder.size();
  if (std::from_chars(digits, name.data() + name.size(), number).ec != std::errc{}) return 0;
  struct stat status {};
  if (::fstat(number, &status) != 0) return 0;
  if (status.st_dev != search.file.device || status.st_ino != search.file.inode) return 0;
  search.found = number;
  return 1;
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

}  // namespace

Result<const void*> load_library(Trusted file, const char* symbol) {
  // The loader knows libraries by name: a number that is closed and given out again would name the earlier one.
  Search search{.file = file};
  ::dl_iterate_phdr(compare_mapped, &search);
  const int number = search.found >= 0 ? search.found : file.descriptor.get();
  const std::string name = fmt::format("{}{}", kDescriptorFolder, number);
  boost::dll::shared_library library;
  try {
    // NODELETE: `library` may go out of scope, the code stays.
    constexpr auto kMode = static_cast<boost::dll::load_mode::type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    library.load(name, kMode);
  } catch (const std::exception& error) {
    return Error{.code = Code::unsupported, .text = "the loader refuses it: " + loader_text(error.what(), name)};
  }
  if (number == file.descriptor.get()) std::ignore = file.descriptor.release();
  if (library.has(symbol)) return &library.get<const char>(symbol);
  if (library.has(kSymbolBefore10)) {
    return Error{.code = Code::unsupported,
                 .text = "it was built against a header from before ABI 1.0: rebuild it against this SDK"};
  }
  return Error{
      .code = Code::unsupported,
      .text = fmt::format("it exports no symbol {}: not an nfbus plugin, or the symbol lacks NFBUS_EXPORT", symbol)};
}

}  // namespace nfbus::host
