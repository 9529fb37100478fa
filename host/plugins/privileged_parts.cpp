#include "plugins/privileged_parts.hpp"

#include "plugins/crossing.hpp"
#include "plugins/elf.hpp"
#include "plugins/handshake.hpp"
#include "plugins/library.hpp"
#include "plugins/options.hpp"
#include "plugins/trust.hpp"
#include "support/log.hpp"
#include "support/system_error.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".privileged.so";

static_assert(kMaxPartFrameBytes == NFBUS_MAX_REQUEST);

struct FoundPart {
  fs::path path;
  Trusted file;
};

Result<FoundPart> find_part(std::string_view plugin, const std::vector<fs::path>& folders) {
  const std::string name = fmt::format("{}{}", plugin, kSuffix);
  for (const fs::path& folder : folders) {
    const auto opened = open_trusted_folder(folder);
    if (!opened) continue;  // nothing is loaded from there, and that is said of the folder
    auto file = open_trusted_file(*opened, name);
    if (file) return FoundPart{.path = folder / name, .file = std::move(file).value()};
    if (file.error().code == Code::not_found) continue;
    Error error = std::move(file).error();
    error.text = fmt::format("{}: {}", (folder / name).string(), error.text);
    return error;
  }
  return Error{.code = Code::not_found, .text = fmt::format("no plugin folder has a {}", name)};
}

// In the process of the part. The library's code runs from open() on, when nothing but CAP_NET_ADMIN is left.
class LibraryPart final : public PartHandler {
 public:
  explicit LibraryPart(Trusted file) : file_(std::move(file)) {}
  ~LibraryPart() override {
    if (part_is_open_) calls_.close(part_);
  }

  Result<void> open(std::string_view options_json) override {
    if (auto checked = check_elf(file_.descriptor.get(), file_.version.size_bytes); !checked) return checked;
    const auto symbol = load_library(std::move(file_), NFBUS_PRIVILEGED_SYMBOL);
    if (!symbol) return symbol.error();
    const auto checked = check_privileged(*symbol);
    if (!checked) return checked.error();
    calls_ = *checked;
    const auto options = GivenOptions::parse(options_json);
    if (!options) return options.error();
    const std::uint32_t status = call_plugin({"a privileged part", "open"}, error_,
                                             [&] { return calls_.open(&options->abi(), &part_, &error_); });
    part_is_open_ = status == NFBUS_OK;
    return outcome(status, error_, "open", Code::invalid);
  }

  Result<std::string> request(std::string_view request) override {
    std::string text;
    const nfbus_answer answer = {
        .struct_size = sizeof(nfbus_answer), .reserved = 0, .context = &text, .set = set_answer};
    const nfbus_bytes bytes = {.data = reinterpret_cast<const std::uint8_t*>(request.data()), .size = request.size()};
    const std::uint32_t status = call_plugin({"a privileged part", "request"}, error_,
                                             [&] { return calls_.request(part_, bytes, &answer, &error_); });
    // In the part's own words: they are the answer to what was asked.
    if (status == NFBUS_FAILED && error_.size != 0) return Error{.code = Code::invalid, .text = text_of(error_)};
    if (auto done = outcome(status, error_, "request", Code::invalid); !done) return done.error();
    return text;
  }

 private:
  static uint32_t set_answer(void* context, nfbus_bytes answer) noexcept {
    if (answer.size > kMaxPartFrameBytes || (answer.data == nullptr && answer.size != 0)) return NFBUS_REFUSED;
    try {
      static_cast<std::string*>(context)->assign(reinterpret_cast<const char*>(answer.data), answer.size);
      return NFBUS_OK;
    } catch (const std::exception&) {
      return NFBUS_REFUSED;
    }
  }

  Trusted file_;
  nfbus_privileged calls_{};
  nfbus_error error_{};
  void* part_ = nullptr;
  bool part_is_open_ = false;
};

Result<PartProcess> start_part(const NamedInstance& instance, FoundPart part, uid_t uid, gid_t gid) {
  // Under a number that the child's socket does not take, and that no library was mapped by.
  const Descriptor library(::fcntl(part.file.descriptor.get(), F_DUPFD_CLOEXEC, ChildProcess::kSocket + 1));
  if (!library.valid()) return system_error("cannot keep it open");
  const auto make = [&]() -> std::unique_ptr<PartHandler> {
    return std::make_unique<LibraryPart>(
        Trusted{.descriptor = Descriptor(library.get()), .version = part.file.version});
  };
  return PartProcess::start({.what = fmt::format("the privileged part of {}", instance.name),
                             .name = fmt::format("nfbus-{}", instance.plugin),
                             .uid = uid,
                             .gid = gid,
                             .library = library.get()},
                            make);
}

}  // namespace

PrivilegedParts PrivilegedParts::start(const std::vector<NamedInstance>& instances,
                                       const std::vector<fs::path>& folders, uid_t uid, gid_t gid,
                                       std::string_view forbidden) {
  PrivilegedParts parts;
  for (const NamedInstance& instance : instances) {
    if (!is_plain_name(instance.plugin) || parts.find(instance.name) != nullptr) continue;
    auto found = find_part(instance.plugin, folders);
    if (!found && found.error().code == Code::not_found) continue;
    Result<PartProcess> process = [&]() -> Result<PartProcess> {
      if (!found) return found.error();
      if (!forbidden.empty()) return Error{.code = Code::refused, .text = std::string(forbidden)};
      return start_part(instance, std::move(found).value(), uid, gid);
    }();
    parts.parts_.push_back(std::make_unique<Part>(Part{.instance = instance.name, .process = std::move(process)}));
  }
  return parts;
}

PrivilegedParts::Part* PrivilegedParts::find(std::string_view instance) noexcept {
  const auto found = std::ranges::find_if(parts_, [&](const auto& part) { return part->instance == instance; });
  return found == parts_.end() ? nullptr : found->get();
}

Result<void> PrivilegedParts::open(const std::string& instance, const nfbus_plugin& plugin,
                                   std::string_view options_json) {
  if ((plugin.flags & NFBUS_HAS_PRIVILEGED_PART) == 0) return {};
  Part* const part = find(instance);
  if (part == nullptr || !part->process) {
    const std::string why =
        part != nullptr ? part->process.error().text
                        : fmt::format("there was no {}{} when nfbus started", plugin_view(plugin.name), kSuffix);
    log::warning(fmt::format("{}: its privileged part does not run: {}", instance, why));
    return {};
  }
  if (part->options) {
    if (*part->options == options_json) return {};
    return Error{.code = Code::refused,
                 .text =
                     "its privileged part goes by the options that it was started with: restart nfbus to change "
                     "them"};
  }
  auto opened = part->process->open(options_json);
  if (!opened) {
    Error error = std::move(opened).error();
    error.text = fmt::format("its privileged part: {}", error.text);
    return error;
  }
  part->options = options_json;
  return {};
}

Result<std::string> PrivilegedParts::request(std::string_view instance, std::string_view request,
                                             std::chrono::milliseconds timeout) {
  Part* const part = find(instance);
  if (part == nullptr) return Error{.code = Code::refused, .text = "no privileged part of it runs here"};
  if (!part->process) {
    return Error{.code = Code::refused,
                 .text = fmt::format("its privileged part does not run: {}", part->process.error().text)};
  }
  return part->process->request(request, timeout);
}

void PrivilegedParts::check() {
  for (const auto& part : parts_) {
    if (!part->process) continue;
    const std::string end = part->process->new_end();
    if (end.empty()) continue;
    log::error(fmt::format("{}: its privileged part has ended ({}): what it asks for fails until nfbus is restarted",
                           part->instance, end));
  }
}

Result<fs::path> find_privileged_part(std::string_view plugin, const std::vector<fs::path>& folders) {
  auto found = find_part(plugin, folders);
  if (!found) return found.error();
  return std::move(found->path);
}

bool is_privileged_part(const fs::path& file) { return file.native().ends_with(kSuffix); }

}  // namespace nfbus::host
