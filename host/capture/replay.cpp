#include "capture/replay.hpp"

#include "capture/chunk.hpp"
#include "capture/frame.hpp"
#include "capture/intake.hpp"
#include "support/system_error.hpp"

#include <pcap/pcap.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace nfbus::host {

namespace {

struct ClosePcap {
  void operator()(pcap_t* file) const noexcept { pcap_close(file); }
};
using PcapFile = std::unique_ptr<pcap_t, ClosePcap>;

class ReplaySource final : public Source {
 public:
  ReplaySource(std::string name, PcapFile file, LinkLayer layer, std::uint16_t group, std::vector<CaptureSpec> captures,
               const SourceContext& context)
      : file_name_(std::move(name)),
        file_(std::move(file)),
        layer_(layer),
        group_(group),
        intake_(std::move(captures), context, context.publish_when_room, Intake::Losses::ignored, nullptr) {}

  [[nodiscard]] std::string_view name() const noexcept override { return "replay"; }
  [[nodiscard]] bool lossless() const noexcept override { return true; }
  [[nodiscard]] bool reloadable() const noexcept override { return false; }

  Result<void> run() override {
    auto read = read_to_the_end();
    intake_.finish();
    return read;
  }

  void stop() noexcept override { stopping_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] SourceSnapshot counters() const override { return sum_of(name(), intake_.snapshots()); }

  [[nodiscard]] std::vector<CaptureSnapshot> snapshots() const override { return intake_.snapshots(); }

 private:
  Result<void> read_to_the_end() {
    while (!stopping_.load(std::memory_order_relaxed)) {
      pcap_pkthdr* header = nullptr;
      const u_char* data = nullptr;
      const int got = pcap_next_ex(file_.get(), &header, &data);
      if (got == 1) {
        chunk_.append({.layer = layer_,
                       .bytes = {data, header->caplen},
                       .group = group_,
                       .time_ns = header->ts.tv_sec * 1'000'000'000LL + header->ts.tv_usec});
        continue;
      }
      chunk_.publish();
      if (got == PCAP_ERROR_BREAK) return {};  // the end of the file
      return Error{.code = Code::io, .text = fmt::format("{}: {}", file_name_, pcap_geterr(file_.get()))};
    }
    chunk_.publish();
    return {};
  }

  const std::string file_name_;
  const PcapFile file_;
  const LinkLayer layer_;
  const std::uint16_t group_;
  Intake intake_;
  RecordChunk chunk_{intake_};
  std::atomic<bool> stopping_{false};
};

}  // namespace

// Opened by us rather than by libpcap, for the errno behind the failure.
Result<ReplayFile> ReplayFile::open(const std::string& name) {
  ReplayFile file{.name = name, .stream = Stream(std::fopen(name.c_str(), "rbe"))};
  if (file.stream) return file;
  const int error = errno;
  return system_error(name, error, error == ENOENT ? Code::not_found : error == EACCES ? Code::refused : Code::io);
}

Result<std::unique_ptr<Source>> open_replay(ReplayFile file, std::vector<CaptureSpec> captures,
                                            const SourceContext& context) {
  std::array<char, PCAP_ERRBUF_SIZE> why{};
  PcapFile pcap(pcap_fopen_offline_with_tstamp_precision(file.stream.get(), PCAP_TSTAMP_PRECISION_NANO, why.data()));
  if (!pcap) {
    return Error{.code = Code::invalid, .text = fmt::format("{}: not a pcap file: {}", file.name, why.data())};
  }
  static_cast<void>(file.stream.release());  // pcap_close() closes it
  const int dlt = pcap_datalink(pcap.get());
  const auto layer = link_layer(dlt);
  if (!layer) {
    const char* const name = pcap_datalink_val_to_name(dlt);
    return Error{.code = Code::invalid,
                 .text = fmt::format("{}: cannot read link type {} ({}); known are RAW, IPV4, IPV6, EN10MB, LINUX_SLL, "
                                     "LINUX_SLL2 and NFLOG",
                                     file.name, dlt, name != nullptr ? name : "unknown")};
  }
  if (captures.empty()) captures.emplace_back();  // group 0, allowed
  const std::uint16_t group = captures.front().config.group;
  return std::unique_ptr<Source>(std::make_unique<ReplaySource>(std::move(file.name), std::move(pcap), *layer, group,
                                                                std::move(captures), context));
}

}  // namespace nfbus::host
