#include "compiler.hpp"

#include "attributes.hpp"

#include <nfbus/util/descriptor.hpp>

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nfbus::util::Descriptor;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{10};
constexpr std::size_t kMostBytes = std::size_t{64} << 20;
constexpr const char* kLibrary = "libnftables.so.1";

// The first byte of what the child writes.
constexpr char kDone = '+';
constexpr char kFailed = '-';

enum class Work : std::uint8_t { compile = 1, list };

// libnftables' functions, found by name.
struct Library {
  decltype(&::nft_ctx_new) ctx_new = nullptr;
  decltype(&::nft_ctx_buffer_output) buffer_output = nullptr;
  decltype(&::nft_ctx_buffer_error) buffer_error = nullptr;
  decltype(&::nft_ctx_set_dry_run) set_dry_run = nullptr;
  decltype(&::nft_ctx_output_set_debug) set_debug = nullptr;
  decltype(&::nft_ctx_output_set_flags) set_flags = nullptr;
  decltype(&::nft_run_cmd_from_buffer) run = nullptr;
  decltype(&::nft_ctx_get_output_buffer) output = nullptr;
  decltype(&::nft_ctx_get_error_buffer) error = nullptr;

  // False: dlerror() says why.
  bool load() {
    void* const library = ::dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) return false;
    const auto find = [&](auto& function, const char* name) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(library, name));
      return function != nullptr;
    };
    return find(ctx_new, "nft_ctx_new") && find(buffer_output, "nft_ctx_buffer_output") &&
           find(buffer_error, "nft_ctx_buffer_error") && find(set_dry_run, "nft_ctx_set_dry_run") &&
           find(set_debug, "nft_ctx_output_set_debug") && find(set_flags, "nft_ctx_output_set_flags") &&
           find(run, "nft_run_cmd_from_buffer") && find(output, "nft_ctx_get_output_buffer") &&
           find(error, "nft_ctx_get_error_buffer");
  }
};

void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void answer(int fd, char outcome, std::string_view text) {
  write_all(fd, {&outcome, 1});
  write_all(fd, text);
}

// In the child. A crash of the library is the parent's to tell: the host's own last line and a core file of a process
// that is nobody's program would only mislead.
void work(int fd, Work kind, const std::string& commands) {
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) static_cast<void>(::signal(signal, SIG_DFL));
  ::prctl(PR_SET_DUMPABLE, 0);
  Library nft;
  if (!nft.load()) {
    const char* const why = ::dlerror();
    return answer(fd, kFailed,
                  std::string("nft's library is not there (") + (why == nullptr ? kLibrary : why) +
                      "); install Debian's package libnftables1");
  }
  nft_ctx* const context = nft.ctx_new(NFT_CTX_DEFAULT);
  if (context == nullptr) return answer(fd, kFailed, "nft's library does not start");
  static_cast<void>(nft.buffer_output(context));
  static_cast<void>(nft.buffer_error(context));
  if (kind == Work::compile) {
    nft.set_dry_run(context, true);
    nft.set_debug(context, NFT_DEBUG_MNL);
  } else {
    nft.set_flags(context, NFT_CTX_OUTPUT_HANDLE | NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_TERSE);
  }
  const bool is_done = nft.run(context, commands.c_str()) == 0;
  const char* const text = is_done ? nft.output(context) : nft.error(context);
  answer(fd, is_done ? kDone : kFailed, text == nullptr ? "" : text);
}

// What nft prints of an error is a message, the line, and a row of ^: the message alone, on one line.
std::string first_line(std::string_view text) {
  constexpr std::string_view kPlace = "Error: ";
  const std::size_t begin = text.find(kPlace);
  if (begin != std::string_view::npos) text.remove_prefix(begin + kPlace.size());
  return std::string(text.substr(0, text.find('\n')));
}

std::string how_it_died(int status) {
  if (!WIFSIGNALED(status)) return "nft's library ended without an answer";
  return "nft's library died of signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) +
         "): most likely a table of this network namespace holds a set that a newer nft made, which this one cannot "
         "read; use an nft as new as that (1.1.2 or later), or remove that table";
}

// Runs the commands in a child; what it printed.
Result<std::string> run_in_child(Work kind, std::string_view commands) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return Error{Code::io, "no pipe for nft's library"};
  Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  const std::string copy(commands);
  const pid_t child = ::fork();
  if (child < 0) return Error{Code::io, std::string("no process for nft's library: ") + std::strerror(errno)};
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    work(writer.get(), kind, copy);
    ::_exit(0);
  }
  writer.close();
  std::string text;
  const auto deadline = Clock::now() + kPatience;
  bool is_late = false;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd wait{reader.get(), POLLIN, 0};
    const int ready = left <= 0 ? 0 : ::poll(&wait, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0 || text.size() > kMostBytes) {
      is_late = true;
      ::kill(child, SIGKILL);
      break;
    }
    const ssize_t size = ::read(reader.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (is_late) return Error{Code::io, "nft's library did not answer in time"};
  if (status != 0 || text.empty()) return Error{Code::io, how_it_died(status)};
  if (text.front() == kDone) return text.substr(1);
  return Error{Code::invalid, "nft: " + first_line(std::string_view(text).substr(1))};
}

// ---- The rows of NFT_DEBUG_MNL, as mnl_nlmsg_fprintf() writes them (libmnl).

std::string without_colours(std::string_view line) {
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\033') {
      out += line[i];
      continue;
    }
    while (i < line.size() && line[i] != 'm') ++i;
  }
  return out;
}

std::optional<unsigned> number_in(std::string_view text, int base) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Builds messages of rows.
class RowReader {
 public:
  Result<void> read(const std::string& row) {
    if (row.starts_with("--")) return {};
    if (row.size() < 16 || row.front() != '|') return wrong(row);
    const std::string_view cells = std::string_view(row).substr(1, row.find('|', 15) - 1);
    const std::string_view label = std::string_view(row).substr(cells.size() + 2);
    if (label.find("message length") != std::string_view::npos) {
      begin();
      return {};
    }
    if (label.find("type | flags") != std::string_view::npos && label.find("|len") == std::string_view::npos) {
      type_ = number_in(cells.substr(1, 5), 10);
      return type_ ? Result<void>() : wrong(row);
    }
    if (label.find("sequence number") != std::string_view::npos || label.find("port ID") != std::string_view::npos) {
      return {};
    }
    if (label.find("|len") != std::string_view::npos) return read_attribute(row, cells);
    return read_bytes(row, cells);
  }

  std::vector<Message> take() {
    finish();
    return std::move(messages_);
  }

 private:
  static Error wrong(const std::string& row) {
    return {Code::unsupported, "nft's library describes what it would send in a way that is not known here: " + row};
  }

  void begin() {
    finish();
    type_.reset();
    bytes_.clear();
  }

  // What comes before the batch only asks.
  void finish() {
    if (!type_) return;
    is_in_batch_ = is_in_batch_ || *type_ == NFNL_MSG_BATCH_BEGIN;
    if (!is_in_batch_ || bytes_.size() < sizeof(nfgenmsg) || *type_ >> 8U != NFNL_SUBSYS_NFTABLES) return;
    Message message;
    message.type = static_cast<std::uint16_t>(*type_ & 0xffU);
    message.family = static_cast<std::uint8_t>(bytes_[0]);
    message.attributes = bytes_.substr(sizeof(nfgenmsg));
    messages_.push_back(std::move(message));
    type_.reset();
  }

  // "00012|N-|00009": length, nested, network byte order, type.
  Result<void> read_attribute(const std::string& row, std::string_view cells) {
    if (cells.size() < 14) return wrong(row);
    const auto size = number_in(cells.substr(0, 5), 10);
    const auto type = number_in(cells.substr(9, 5), 10);
    if (!size || !type) return wrong(row);
    const nlattr header{static_cast<std::uint16_t>(*size),
                        static_cast<std::uint16_t>(*type | (cells[6] == 'N' ? NLA_F_NESTED : 0U) |
                                                   (cells[7] == 'B' ? NLA_F_NET_BYTEORDER : 0U))};
    bytes_.append(reinterpret_cast<const char*>(&header), sizeof header);
    return {};
  }

  // " 66 69 6c 74  ".
  Result<void> read_bytes(const std::string& row, std::string_view cells) {
    if (cells.size() < 12) return wrong(row);
    for (std::size_t i = 0; i < 4; ++i) {
      const auto byte = number_in(cells.substr(1 + 3 * i, 2), 16);
      if (!byte) return wrong(row);
      bytes_ += static_cast<char>(*byte);
    }
    return {};
  }

  std::optional<unsigned> type_;
  bool is_in_batch_ = false;
  std::string bytes_;
  std::vector<Message> messages_;
};

}  // namespace

Result<std::vector<Message>> messages_of(std::string_view printed) {
  RowReader reader;
  while (!printed.empty()) {
    const std::size_t end = printed.find('\n');
    const std::string row = without_colours(printed.substr(0, end));
    printed.remove_prefix(end == std::string_view::npos ? printed.size() : end + 1);
    if (row.empty()) continue;
    if (auto read = reader.read(row); !read) return read.error();
  }
  return reader.take();
}

Result<std::vector<Message>> compile(std::string_view commands) {
  auto printed = run_in_child(Work::compile, commands);
  if (!printed) return printed.error();
  return messages_of(*printed);
}

std::string about_table(std::string_view attributes, std::string_view table) {
  // NFTA_TABLE_NAME, NFTA_CHAIN_TABLE, NFTA_RULE_TABLE, NFTA_SET_TABLE and NFTA_SET_ELEM_LIST_TABLE.
  constexpr std::uint16_t kTable = 1;
  AttributeWriter out;
  for (const Attribute& attribute : Attributes(attributes)) {
    if (attribute.type == kTable) {
      out.text(kTable, table);
    } else {
      out.raw(attribute.whole);
    }
  }
  return std::move(out).bytes();
}

Result<std::map<std::uint64_t, std::string>> rule_texts(std::string_view table, std::string_view chain) {
  auto printed = run_in_child(Work::list, "list chain " + std::string(table) + ' ' + std::string(chain));
  if (!printed) return printed.error();
  std::map<std::uint64_t, std::string> out;
  constexpr std::string_view kHandle = " # handle ";
  std::string text;  // of a rule; one with a large set takes several lines
  for (std::string_view rest = *printed; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    line.remove_prefix(std::min(line.find_first_not_of("\t "), line.size()));
    const std::size_t handle = line.rfind(kHandle);
    const bool begins_block = line.ends_with('{') || (handle != std::string_view::npos && line[handle - 1] == '{');
    if (begins_block || line == "}" || line.empty() || line.starts_with("type ")) continue;
    text += text.empty() ? "" : " ";
    text += line.substr(0, handle);
    if (handle == std::string_view::npos) continue;
    std::uint64_t number = 0;
    std::from_chars(line.data() + handle + kHandle.size(), line.data() + line.size(), number);
    out[number] = std::exchange(text, {});
  }
  return out;
}

}  // namespace nftrules
