// An anonymiser: the last octets of IPv4 addresses become 0, and of a payload the first bytes are kept.
#include <nfbus/filter.hpp>

#include <array>
#include <cstdint>
#include <string>

namespace {

class Masks {
 public:
  Masks(nfbus::Host /*host*/, const nfbus::Options& options)
      : keep_bytes_(static_cast<std::uint32_t>(options.integer("keep_bytes"))), topic_(options.text("topic")) {}

  void apply(nfbus::Candidates candidates) const {
    constexpr std::array<std::uint8_t, 1> kZero{0};
    for (const nfbus::Candidate candidate : candidates) {
      if (!candidate.event().has_layer(NFBUS_LAYER_IPV4)) continue;
      constexpr std::uint32_t kLastOctets[] = {15, 19};  // of source and destination: RFC 791, section 3.1
      for (const std::uint32_t offset : kLastOctets) candidate.rewrite(NFBUS_PART_PAYLOAD, offset, kZero);
      if (keep_bytes_ != 0) candidate.cut(keep_bytes_);
      if (!topic_.empty()) candidate.set_topic(topic_);
    }
  }

 private:
  const std::uint32_t keep_bytes_;  // 0: all
  const std::string topic_;
};

}  // namespace

NFBUS_FILTER(Masks, "filter_masks",
             {.summary = "masks IPv4 addresses and cuts payloads",
              .version = "1.0",
              .schema = R"({"type":"object","properties":{"keep_bytes":{"type":"integer","minimum":0,"default":0},)"
                        R"("topic":{"type":"string","default":""}}})",
              .annotates = nfbus::kAnnotatesNothing})
