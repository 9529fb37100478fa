#include "files.hpp"

#include "../../lib/clock.hpp"
#include "../../lib/output.hpp"

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <stdexcept>
#include <utility>

namespace pcapsink {
namespace {

using output::clock_ns;

constexpr std::uint32_t kTickMs = 1000;

// Never set back; goes on while the machine sleeps.
std::int64_t steady_ns() noexcept { return clock_ns(CLOCK_BOOTTIME); }

}  // namespace

Files::Files(nfbus::Host host, FileSettings settings)
    : host_(host),
      settings_(std::move(settings)),
      encoder_(make_encoder(settings_.encoding)),
      rotation_(settings_.rotation),
      warning_(host),
      rotation_warning_(host) {
  if (!rotation_.enabled()) return;
  nfbus::Result<Names> names = Names::parse(settings_.path);
  if (!names.ok()) throw std::invalid_argument(names.error().text);
  archive_.emplace(host_, std::move(*names), settings_.archive, settings_.compression);
}

// A file that cannot be opened is no reason not to start: packets wait in the queue until it can.
void Files::open(nfbus::Shape& shape) {
  look_after();
  shape.tick_ms = kTickMs;
}

Outcome Files::write(EventList events, Refusals& refusals) {
  if (file_.is_open() && file_.was_touched()) {
    host_.warning(file_.path() + " was removed or changed by somebody else");
    leave_file();
  }
  if (const nfbus::Result<void> opened = ready(); !opened.ok()) return unavailable(0, opened.error().text);
  std::size_t at = 0;
  while (at < events.size()) {
    const bool limited = rotates() && !rotation_.held_off(steady_ns());
    run_.clear();
    if (begin_is_due_) encoder_->begin(true, run_.bytes);
    encoder_->encode(events.subspan(at), limited ? rotation_.room(file_.size_bytes(), packets_) : Room{}, run_);
    if (run_.ends.empty()) {
      if (const nfbus::Result<void> rotated = rotate(); !rotated.ok()) return unavailable(at, rotated.error().text);
      continue;
    }
    if (settings_.min_free_bytes != 0 && run_.packets != 0 &&
        file_.free_bytes() < settings_.min_free_bytes + run_.bytes.size_bytes()) {
      encoder_->commit(0);
      return unavailable(at, "nothing is written to " + file_.path() + ": less than min_free_bytes = " +
                                 std::to_string(settings_.min_free_bytes) + " are free there");
    }
    int error = 0;
    const std::size_t units = write_run(error);
    for (std::size_t i = 0; i < units; ++i) {
      if (run_.refusals[i] != nullptr) refusals.refused(at + i, run_.refusals[i]);
    }
    at += units;
    if (error != 0 && at < events.size()) return unavailable(at, explain(error));
  }
  if (rotates()) archive_->prune(file_.size_bytes());
  if (warning_.over()) host_.info("writes to " + file_.path() + " again");
  return {.done = events.size(), .reason = {}};
}

std::size_t Files::write_run(int& error) {
  const auto written_of = [&](std::size_t units) {
    const auto begin = run_.refusals.begin();
    return std::count(begin, begin + static_cast<std::ptrdiff_t>(units), static_cast<const char*>(nullptr));
  };
  std::size_t units = run_.ends.size();
  if (run_.packets != 0) {
    const std::uint64_t before = file_.size_bytes();
    const Progress progress = file_.write(run_.bytes);
    error = progress.error;
    if (error != 0) {
      const auto whole = std::upper_bound(run_.ends.begin(), run_.ends.end(), progress.size_bytes);
      units = static_cast<std::size_t>(whole - run_.ends.begin());
      // What is behind the last whole packet must not stay: neither a half one nor a section without any.
      if (!file_.cut(before + (written_of(units) == 0 ? 0 : run_.ends[units - 1]))) leave_file();
    }
  }
  encoder_->commit(units);
  if (const auto written = written_of(units); written != 0) {
    packets_ += static_cast<std::uint64_t>(written);
    begin_is_due_ = false;
    has_more_ = true;
  }
  return units;
}

nfbus::Result<void> Files::ready() {
  if (!file_.is_open()) {
    if (nfbus::Result<void> opened = open_file(); !opened.ok()) return opened;
  } else if (file_.size_bytes() == 0) {
    if (nfbus::Result<void> begun = begin_file(); !begun.ok()) return begun;  // the disk was full
  }
  const std::int64_t now = steady_ns();
  if (rotates() && rotation_.too_old(packets_, now) && !rotation_.held_off(now)) return rotate();
  return {};
}

nfbus::Result<void> Files::open_file() {
  nfbus::Result<File::Opened> opened = rotates()
                                           ? archive_->open(file_, settings_.encoding)
                                           : file_.open(settings_.path, settings_.encoding, File::Foreign::set_aside);
  if (!opened.ok()) return std::move(opened).error();
  if (!opened->set_aside.empty()) {
    host_.warning(file_.path() + " was no file that this sink can continue: it is " + opened->set_aside + " now");
  }
  if (opened->cut_bytes != 0) {
    host_.info("continues " + file_.path() + " after its last whole packet; " + std::to_string(opened->cut_bytes) +
               " bytes of a cut one are gone");
  }
  packets_ = opened->packets;
  has_more_ = false;
  const std::int64_t birth = file_.birth_ns();
  rotation_.opened(birth == 0 ? 0 : clock_ns(CLOCK_REALTIME) - birth, steady_ns());
  begin_is_due_ = file_.size_bytes() != 0 && settings_.encoding.format == Format::pcapng;
  if (file_.size_bytes() != 0) return {};
  return begin_file();
}

nfbus::Result<void> Files::begin_file() {
  extra_.clear();
  encoder_->begin(false, extra_);
  const Progress progress = file_.write(extra_);
  if (progress.error == 0) return {};
  nfbus::Error error{nfbus::Code::io, explain(progress.error)};
  if (!file_.cut(0)) leave_file();
  return error;
}

nfbus::Result<void> Files::rotate() {
  end_file();
  if (const nfbus::Result<void> rotated = archive_->rotate(file_, settings_.encoding); !rotated.ok()) {
    rotation_warning_.met(rotated.error().text);
    rotation_.failed(steady_ns());
    return {};
  }
  rotation_warning_.over();
  packets_ = 0;
  has_more_ = false;
  begin_is_due_ = false;
  rotation_.opened(0, steady_ns());
  return begin_file();
}

void Files::end_file() {
  if (!file_.is_open() || !has_more_) return;
  extra_.clear();
  encoder_->end(extra_);
  const std::uint64_t before = file_.size_bytes();
  // The statistics are no packets: a full disk costs them and nothing else.
  if (file_.write(extra_).error != 0 && !file_.cut(before)) return;
  if (!settings_.sync) return;
  if (const nfbus::Result<void> synced = file_.sync(); !synced.ok()) warning_.met(synced.error().text);
}

void Files::leave_file() noexcept {
  file_.close();
  if (rotates()) archive_->abandon();
}

void Files::look_after() {
  if (file_.is_open() && (file_.is_elsewhere() || file_.was_touched())) leave_file();
  if (const nfbus::Result<void> opened = ready(); !opened.ok()) warning_.met(opened.error().text);
  if (rotates()) archive_->look_after(file_.is_open() ? file_.size_bytes() : 0);
}

void Files::close() {
  if (file_.is_open()) {
    end_file();
    if (rotates()) {
      if (const nfbus::Result<void> finished = archive_->finish(file_, packets_); !finished.ok()) {
        warning_.met(finished.error().text);
      }
    }
    file_.close();
  }
  if (rotates()) archive_->close();
}

std::string Files::explain(int error) const {
  std::string text = "cannot write to " + file_.path() + ": " + nfbus::util::reason(error);
  if (error == ENOSPC || error == EDQUOT) text += "; free some space, or set max_total_bytes";
  return text;
}

Outcome Files::unavailable(std::size_t done, const std::string& reason) {
  warning_.met(reason);
  return {.done = done, .reason = reason, .retry_after_ms = output::kRetryMs};
}

}  // namespace pcapsink
