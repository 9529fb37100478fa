// Knows from DNS answers which name an address was looked up by, and says so of later packets.
#include "answers.hpp"
#include "message.hpp"
#include "names.hpp"

#include <nfbus/filter.hpp>

#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "max_entries": {"type": "integer", "minimum": 1, "maximum": 16777216, "default": 65536,
                    "description": "addresses remembered at most; those taught the longest time ago are forgotten"},
    "min_ttl_s": {"type": "integer", "minimum": 0, "maximum": 604800, "default": 0, "x-unit": "s",
                  "description": "a name is remembered at least so long, whatever its record says"},
    "max_ttl_s": {"type": "integer", "minimum": 1, "maximum": 31536000, "default": 604800, "x-unit": "s",
                  "description": "and at most so long"}
  }
})";

constexpr nfbus_text kSource = NFBUS_TEXT("RecentDomainSrc");
constexpr nfbus_text kDestination = NFBUS_TEXT("RecentDomainDst");
constexpr nfbus_text kAnnotates[] = {kSource, kDestination};

constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kMdnsPort = 5353;
constexpr std::uint16_t kClassIn = 1;
constexpr std::uint16_t kMdnsClassMask = 0x7fff;  // the top bit means "flush" there: RFC 6762, section 10.2

class DnsNames {
 public:
  DnsNames(nfbus::Host host, const nfbus::Options& options)
      : host_(host),
        annotated_(host.counter("annotated")),
        learned_(host.counter("learned")),
        forgotten_(host.counter("forgotten")),
        malformed_(host.counter("malformed")),
        names_({.max_entries = static_cast<std::size_t>(options.integer("max_entries")),
                .min_ttl_s = options.integer("min_ttl_s"),
                .max_ttl_s = options.integer("max_ttl_s")}) {
    if (options.integer("min_ttl_s") > options.integer("max_ttl_s")) {
      throw std::invalid_argument("min_ttl_s is larger than max_ttl_s");
    }
    host.listen("dns:serve:");
  }

  void apply(nfbus::Candidates candidates) {
    std::uint64_t annotated = 0;
    for (const nfbus::Candidate candidate : candidates) {
      const nfbus::Event event = candidate.event();
      now_ns_ = event.time_ns();
      if (!names_.empty()) annotated += annotate(candidate, event) ? 1 : 0;
      if (teaches(event)) learn(event);
    }
    if (annotated != 0) annotated_.add(annotated);
    count();
  }

  void hear(nfbus::Events messages) {
    std::uint64_t malformed = 0;
    for (const nfbus::Event message : messages) {
      now_ns_ = message.time_ns();
      malformed += dnsnames::learn_message(message.text(), now_ns_, names_) ? 0 : 1;
    }
    if (malformed != 0) malformed_.add(malformed);
    count();
  }

  void tick() { names_.drop_expired(now_ns_); }

 private:
  bool annotate(nfbus::Candidate candidate, nfbus::Event event) {
    const std::string_view source = name_of(event.source_bytes());
    const std::string_view destination = name_of(event.destination_bytes());
    if (!source.empty()) candidate.annotate(nfbus::to_view(kSource), source);
    if (!destination.empty()) candidate.annotate(nfbus::to_view(kDestination), destination);
    return !source.empty() || !destination.empty();
  }
  std::string_view name_of(std::span<const std::uint8_t> address) {
    return address.empty() ? std::string_view() : names_.find(address, now_ns_);
  }

  // From a server's port, as far as the firewall let it in: what was blocked reached nobody, and whoever sent it may
  // not name the addresses of others.
  static bool teaches(nfbus::Event event) {
    const std::uint16_t port = event.source_port().value_or(0);
    return (port == kDnsPort || port == kMdnsPort) && event.action() != nfbus::Action::blocked;
  }

  void learn(nfbus::Event event) {
    const std::optional<nfbus::Dns> message = host_.dns(event);
    if (!message || !message->is_response() || message->opcode() != 0 || message->response_code() != 0) return;
    const bool multicast = event.source_port() == kMdnsPort;
    std::optional<nfbus::DnsRecord> question;
    records_.clear();
    for (const nfbus::DnsRecord record : *message) {
      if ((record.dns_class() & (multicast ? kMdnsClassMask : UINT16_MAX)) != kClassIn) continue;
      if (record.is_question() && !question) question = record;
      if (!record.is_answer() && !(multicast && record.section() == nfbus::DnsSection::additional)) continue;
      records_.push_back({.type = record.type(),
                          .ttl_s = record.ttl_s(),
                          .owner = record.name(),
                          .address = record.address_bytes(),
                          .target = record.target()});
    }
    if (multicast) {
      dnsnames::learn_announcement(records_, now_ns_, names_);
    } else if (question) {
      dnsnames::learn_answer(question->name(), records_, now_ns_, names_);
    }
  }

  void count() {
    if (const std::uint64_t more = names_.learned() - counted_learned_; more != 0) learned_.add(more);
    if (const std::uint64_t more = names_.forgotten() - counted_forgotten_; more != 0) forgotten_.add(more);
    counted_learned_ = names_.learned();
    counted_forgotten_ = names_.forgotten();
  }

  const nfbus::Host host_;
  const nfbus::Counter annotated_;
  const nfbus::Counter learned_;
  const nfbus::Counter forgotten_;
  const nfbus::Counter malformed_;
  dnsnames::Names names_;
  std::int64_t now_ns_ = 0;  // of the newest packet or message
  std::uint64_t counted_learned_ = 0;
  std::uint64_t counted_forgotten_ = 0;
  std::vector<dnsnames::Record> records_;  // scratch
};

}  // namespace

NFBUS_FILTER(DnsNames, "dnsnames",
             {.summary = "names the addresses of packets by the DNS answers before them",
              .version = "1.0",
              .schema = kSchema,
              .shape = {.tick_ms = 1000},
              .annotates = kAnnotates})
