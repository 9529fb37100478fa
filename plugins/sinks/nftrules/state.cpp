#include "state.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <array>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nfbus::util::Descriptor;
using nlohmann::json;

constexpr int kVersion = 1;
constexpr std::string_view kSuffix = ".json";
constexpr std::size_t kMostBytes = std::size_t{16} << 20;
constexpr std::chrono::milliseconds kLockPause{20};

Error failed(const std::string& what, const std::string& path, int error) {
  std::string text = "cannot " + what + ' ' + path + ": " + std::strerror(error);
  if (error == EACCES || error == EPERM || error == ENOENT) {
    text += "; make the folder of state_dir, and let uid " + std::to_string(::geteuid()) + " write to it";
  }
  return {error == EACCES || error == EPERM ? Code::refused : Code::io, std::move(text)};
}

json as_json(const LogStatement& log) {
  json out = {{"prefix", log.prefix}};
  if (log.group) out["group"] = *log.group;
  if (log.snaplen) out["snaplen"] = *log.snaplen;
  if (log.queue_threshold) out["queue_threshold"] = *log.queue_threshold;
  if (log.level) out["level"] = *log.level;
  if (log.flags) out["flags"] = *log.flags;
  return out;
}

template <typename T>
void get(const json& from, const char* key, std::optional<T>& to) {
  if (from.contains(key)) to = from.at(key).get<T>();
}

LogStatement log_of(const json& from) {
  LogStatement log;
  log.prefix = from.at("prefix").get<std::string>();
  get(from, "group", log.group);
  get(from, "snaplen", log.snaplen);
  get(from, "queue_threshold", log.queue_threshold);
  get(from, "level", log.level);
  get(from, "flags", log.flags);
  return log;
}

// The next three throw nlohmann's exceptions.
std::vector<Exchanged> exchanged_of(const json& from) {
  std::vector<Exchanged> out;
  for (const json& item : from) {
    Exchanged exchanged;
    exchanged.chain = item.at("chain").get<std::string>();
    exchanged.handle = item.at("handle").get<std::uint64_t>();
    exchanged.index = item.at("index").get<std::size_t>();
    exchanged.was = log_of(item.at("was"));
    exchanged.now = log_of(item.at("now"));
    out.push_back(std::move(exchanged));
  }
  return out;
}

State state_of(const json& from, const TableName& table) {
  State state{table, exchanged_of(from.at("exchanged")), from.at("inserted").get<bool>(), std::nullopt};
  if (!from.contains("before")) return state;
  const json& before = from.at("before");
  state.before = Before{exchanged_of(before.at("exchanged")), before.at("tags").get<std::vector<std::string>>()};
  return state;
}

json as_json(const std::vector<Exchanged>& exchanged) {
  json out = json::array();
  for (const Exchanged& item : exchanged) {
    out.push_back({{"chain", item.chain},
                   {"handle", item.handle},
                   {"index", item.index},
                   {"was", as_json(item.was)},
                   {"now", as_json(item.now)}});
  }
  return out;
}

std::string text_of(const State& state) {
  json out = {{"version", kVersion},
              {"table", to_string(state.table)},
              {"inserted", state.has_insertions},
              {"exchanged", as_json(state.exchanged)}};
  if (state.before) out["before"] = {{"exchanged", as_json(state.before->exchanged)}, {"tags", state.before->tags}};
  return out.dump(2, ' ', false, json::error_handler_t::replace) + '\n';
}

// A table's name may have any letters; a file's may not: "%2e" is a dot.
std::string file_name(std::string_view table) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string name;
  for (const char c : table) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (std::isalnum(byte) != 0 || c == '_' || c == '-') {
      name += c;
    } else {
      name += '%';
      name += kDigits[byte >> 4U];
      name += kDigits[byte & 0xfU];
    }
  }
  return name;
}

// And back.
std::string plain_name(std::string_view file) {
  std::string name;
  for (std::size_t i = 0; i < file.size(); ++i) {
    unsigned byte = 0;
    const char* const digits = file.data() + i + 1;
    if (file[i] == '%' && i + 2 < file.size() && std::from_chars(digits, digits + 2, byte, 16).ptr == digits + 2) {
      name += static_cast<char>(byte);
      i += 2;
    } else {
      name += file[i];
    }
  }
  return name;
}

// errno; 0: all of it is on the disk.
int write_file(const std::string& path, const std::string& text) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return errno;
  for (std::string_view rest = text; !rest.empty();) {
    const ssize_t written = ::write(file.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return written < 0 ? errno : EIO;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(file.get()) == 0 ? 0 : errno;
}

void sync_folder(const std::string& path) {
  const Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.valid()) static_cast<void>(::fsync(folder.get()));
}

}  // namespace

std::uint64_t network_namespace() {
  struct stat found {};
  return ::stat("/proc/self/ns/net", &found) == 0 ? found.st_ino : 0;
}

std::string StateFolder::file_of(const TableName& table) const {
  return path_ + '/' + std::to_string(network_namespace()) + '-' + std::string(family_name(table.family)) + '-' +
         file_name(table.name) + std::string(kSuffix);
}

std::vector<TableName> StateFolder::tables() const {
  std::vector<TableName> out;
  const std::string begin = std::to_string(network_namespace()) + '-';
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator(path_, gone)) {
    const std::string name = entry.path().filename().string();
    const std::size_t dash = name.find('-', begin.size());
    if (!name.starts_with(begin) || !name.ends_with(kSuffix) || dash == std::string::npos) continue;
    const std::string family = name.substr(begin.size(), dash - begin.size());
    const auto table =
        table_name_of(family + ' ' + plain_name(name.substr(dash + 1, name.size() - kSuffix.size() - dash - 1)));
    if (table) out.push_back(*table);
  }
  return out;
}

Result<State> StateFolder::read(const TableName& table) const {
  const std::string path = file_of(table);
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid() && errno == ENOENT) return State{table, {}, false, std::nullopt};
  if (!file.valid()) return failed("read", path, errno);
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return failed("read", path, errno);
    if (size == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
    if (text.size() > kMostBytes) break;
  }
  try {
    const json parsed = json::parse(text);
    if (parsed.at("version").get<int>() == kVersion) return state_of(parsed, table);
    return Error{Code::unsupported,
                 path + " was written by another version of nfbus; that one can revert, or remove it"};
  } catch (const json::exception& error) {
    return Error{Code::invalid, path + " is damaged (" + error.what() +
                                    "): what rules were before is not known; put them back by hand, and remove it"};
  }
}

Result<void> StateFolder::write(const State& state) const {
  const std::string path = file_of(state.table);
  if (state.is_empty()) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return failed("remove", path, errno);
    sync_folder(path_);
    return {};
  }
  const std::string next = path + ".new";
  if (const int error = write_file(next, text_of(state)); error != 0) {
    ::unlink(next.c_str());
    return failed("write", next, error);
  }
  if (::rename(next.c_str(), path.c_str()) != 0) return failed("replace", path, errno);
  sync_folder(path_);
  return {};
}

Result<void> StateFolder::lock(std::chrono::milliseconds patience) {
  if (lock_.valid()) return {};
  const std::string path = path_ + "/lock-" + std::to_string(network_namespace());
  Descriptor file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!file.valid()) return failed("open", path, errno);
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("lock", path, errno);
    if (std::chrono::steady_clock::now() >= deadline) {
      return Error{Code::busy, "another nfbus changes rules of this network namespace, or waits for nfbus nft confirm"};
    }
    std::this_thread::sleep_for(kLockPause);
  }
  lock_ = std::move(file);
  return {};
}

}  // namespace nftrules
