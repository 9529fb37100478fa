// Two sources of ABI 1.0 in one library: each hands over records and messages, some of them a second time when it was
// full, and waits for a stop.
#include <nfbus/source.hpp>

#include <atomic>
#include <cstring>
#include <stdexcept>

namespace {

// nfgenmsg (IPv4, group 9) and two attributes: the prefix "golden:in " and an IPv4 header alone.
constexpr std::uint8_t kRecord[] = {2,  0,   0,  9,  //
                                    15, 0,   10, 0, 'g', 'o', 'l',  'd', 'e', 'n', ':', 'i', 'n', ' ',
                                    0,  0,   24, 0, 9,   0,   0x45, 0,   0,   20,  0,   1,   0,   0,
                                    64, 253, 0,  0, 192, 0,   2,    1,   198, 51,  100, 1};

class Source {
 public:
  Source(nfbus::Host host, const nfbus::Options& options)
      : taken_(host.counter("taken")), full_(host.counter("full")), records_(options.integer("records")) {}

  void open() {
    if (records_ < 0) throw std::runtime_error("there is nothing to read");
  }

  void run(nfbus::Feed feed) {
    const nfbus_record record{sizeof record, 0, 1'700'000'000'000'000'000, {kRecord, sizeof kRecord}};
    const nfbus_record* const two[] = {&record, &record};
    for (std::int64_t left = records_; left > 0;) {
      const nfbus::Feed::Accepted accepted = feed.records({two, left == 1 ? 1U : 2U});
      if (accepted.full()) full_.add();
      taken_.add(accepted.count);
      left -= accepted.count;
      if (accepted.stopping()) return;
    }
    taken_.add(feed.message("golden:said", "hello").count);
    while (!is_stopped_ && !feed.wait_for_stop(1000)) {
    }
  }

  void stop() { is_stopped_ = true; }
  void close() { taken_.add(100); }
  void diagnose(nfbus::Findings findings) const { findings.error("it has nothing to read", "give it a file"); }

 private:
  const nfbus::Counter taken_;
  const nfbus::Counter full_;
  const std::int64_t records_;
  std::atomic<bool> is_stopped_ = false;
};

constexpr const char* kSchema = R"({"type":"object","properties":{"records":{"type":"integer","default":3}}})";
constexpr std::uint32_t kBoth = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE;

}  // namespace

NFBUS_LIBRARY(nfbus::source<Source>(
                  "golden_source",
                  {.summary = "a source of ABI 1.0", .version = "1.0", .schema = kSchema, .event_kinds = kBoth}),
              nfbus::source<Source>("golden_lossless", {.summary = "a source of ABI 1.0 that can wait",
                                                        .version = "1.0",
                                                        .schema = kSchema,
                                                        .event_kinds = kBoth,
                                                        .lossless = true}))
