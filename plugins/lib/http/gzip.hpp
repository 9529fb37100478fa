// Bodies of requests in gzip's form (RFC 1952).
#pragma once

#include <zlib.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace http {

// Thread safety: none. Allocates only while the output grows.
class Gzip {
 public:
  // Level 1: text of this kind shrinks to a tenth, and the CPU is the router's.
  Gzip() {
    constexpr int kLevel = 1;
    constexpr int kGzipWindow = 15 + 16;
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() { deflateEnd(&stream_); }

  // Makes `out` the compressed text.
  void compress(std::string_view text, std::string& out) {
    deflateReset(&stream_);
    out.resize(deflateBound(&stream_, text.size()));
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib's own habit
    stream_.avail_in = static_cast<uInt>(text.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    if (deflate(&stream_, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("zlib failed");
    out.resize(stream_.total_out);
  }

 private:
  z_stream stream_{};
};

}  // namespace http
