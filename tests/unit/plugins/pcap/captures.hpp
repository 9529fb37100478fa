// What the tests of the pcap sink share: events to write, libpcap and a FIFO's reader to read what was written,
// options.
#pragma once

#include <nfbus/testing/fake_host.hpp>

#include "file_sink_test.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcap/pcap.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nfbus::test {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::IsSupersetOf;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr std::int64_t kFirstTimeNs = 1'700'000'000'123'456'789;

// IP packets whose bytes are the texts: a second apart, of group 1, which blocks, on eth0.
class Packets : public Batch {
 public:
  explicit Packets(const std::vector<std::string>& texts) : Batch(texts) {
    for (std::size_t i = 0; i < texts.size(); ++i) {
      nfbus_event& packet = event(i);
      packet.action = NFBUS_ACTION_BLOCKED;
      packet.group = 1;
      packet.time_ns = kFirstTimeNs + static_cast<std::int64_t>(i) * 1'000'000'000;
      packet.ether_type = 0x0800;
      packet.packet_size = static_cast<std::uint32_t>(texts[i].size());
      packet.record = packet.payload;
      packet.prefix = NFBUS_TEXT("drop:in ");
      packet.in_name = NFBUS_TEXT("eth0");
    }
  }
};

// "<first>", "<first+1>", ...
inline std::vector<std::string> numbered_texts(int first, int count) {
  std::vector<std::string> out;
  out.reserve(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) out.push_back(std::to_string(first + i));
  return out;
}

struct Captured {
  std::string bytes;
  std::int64_t time_ns = 0;
  std::uint32_t original_bytes = 0;
};

struct Capture {
  std::string error;  // why libpcap cannot read it, or not to its end
  int link = -1;      // DLT_*
  std::vector<Captured> packets;

  [[nodiscard]] std::vector<std::string> texts() const {
    std::vector<std::string> out;
    out.reserve(packets.size());
    for (const Captured& packet : packets) out.push_back(packet.bytes);
    return out;
  }
};

inline Capture read_capture(const fs::path& path) {
  Capture out;
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  const std::unique_ptr<pcap_t, void (*)(pcap_t*)> file(
      pcap_open_offline_with_tstamp_precision(path.c_str(), PCAP_TSTAMP_PRECISION_NANO, why.data()), [](pcap_t* open) {
        if (open != nullptr) pcap_close(open);
      });
  if (!file) {
    out.error = why.data();
    return out;
  }
  out.link = pcap_datalink(file.get());
  pcap_pkthdr* header = nullptr;
  const u_char* data = nullptr;
  int got = 0;
  while ((got = pcap_next_ex(file.get(), &header, &data)) == 1) {
    out.packets.push_back({.bytes = {reinterpret_cast<const char*>(data), header->caplen},
                           .time_ns = header->ts.tv_sec * 1'000'000'000 + header->ts.tv_usec,
                           .original_bytes = header->len});
  }
  if (got != PCAP_ERROR_BREAK) out.error = pcap_geterr(file.get());
  return out;
}

// What reads the FIFO: takes in what it gets, never waits.
class Reader {
 public:
  explicit Reader(const fs::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC)) {}
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { leave(); }

  [[nodiscard]] bool is_open() const { return fd_ >= 0; }
  void leave() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }
  // At most so many bytes more.
  void read(std::size_t size_bytes = std::string::npos) {
    std::array<char, 65536> buffer{};
    while (size_bytes != 0) {
      const ssize_t got = ::read(fd_, buffer.data(), std::min(size_bytes, buffer.size()));
      if (got <= 0) return;
      text_.append(buffer.data(), static_cast<std::size_t>(got));
      size_bytes -= static_cast<std::size_t>(got);
    }
  }
  // All that it got, as a file.
  Capture capture(const fs::path& path) {
    read();
    write_file(path, text_);
    return read_capture(path);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  int fd_;
  std::string text_;
};

class PcapTest : public FileSinkTest {
 protected:
  // The defaults of the schema, with some values changed.
  [[nodiscard]] Values options(const Values& changes = {}) const {
    Values out{{"/file", file().string()},
               {"/format", "pcap"},
               {"/link", "raw"},
               {"/headerless", "skip"},
               {"/precision", "ns"},
               {"/flush_ms", std::int64_t{20}},
               {"/rotate_bytes", std::int64_t{0}},
               {"/rotate_age_s", std::int64_t{0}},
               {"/rotate_packets", std::int64_t{0}},
               {"/max_files", std::int64_t{0}},
               {"/max_total_bytes", std::int64_t{0}},
               {"/min_free_bytes", std::int64_t{0}},
               {"/compress", "none"},
               {"/fifo", false},
               {"/before", std::int64_t{2}},
               {"/after", std::int64_t{3}},
               {"/context_bytes", std::int64_t{1} << 20},
               {"/fsync", false}};
    for (const auto& [key, value] : changes) out[key] = value;
    return out;
  }
  [[nodiscard]] fs::path file() const { return folder_ / "out.pcap"; }
  [[nodiscard]] fs::path path(const std::string& name) const { return folder_ / name; }
  // Sorted names.
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_)) out.push_back(entry.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }

  // False when it has not come true within 20 seconds, or a tick failed.
  static bool ticks_until(SinkDriver& sink, const std::function<bool()>& is_true) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!is_true()) {
      if (sink.tick() != NFBUS_OK || std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }
};

}  // namespace nfbus::test
