#include "capture/files/input.hpp"

#include "support/system_error.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace nfbus::host {

namespace {

constexpr std::size_t kRawBytes = 128UL << 10U;
constexpr std::size_t kWindowBytes = 256UL << 10U;

// Whether read() returns at once. Asked of others' open files, which must not become non-blocking by it.
bool would_wait(int fd) noexcept {
  pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
  return ::poll(&waiting, 1, 0) == 0;
}

}  // namespace

Input::Input(Descriptor file) : file_(std::move(file)) {
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0 || !S_ISREG(info.st_mode)) return;
  start_ = std::max<std::int64_t>(::lseek(file_.get(), 0, SEEK_CUR), 0);
  size_bytes_ = static_cast<std::uint64_t>(std::max<std::int64_t>(info.st_size - start_, 0));
}

Result<void> Input::rewind() {
  if (::lseek(file_.get(), start_, SEEK_SET) < 0) return system_error("cannot go back to its begin");
  decoder_.reset();
  read_bytes_ = made_bytes_ = 0;
  failure_.reset();
  ended_ = false;
  raw_begin_ = raw_end_ = begin_ = end_ = 0;
  raw_ = {};
  data_ = {};
  return {};
}

Result<Input::Fill> Input::fill(std::size_t size) {
  while (end_ - begin_ < size) {
    if (failure_) return *failure_;
    if (!decoder_) {
      auto chosen = choose_decoder();
      if (!chosen || *chosen != Fill::ready) return chosen;
    }
    make_room(size);
    Decoded decoded =
        decoder_->decode(std::span(raw_).subspan(raw_begin_, raw_end_ - raw_begin_), std::span(data_).subspan(end_));
    raw_begin_ += decoded.used;
    end_ += decoded.made;
    made_bytes_ += decoded.made;
    if (!decoded.error.empty()) {
      failure_ = Error{.code = Code::invalid,
                       .text = fmt::format("its compressed data is broken at offset {}: {}",
                                           read_bytes_ - (raw_end_ - raw_begin_), decoded.error)};
    }
    if (decoded.used != 0 || decoded.made != 0 || failure_) continue;
    const auto more = read_more();
    if (!more) {
      failure_ = more.error();
    } else if (*more == Fill::waits) {
      return Fill::waits;
    } else if (*more == Fill::end) {
      if (decoder_->may_end()) return Fill::end;
      failure_ = Error{
          .code = Code::invalid,
          .text = fmt::format("truncated: it ends at offset {}, in the middle of its compressed data", read_bytes_)};
    }
  }
  return Fill::ready;
}

Result<Input::Fill> Input::choose_decoder() {
  while (raw_end_ - raw_begin_ < kPackingBytes) {
    auto more = read_more();
    if (!more) {
      failure_ = more.error();
      return more;
    }
    if (*more == Fill::waits) return Fill::waits;
    if (*more == Fill::end) break;
  }
  auto made = make_decoder(std::span(raw_).subspan(raw_begin_, raw_end_ - raw_begin_));
  if (!made) {
    failure_ = made.error();
    return *failure_;
  }
  decoder_ = std::move(made).value();
  return Fill::ready;
}

// Adds to raw_, where there is room: decoders use up what they are given, or ask for no more.
Result<Input::Fill> Input::read_more() {
  if (ended_) return Fill::end;
  if (raw_.empty()) raw_.resize(kRawBytes);
  if (raw_begin_ != 0) {
    std::memmove(raw_.data(), raw_.data() + raw_begin_, raw_end_ - raw_begin_);
    raw_end_ -= std::exchange(raw_begin_, 0);
  }
  for (;;) {
    if (!is_regular() && would_wait(file_.get())) return Fill::waits;
    const ssize_t got = ::read(file_.get(), raw_.data() + raw_end_, raw_.size() - raw_end_);
    if (got > 0) {
      raw_end_ += static_cast<std::size_t>(got);
      read_bytes_ += static_cast<std::size_t>(got);
      return Fill::ready;
    }
    if (got == 0) {
      ended_ = true;
      return Fill::end;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK) return Fill::waits;
    if (errno != EINTR) return system_error(fmt::format("cannot read it at offset {}", read_bytes_));
  }
}

void Input::make_room(std::size_t size) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (data_.size() - begin_ >= size) return;
  if (begin_ != 0) {
    std::memmove(data_.data(), data_.data() + begin_, end_ - begin_);
    end_ -= std::exchange(begin_, 0);
  }
  if (data_.size() < size) data_.resize(std::max(size, kWindowBytes));
}

}  // namespace nfbus::host
