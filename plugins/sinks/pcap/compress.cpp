#include "compress.hpp"

#include <nfbus/util/output_lock.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace pcapsink {
namespace {

using nfbus::util::Opening;

constexpr std::size_t kChunkBytes = 256UL << 10U;
constexpr int kNiceness = 10;
constexpr int kZstdLevel = 3;
constexpr std::string_view kTemporary = ".part";

using Chunk = std::vector<std::uint8_t>;

[[noreturn]] void fail(const std::string& what, int error = errno) {
  throw std::system_error(error, std::generic_category(), what);
}

// Takes a file in pieces and gives a compressed one in pieces. Throws std::runtime_error.
class Codec {
 public:
  Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  virtual ~Codec() = default;

  // Appends to out.
  virtual void feed(std::span<std::uint8_t> in, bool last, Chunk& out) = 0;
};

class Gzip final : public Codec {
 public:
  Gzip() {
    constexpr int kWithGzipHeader = 16;
    if (deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, MAX_WBITS + kWithGzipHeader, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
      throw std::runtime_error("zlib cannot start");
    }
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { deflateEnd(&stream_); }

  void feed(std::span<std::uint8_t> in, bool last, Chunk& out) override {
    stream_.next_in = in.data();
    stream_.avail_in = static_cast<uInt>(in.size());
    do {
      const std::size_t used = out.size();
      out.resize(used + kChunkBytes);
      stream_.next_out = out.data() + used;
      stream_.avail_out = kChunkBytes;
      if (deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH) == Z_STREAM_ERROR) throw std::runtime_error("zlib failed");
      out.resize(out.size() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class Zstd final : public Codec {
 public:
  Zstd() : context_(ZSTD_createCCtx()) {
    if (!context_) throw std::runtime_error("zstd cannot start");
    check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_compressionLevel, kZstdLevel));
    check(ZSTD_CCtx_setParameter(context_.get(), ZSTD_c_checksumFlag, 1));
  }

  void feed(std::span<std::uint8_t> in, bool last, Chunk& out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    for (std::size_t left = 1; left != 0;) {
      const std::size_t used = out.size();
      out.resize(used + kChunkBytes);
      ZSTD_outBuffer to{out.data() + used, kChunkBytes, 0};
      left = check(ZSTD_compressStream2(context_.get(), &to, &from, last ? ZSTD_e_end : ZSTD_e_continue));
      out.resize(used + to.pos);
      if (!last) left = from.size - from.pos;
    }
  }

 private:
  static std::size_t check(std::size_t result) {
    if (ZSTD_isError(result) != 0) throw std::runtime_error(ZSTD_getErrorName(result));
    return result;
  }
  struct Free {
    void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
  };

  std::unique_ptr<ZSTD_CCtx, Free> context_;
};

std::unique_ptr<Codec> make_codec(Compression compression) {
  if (compression == Compression::gzip) return std::make_unique<Gzip>();
  return std::make_unique<Zstd>();
}

// Less than asked for only at the end.
std::size_t read_all(int fd, std::span<std::uint8_t> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const ssize_t got = read(fd, out.data() + filled, out.size() - filled);
    if (got == 0) break;
    if (got > 0) {
      filled += static_cast<std::size_t>(got);
    } else if (errno != EINTR) {
      fail("read");
    }
  }
  return filled;
}

void write_all(int fd, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      fail("write");
    }
  }
}

}  // namespace

std::string_view ending_of(Compression compression) noexcept {
  switch (compression) {
    case Compression::none: return "";
    case Compression::gzip: return ".gz";
    case Compression::zstd: return ".zst";
  }
  return "";
}

void Compressor::submit(std::uint64_t number, nfbus::util::OutputFolder folder, std::string name) {
  if (!thread_.joinable()) {
    thread_ = std::thread([this] { run(); });
    pthread_setname_np(thread_.native_handle(), "pcap:compress");
  }
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({number, std::move(folder), std::move(name)});
  }
  changed_.notify_all();
}

bool Compressor::forget(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  if (!jobs_.empty() && jobs_.front().number == number) return first_is_unwanted_ = true;
  return std::erase_if(jobs_, [&](const Job& job) { return job.number == number; }) != 0;
}

std::vector<Compressor::Done> Compressor::collect() {
  const std::lock_guard lock(mutex_);
  return std::exchange(done_, {});
}

void Compressor::stop(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return;
  {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return jobs_.empty(); });
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Compressor::run() {
  (void)setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNiceness);  // of this thread alone
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = jobs_.front();
    }
    Done done{.number = job.number, .size_bytes = 0, .error = {}};
    try {
      done = compress(job);
    } catch (const std::exception& error) {
      done.error = "cannot compress " + job.folder.path_of(job.name) + ": " + error.what();
    }
    {
      const std::lock_guard lock(mutex_);
      jobs_.pop_front();
      if (!stopping_ && !first_is_unwanted_) done_.push_back(std::move(done));
      first_is_unwanted_ = false;
    }
    changed_.notify_all();
  }
}

bool Compressor::unwanted() {
  const std::lock_guard lock(mutex_);
  return stopping_ || first_is_unwanted_;
}

// Under the lock: what forget() was told about does not appear after it.
bool Compressor::rename_if_wanted(const Job& job, const std::string& from, const std::string& to) {
  const std::lock_guard lock(mutex_);
  if (stopping_ || first_is_unwanted_) return false;
  if (const int error = job.folder.rename(from, to); error != 0) fail("rename", error);
  return true;
}

Compressor::Done Compressor::compress(const Job& job) {
  Done done{.number = job.number, .size_bytes = 0, .error = {}};
  const Opening from = job.folder.open(job.name, O_RDONLY);
  if (!from.refusal.empty()) throw std::runtime_error(from.refusal);
  if (!from.fd.valid()) fail("open", from.error);
  if (nfbus::util::is_held(from.fd.get())) {
    throw std::runtime_error(nfbus::util::holder_of(from.fd.get()) + " writes to it");
  }
  const std::string final_name = job.name + std::string(ending_of(compression_));
  const std::string name = final_name + std::string(kTemporary);
  (void)job.folder.remove(name);  // left by a crash
  const Opening to = job.folder.make(name, O_WRONLY);
  if (!to.fd.valid()) fail("create", to.error);
  try {
    const std::unique_ptr<Codec> codec = make_codec(compression_);
    Chunk in(kChunkBytes);
    Chunk out;
    for (bool last = false; !last;) {
      if (unwanted()) {
        (void)job.folder.remove(name);
        return done;
      }
      const std::size_t size = read_all(from.fd.get(), in);
      last = size < in.size();
      out.clear();
      codec->feed(std::span(in).first(size), last, out);
      write_all(to.fd.get(), out);
      done.size_bytes += out.size();
    }
    if (fdatasync(to.fd.get()) != 0) fail("sync");  // the file that it replaces goes right after
    if (!rename_if_wanted(job, name, final_name)) {
      (void)job.folder.remove(name);
      return done;
    }
  } catch (...) {
    (void)job.folder.remove(name);
    throw;
  }
  if (const int error = job.folder.remove(job.name); error != 0 && error != ENOENT) fail("remove", error);
  return done;
}

}  // namespace pcapsink
