#include "cli/tap/output.hpp"

#include "cli/colour.hpp"
#include "cli/write_out.hpp"
#include "formats/json_writer.hpp"
#include "formats/line.hpp"

#include <nfbus/util/json_levels.hpp>

#include <nlohmann/json.hpp>

#include <pcap/pcap.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>

namespace nfbus::host {

namespace {

using Json = nlohmann::ordered_json;

// The value alone, a line each: JSON as it came, but for characters that hide; other texts as JSON strings.
class JsonOutput final : public TapOutput {
 public:
  [[nodiscard]] std::string_view format() const noexcept override { return "packet"; }
  bool show(const ReceivedEvent& received) override {
    const std::string& value = received.value();
    const bool may_be_json = !util::is_nested_deeper(value) && value.find('\0') == std::string::npos;
    const bool one_line = value.find_first_of("\r\n") == std::string::npos;
    if (may_be_json && one_line && Json::accept(value)) {
      text_ += json::shown(value);
    } else {
      const Json parsed = may_be_json ? Json::parse(value, nullptr, false) : Json(Json::value_t::discarded);
      text_ += json::shown(
          (parsed.is_discarded() ? Json(value) : parsed).dump(-1, ' ', false, Json::error_handler_t::replace));
    }
    text_ += '\n';
    return true;
  }
  bool flush() override {
    const bool written = write_out(text_);
    text_.clear();
    return written;
  }

 private:
  std::string text_;
};

class LineOutput final : public TapOutput {
 public:
  [[nodiscard]] std::string_view format() const noexcept override { return "record"; }
  bool show(const ReceivedEvent& received) override {
    lines_.append(received.event(), text_);
    return true;
  }
  bool flush() override {
    const bool written = write_out(text_.view());
    text_.clear();
    return written;
  }

 private:
  LineFormat lines_{stdout_wants_colour()};
  TextBuffer text_;
};

// A pcap file with DLT_NFLOG records on standard output; its header comes at once, so that readers can begin.
class PcapOutput final : public TapOutput {
 public:
  [[nodiscard]] std::string_view format() const noexcept override { return "record"; }
  bool show(const ReceivedEvent& received) override {
    const nfbus_event& packet = received.event();
    if (dumper_ == nullptr || packet.kind != NFBUS_EVENT_PACKET) return false;
    pcap_pkthdr header{};
    // What lies beyond 2106 is as late as such a file can say.
    header.ts.tv_sec =
        std::min<std::int64_t>(packet.time_ns / 1'000'000'000, std::numeric_limits<std::uint32_t>::max());
    header.ts.tv_usec = packet.time_ns % 1'000'000'000;  // ns, as the file's precision says
    header.caplen = static_cast<bpf_u_int32>(packet.record.size);
    // The message is whole, whatever snaplen cut in it: Wireshark shows no packet in one that lacks something.
    header.len = header.caplen;
    ::pcap_dump(reinterpret_cast<u_char*>(dumper_.get()), &header, packet.record.data);
    return true;
  }
  bool flush() override { return dumper_ != nullptr && ::pcap_dump_flush(dumper_.get()) == 0; }

 private:
  struct Close {
    void operator()(pcap_t* pcap) const noexcept { ::pcap_close(pcap); }
    void operator()(pcap_dumper_t* dumper) const noexcept { ::pcap_dump_close(dumper); }
  };
  static constexpr int kSnaplen = 262144;

  const std::unique_ptr<pcap_t, Close> pcap_{
      ::pcap_open_dead_with_tstamp_precision(DLT_NFLOG, kSnaplen, PCAP_TSTAMP_PRECISION_NANO)};
  const std::unique_ptr<pcap_dumper_t, Close> dumper_{::pcap_dump_fopen(pcap_.get(), stdout)};
};

}  // namespace

std::unique_ptr<TapOutput> make_tap_output(const TapOptions& options) {
  if (options.pcap_file) return std::make_unique<PcapOutput>();
  if (options.json) return std::make_unique<JsonOutput>();
  return std::make_unique<LineOutput>();
}

}  // namespace nfbus::host
