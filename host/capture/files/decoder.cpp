#include "capture/files/decoder.hpp"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

namespace nfbus::host {

namespace {

using Bytes = std::span<const std::uint8_t>;

class Plain final : public Decoder {
 public:
  Decoded decode(Bytes in, std::span<std::uint8_t> out) override {
    const std::size_t size = std::min(in.size(), out.size());
    if (size != 0) std::memcpy(out.data(), in.data(), size);
    return {.used = size, .made = size};
  }
  [[nodiscard]] bool may_end() const noexcept override { return true; }
};

uInt to_uint(std::size_t size) noexcept {
  return static_cast<uInt>(std::min<std::size_t>(size, std::numeric_limits<uInt>::max()));
}

// Members one behind the other are one stream; zeros behind the last are padding.
class Gzip final : public Decoder {
 public:
  Gzip() {
    constexpr int kGzipHeader = 16;
    ready_ = ::inflateInit2(&stream_, MAX_WBITS + kGzipHeader) == Z_OK;
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { ::inflateEnd(&stream_); }

  [[nodiscard]] bool ready() const noexcept { return ready_; }

  Decoded decode(Bytes in, std::span<std::uint8_t> out) override {
    Decoded decoded;
    if (between_members_) {
      const auto member = std::find_if(in.begin(), in.end(), [](std::uint8_t byte) { return byte != 0; });
      decoded.used = static_cast<std::size_t>(member - in.begin());
      if (member == in.end()) return decoded;
      ::inflateReset(&stream_);
      between_members_ = false;
      in = in.subspan(decoded.used);
    }
    stream_.next_in = const_cast<Bytef*>(in.data());  // zlib's type; it only reads
    stream_.avail_in = to_uint(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = to_uint(out.size());
    const int result = ::inflate(&stream_, Z_NO_FLUSH);
    decoded.used += to_uint(in.size()) - stream_.avail_in;
    decoded.made = to_uint(out.size()) - stream_.avail_out;
    between_members_ = result == Z_STREAM_END;
    if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
      decoded.error = stream_.msg != nullptr ? stream_.msg : "zlib failed";
    }
    return decoded;
  }
  [[nodiscard]] bool may_end() const noexcept override { return between_members_; }

 private:
  z_stream stream_{};
  bool ready_ = false;
  bool between_members_ = false;
};

// Frames one behind the other are one stream. The library refuses windows above 128 MiB by itself.
class Zstd final : public Decoder {
 public:
  [[nodiscard]] bool ready() const noexcept { return context_ != nullptr; }

  Decoded decode(Bytes in, std::span<std::uint8_t> out) override {
    if (between_frames_ && in.empty()) return {};
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t left = ::ZSTD_decompressStream(context_.get(), &to, &from);
    Decoded decoded{.used = from.pos, .made = to.pos};
    if (::ZSTD_isError(left) != 0) {
      decoded.error = ::ZSTD_getErrorName(left);
    } else {
      between_frames_ = left == 0;
    }
    return decoded;
  }
  [[nodiscard]] bool may_end() const noexcept override { return between_frames_; }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const noexcept { ::ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_{::ZSTD_createDCtx()};
  bool between_frames_ = true;
};

template <class Of>
Result<std::unique_ptr<Decoder>> make() {
  auto decoder = std::make_unique<Of>();
  if (!decoder->ready()) return Error{.code = Code::io, .text = "no memory to decompress it"};
  return std::unique_ptr<Decoder>(std::move(decoder));
}

struct Packing {
  std::string_view first;
  std::string_view program;
};

using namespace std::string_view_literals;

constexpr std::array kOtherPackings{
    Packing{.first = "\xfd"
                     "7zXZ\0"sv,
            .program = "xz"},
    Packing{.first = "BZh"sv, .program = "bzip2"}, Packing{.first = "\x04\x22\x4d\x18"sv, .program = "lz4"},
    Packing{.first = "PK\x03\x04"sv, .program = "unzip"}, Packing{.first = "7z\xbc\xaf"sv, .program = "7z"}};

bool is_zstd(std::string_view first) noexcept {
  // Skippable frames, of any of 16 kinds, may come first: RFC 8878, 3.1.2.
  const bool skippable = first.size() >= 4 && (first[0] & 0xf0) == 0x50 && first.substr(1, 3) == "\x2a\x4d\x18"sv;
  return skippable || first.starts_with("\x28\xb5\x2f\xfd"sv);
}

}  // namespace

Result<std::unique_ptr<Decoder>> make_decoder(std::span<const std::uint8_t> first) {
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  if (text.starts_with("\x1f\x8b"sv)) return make<Gzip>();
  if (is_zstd(text)) return make<Zstd>();
  for (const Packing& packing : kOtherPackings) {
    if (!text.starts_with(packing.first)) continue;
    const bool is_archive = packing.program == "unzip" || packing.program == "7z";
    return Error{
        .code = Code::unsupported,
        .text = fmt::format("it is compressed in a way that is not read here (gzip and zstd are): decompress "
                            "it first{}",
                            is_archive ? fmt::format(", with {}", packing.program)
                                       : fmt::format(": {} -dc FILE | nfbus run --replay -", packing.program))};
  }
  return std::unique_ptr<Decoder>(std::make_unique<Plain>());
}

}  // namespace nfbus::host
