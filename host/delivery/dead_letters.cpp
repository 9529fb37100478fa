#include "delivery/dead_letters.hpp"

#include "formats/json_writer.hpp"
#include "formats/time_text.hpp"
#include "support/clock.hpp"
#include "support/log.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace nfbus::host {

namespace {

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string rfc3339(std::int64_t time_ns) {
  std::array<char, kMaxRfc3339 + json::kSlack> text{};
  return {text.data(), put_rfc3339(text.data(), time_ns)};
}

// errno; 0: all is written. Of a write that fails half-way nothing stays.
int append(int fd, std::string_view bytes, std::uint64_t size_before) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      // A line that is cut would spoil the one behind it.
      static_cast<void>(::ftruncate(fd, static_cast<off_t>(size_before)));
      return error;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

}  // namespace

DeadLetters::DeadLetters(std::string file, std::uint64_t max_bytes, const FormatSet& formats, std::string sink)
    : file_(std::move(file)),
      most_bytes_(std::max<std::uint64_t>(max_bytes / 2, 1)),
      sink_(std::move(sink)),
      renderer_(formats) {}

void DeadLetters::open() {
  fd_ = {};
  static_cast<void>(is_open());
}

bool DeadLetters::is_open() {
  struct stat found {};
  // Somebody may have moved or removed it.
  if (fd_.valid() && ::fstat(fd_.get(), &found) == 0 && found.st_nlink == 0) fd_ = {};
  if (fd_.valid()) return true;
  auto place = util::find_output(file_);
  if (!place) {
    say(place.error().text);
    return false;
  }
  place_ = std::move(place).value();
  util::Opening opened = place_.open_or_make(O_WRONLY | O_APPEND);
  if (!opened.fd.valid()) {
    say(util::cannot_open(file_, opened).text);
    return false;
  }
  if (::fstat(opened.fd.get(), &found) != 0 || !S_ISREG(found.st_mode)) {
    say(fmt::format("{} is no regular file: name another", file_));
    return false;
  }
  size_bytes_ = static_cast<std::uint64_t>(found.st_size);
  fd_ = std::move(opened.fd);
  return true;
}

void DeadLetters::add(const nfbus_event& event, std::string_view reason) {
  const std::string_view text = renderer_.render(host_event(event), kPacketFormat);
  const std::string line = fmt::format(R"({{"Time":"{}","Sink":{},"Reason":{},"Topic":{},"Event":{}}})"
                                       "\n",
                                       rfc3339(realtime_ns()), json_string(sink_),
                                       json_string(reason.empty() ? std::string_view("the sink gave none") : reason),
                                       json_string(view(event.topic)), text.empty() ? "null" : text);
  renderer_.release();
  if (line.size() > most_bytes_) {
    return say(fmt::format("an event of {} bytes has no room in the {} of a file", line.size(), most_bytes_));
  }
  if (lines_.size() + line.size() > most_bytes_) flush();
  lines_ += line;
  ++line_count_;
}

void DeadLetters::flush() {
  if (line_count_ == 0) return;
  const std::uint64_t count = std::exchange(line_count_, 0);
  if (is_open()) {
    if (size_bytes_ != 0 && size_bytes_ + lines_.size() > most_bytes_) rotate();
  }
  if (fd_.valid()) {
    if (const int error = append(fd_.get(), lines_, size_bytes_); error != 0) {
      say(fmt::format("cannot write to {}: {}", file_, util::reason(error)));
    } else {
      size_bytes_ += lines_.size();
      written_.fetch_add(count, std::memory_order_relaxed);
      if (std::exchange(in_trouble_, false)) log::info(fmt::format("sink.{}: dead letters are written again", sink_));
    }
  }
  lines_.clear();
}

// Where that fails, lines go on into the same file.
void DeadLetters::rotate() {
  const int error = place_.folder.rename(place_.name, place_.name + ".1");
  if (error != 0) return say(fmt::format("cannot rename {}: {}", file_, util::reason(error)));
  fd_ = {};
  static_cast<void>(is_open());
}

void DeadLetters::say(const std::string& trouble) {
  if (std::exchange(in_trouble_, true)) return;
  log::error(fmt::format("sink.{}: dead letters: {}; what the sink rejects is but counted", sink_, trouble));
}

}  // namespace nfbus::host
