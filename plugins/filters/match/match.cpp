// The filter `match`: what no table of `keep` is about is dropped, and of the rest what a table of `drop` is about.
#include <nfbus/filter.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "keep": {"type": "array", "items": {"type": "object", "x-match": true},
             "description": "events that are kept; without it: all"},
    "drop": {"type": "array", "items": {"type": "object", "x-match": true},
             "description": "events that are dropped from those kept"}
  }
})";

// The tables of one key, and a counter for each.
class Tables {
 public:
  // counter_name: "kept_by_" of "kept_by_1".
  Tables(nfbus::Host host, const nfbus::Options& options, std::string_view key, std::string_view counter_name) {
    const std::size_t count = options.count(key);
    if (count == 0) return;
    match_ = host.match(options.json(key));
    counts_.resize(count);
    counters_.reserve(count);
    for (std::size_t i = 1; i <= count; ++i) {
      counters_.push_back(host.counter(std::string(counter_name) + std::to_string(i)));
    }
  }

  [[nodiscard]] bool empty() const { return counters_.empty(); }
  [[nodiscard]] bool hold(nfbus::Event event) {
    const std::uint32_t number = match_.first(event);
    if (number == 0) return false;
    ++counts_[number - 1];
    return true;
  }
  // Once a batch: the host's counters are shared.
  void count() {
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] == 0) continue;
      counters_[i].add(counts_[i]);
      counts_[i] = 0;
    }
  }

 private:
  nfbus::Match match_;
  std::vector<nfbus::Counter> counters_;
  std::vector<std::uint64_t> counts_;  // since count()
};

class MatchFilter {
 public:
  MatchFilter(nfbus::Host host, const nfbus::Options& options)
      : keep_(host, options, "keep", "kept_by_"), drop_(host, options, "drop", "dropped_by_") {}

  void apply(nfbus::Candidates candidates) {
    for (const nfbus::Candidate candidate : candidates) {
      const nfbus::Event event = candidate.event();
      const bool kept = keep_.empty() || keep_.hold(event);
      if (!kept || drop_.hold(event)) candidate.drop();
    }
    keep_.count();
    drop_.count();
  }

 private:
  Tables keep_;
  Tables drop_;
};

}  // namespace

NFBUS_FILTER(MatchFilter, "match",
             {.summary = "keeps and drops events by tables of conditions",
              .version = "1.0",
              .schema = kSchema,
              .event_kinds = NFBUS_EVENT_PACKET | NFBUS_EVENT_MESSAGE,
              .annotates = nfbus::kAnnotatesNothing})
