#include "capture/files/capture_file.hpp"

#include "capture/files/link_types.hpp"
#include "support/system_error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace nfbus::host {

namespace {

constexpr char kStandardInput[] = "-";

// A file may bring any number of sections, each with interfaces that cannot be read.
constexpr std::size_t kMostTold = 16;

}  // namespace

Result<ReplayFile> ReplayFile::open(const std::string& name) {
  if (name == kStandardInput) {
    ReplayFile file{.name = "standard input", .descriptor = Descriptor(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3))};
    if (file.descriptor.valid()) return file;
    return system_error(file.name);
  }
  // Non-blocking: a FIFO whose writer has not come yet is waited for when it is read.
  ReplayFile file{.name = name, .descriptor = Descriptor(::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK))};
  int error = errno;
  if (file.descriptor.valid()) {
    struct stat info {};
    if (::fstat(file.descriptor.get(), &info) != 0 || !S_ISDIR(info.st_mode)) return file;
    error = EISDIR;
  }
  return system_error(name, error, error == ENOENT ? Code::not_found : error == EACCES ? Code::refused : Code::io);
}

CaptureFile::CaptureFile(ReplayFile file)
    : name_(std::move(file.name)), input_(std::make_unique<Input>(std::move(file.descriptor))) {}

Result<CaptureFile> CaptureFile::open(ReplayFile file) {
  CaptureFile opened(std::move(file));
  if (opened.input().is_regular()) {
    if (auto looked = opened.look_at_begin(); !looked) return std::move(looked).error();
  }
  return opened;
}

// Up to the first packet that can be read: a file may begin with interfaces that cannot.
Result<void> CaptureFile::look_at_begin() {
  FilePacket packet;
  for (bool looking = true; looking;) {
    const auto next = this->next(packet);
    if (!next && !readable_) return next.error();
    looking = next && *next != Next::end && !(*next == Next::packet && packet.interface->layer);
  }
  reader_.reset();
  readable_ = false;
  unknown_type_.reset();
  auto rewound = input_->rewind();
  if (!rewound) return named(std::move(rewound).error());
  return {};
}

Result<Next> CaptureFile::next(FilePacket& packet) {
  auto next = read(packet);
  if (next && *next == Next::packet) {
    readable_ = readable_ || packet.interface->layer;
    return next;
  }
  if (next && *next == Next::waits) return next;
  note_interfaces();
  if (!next) return named(std::move(next).error());
  if (*next == Next::end && !readable_ && unknown_type_) {
    return named({.code = Code::invalid, .text = unknown_link_type(*unknown_type_)});
  }
  return next;
}

Result<Next> CaptureFile::read(FilePacket& packet) {
  if (!reader_) {
    auto chosen = choose_reader();
    if (!chosen || *chosen != Next::section) return chosen;
  }
  return reader_->next(packet);
}

// section: it is chosen.
Result<Next> CaptureFile::choose_reader() {
  const auto filled = input_->fill(kMagicBytes);
  if (!filled) return filled.error();
  if (*filled == Input::Fill::waits) return Next::waits;
  if (*filled == Input::Fill::ready) {
    std::uint32_t magic = 0;
    std::memcpy(&magic, input_->view().data(), sizeof magic);
    reader_ = make_classic_reader(magic, *input_);
    if (!reader_) reader_ = make_pcapng_reader(magic, *input_);
    if (reader_) return Next::section;
  }
  return Error{.code = Code::invalid,
               .text = input_->view().empty() ? "not a pcap file: it is empty"
                                              : "not a pcap file, nor a pcapng file: neither begins so"};
}

void CaptureFile::note_interfaces() {
  if (!reader_) return;
  for (const FileInterface& interface : reader_->interfaces()) {
    if (interface.layer) {
      readable_ = true;
    } else if (!unknown_type_) {
      unknown_type_ = interface.link_type;
    }
  }
}

bool CaptureFile::is_news(const FileInterface& interface) {
  return told_.size() < kMostTold && told_.emplace(interface.number, interface.link_type).second;
}

Error CaptureFile::named(Error error) const {
  error.text = fmt::format("{}: {}", name_, error.text);
  return error;
}

}  // namespace nfbus::host
