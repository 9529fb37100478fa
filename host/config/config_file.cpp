#include "config/config_file.hpp"

#include "config/read_file.hpp"

#include <cstddef>
#include <utility>

namespace nfbus::host {

namespace {

constexpr std::size_t kMostFileBytes = std::size_t{1} << 20U;

Error explain(Error error, const std::string& file) {
  if (error.code == Code::not_found) {
    error.text += "; name another one with -c FILE, or start from one in share/nfbus/configs";
  }
  if (error.code == Code::refused) error.text += "; run as a user who may, or change the file's owner or mode";
  error.where = Location{file};
  return error;
}

}  // namespace

ConfigFile read_config_file(const std::string& file, bool started_as_root) {
  ConfigFile read{.name = file, .text = std::string(), .way = std::nullopt};
  if (!started_as_root) {
    read.text = read_file(file, kMostFileBytes);
  } else if (auto way = Way::to_file(file); way) {
    read.text = read_descriptor(way->descriptor(), kMostFileBytes);
    way->close();
    read.way = std::move(way).value();
  } else {
    read.text = std::move(way).error();
  }
  if (!read.text) read.text = explain(read.text.error(), file);
  return read;
}

std::vector<Error> distrust(const ConfigFile& file, uid_t user) {
  std::vector<Error> mistakes;
  if (!file.way) return mistakes;
  for (const std::string& fault : file.way->faults(user)) {
    mistakes.push_back(
        {.code = Code::refused, .text = "nothing is started from it as root: " + fault, .where = Location{file.name}});
  }
  return mistakes;
}

}  // namespace nfbus::host
