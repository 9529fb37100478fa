// Two sources in one library: `feeds`, which does not wait, and `feeds_all`, which is lossless. Each hands over as many
// records and messages as its options say, some of them wrong on request, and then waits for a stop, fails or ends.
#include <nfbus/source.hpp>

#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>

#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

// nfgenmsg (family IPv4, group 9) and two attributes: the prefix and a packet of 20 bytes, an IPv4 header alone.
std::vector<std::uint8_t> record_of(std::uint32_t number) {
  std::vector<std::uint8_t> out = {2, 0, 0, 9};
  const auto add = [&](std::uint16_t type, const std::vector<std::uint8_t>& value) {
    const auto length = static_cast<std::uint16_t>(NLA_HDRLEN + value.size());
    const std::size_t at = out.size();
    out.resize(at + NLA_ALIGN(length));
    std::memcpy(&out[at], &length, sizeof length);
    std::memcpy(&out[at + sizeof length], &type, sizeof type);
    std::memcpy(&out[at + NLA_HDRLEN], value.data(), value.size());
  };
  add(NFULA_PREFIX, {'f', 'e', 'd', ':', 'i', 'n', ' ', 0});
  add(NFULA_PAYLOAD, {0x45,
                      0,
                      0,
                      20,
                      static_cast<std::uint8_t>(number >> 8U),
                      static_cast<std::uint8_t>(number),
                      0,
                      0,
                      64,
                      253,
                      0,
                      0,
                      192,
                      0,
                      2,
                      1,
                      198,
                      51,
                      100,
                      1});
  return out;
}

constexpr std::uint32_t kBatch = 100;

class Feeds {
 public:
  Feeds(nfbus::Host host, const nfbus::Options& options)
      : full_(host.counter("full")),
        records_(options.integer("records")),
        messages_(options.integer("messages")),
        wrong_(options.boolean("wrong")),
        end_(options.text("end")) {}

  void run(nfbus::Feed feed) {
    for (std::int64_t sent = 0; sent < records_;) {
      std::deque<std::vector<std::uint8_t>> bytes;
      std::vector<nfbus_record> records;
      std::vector<const nfbus_record*> items;
      const auto count = static_cast<std::size_t>(std::min<std::int64_t>(kBatch, records_ - sent));
      records.reserve(count);
      for (std::size_t i = 0; i < count; ++i) {
        bytes.push_back(record_of(static_cast<std::uint32_t>(sent) + static_cast<std::uint32_t>(i)));
        records.push_back({sizeof(nfbus_record), 0, 0, {bytes.back().data(), bytes.back().size()}});
        items.push_back(&records.back());
      }
      const nfbus::Feed::Accepted taken = feed.records(items);
      if (taken.full()) full_.add();
      sent += taken.count;
      if (taken.stopping()) return;
    }
    for (std::int64_t sent = 0; sent < messages_;) {
      const nfbus::Feed::Accepted taken = feed.message("fed:number", std::to_string(sent));
      if (taken.full()) full_.add();
      sent += taken.count;
      if (taken.stopping()) return;
    }
    if (wrong_) hand_over_what_is_wrong(feed);
    if (end_ == "fails") throw std::runtime_error("no more to read");
    while (end_ == "waits" && !feed.wait_for_stop(1000)) {
    }
  }

 private:
  static void hand_over_what_is_wrong(nfbus::Feed feed) {
    const std::uint8_t short_bytes[] = {2, 0};
    const nfbus_record cut{sizeof(nfbus_record), 0, 0, {short_bytes, sizeof short_bytes}};
    const nfbus_record none{sizeof(nfbus_record), 0, 0, {nullptr, 9}};
    const nfbus_record* const records[] = {&cut, &none};
    std::ignore = feed.records(records);
    std::ignore = feed.message("nfbus:status", "{}");
    std::ignore = feed.message("nft:drop", "{}");
    std::ignore = feed.message("", "{}");
  }

  const nfbus::Counter full_;
  const std::int64_t records_;
  const std::int64_t messages_;
  const bool wrong_;
  const std::string end_;
};

constexpr const char* kSchema = R"({"type":"object","properties":{
  "records":{"type":"integer","default":0},"messages":{"type":"integer","default":0},
  "wrong":{"type":"boolean","default":false},"end":{"enum":["waits","ends","fails"],"default":"waits"}}})";

}  // namespace

NFBUS_LIBRARY(nfbus::source<Feeds>("feeds", {.summary = "hands over what it is told",
                                             .version = "1.0",
                                             .schema = kSchema,
                                             .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE}),
              nfbus::source<Feeds>("feeds_all", {.summary = "hands over what it is told, and waits for room",
                                                 .version = "1.0",
                                                 .schema = kSchema,
                                                 .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
                                                 .lossless = true}))
