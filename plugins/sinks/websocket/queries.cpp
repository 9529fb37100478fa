#include "queries.hpp"

#include "json_text.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <stdexcept>
#include <utility>
#include <vector>

namespace websocket {
namespace {

constexpr std::size_t kMostPreviewRows = 50;
constexpr std::size_t kMostOfHost = 100;  // ports, topics and so on, those that came most often
constexpr std::size_t kMostKeys = 4096;   // counted
constexpr std::size_t kPartBytes = 256U << 10U;
constexpr unsigned kLookAtClock = 16;  // events

// visit(event) of a kept one, where the match holds.
template <typename Visit>
void visit_kept(Board& board, const SharedMatch& match, std::uint64_t number, Visit visit) {
  const std::span<const std::uint8_t> record = board.history().record(number);
  if (record.empty()) return;
  const nfbus::EventCopy copy = board.host().event_of(record);
  if (!match || (*match)(copy.event())) visit(copy.event());
}

// Goes over kept events from the newest to the oldest, in pieces.
class Scan {
 public:
  // end: the number behind the first one that is looked at.
  Scan(Board& board, SharedMatch match, std::uint64_t end) : board_(board), match_(std::move(match)), next_(end) {}

  // visit(number, event) of each event for which the match holds, until it returns false. Returns whether the scan is
  // over: by the visit, or at the oldest event. visit_loss(loss) likewise, where there is no match.
  template <typename Visit, typename VisitLoss>
  bool go(Jobs::Clock::time_point until, Visit visit, VisitLoss visit_loss) {
    const History& history = board_.history();
    next_ = std::min(next_, history.end());
    for (unsigned i = 1; next_ > history.oldest(); ++i) {
      if (i % kLookAtClock == 0 && Jobs::Clock::now() >= until) return false;
      --next_;
      bool goes_on = true;
      visit_kept(board_, match_, next_, [&](nfbus::Event event) { goes_on = visit(next_, event); });
      if (const OwnLoss* const loss = match_ ? nullptr : board_.own_loss(next_); loss != nullptr)
        goes_on = visit_loss(*loss);
      if (!goes_on) return true;
    }
    is_at_oldest_ = true;
    return true;
  }

  template <typename Visit>
  bool go(Jobs::Clock::time_point until, Visit visit) {
    return go(until, visit, [](const OwnLoss&) { return true; });
  }

  [[nodiscard]] bool is_at_oldest() const noexcept { return is_at_oldest_; }

 private:
  Board& board_;
  const SharedMatch match_;
  std::uint64_t next_;
  bool is_at_oldest_ = false;
};

template <typename Key>
using Counts = std::map<Key, std::uint64_t>;

template <typename Key>
void count(Counts<Key>& counts, const Key& key) {
  if (const auto found = counts.find(key); found != counts.end()) {
    ++found->second;
  } else if (counts.size() < kMostKeys) {
    counts.emplace(key, 1);
  }
}

// append(out, key, count) of those that came most often.
template <typename Key, typename Append>
void append_counts(std::string& out, std::string_view name, const Counts<Key>& counts, Append append) {
  std::vector<std::pair<Key, std::uint64_t>> sorted(counts.begin(), counts.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.second > b.second; });
  if (sorted.size() > kMostOfHost) sorted.resize(kMostOfHost);
  out += ",\"";
  out += name;
  out += "\":[";
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    out += i == 0 ? "{" : ",{";
    append(out, sorted[i].first);
    out += ",\"count\":";
    append_number(out, sorted[i].second);
    out += '}';
  }
  out += ']';
}

void append_name(std::string& out, std::string_view name) {
  if (name.empty()) {
    out += "null";
  } else {
    append_quoted(out, name);
  }
}

struct HostPort {
  std::string protocol;
  std::uint16_t port;
  bool is_its_own;
  auto operator<=>(const HostPort&) const = default;  // NOLINT(modernize-use-nullptr): in what it makes
};

// What is known of one address, over the kept events.
class HostPage {
 public:
  HostPage(Board& board, std::string address, SharedMatch match)
      : board_(board), address_(std::move(address)), scan_(board, std::move(match), board.history().end()) {
    std::array<std::uint8_t, 16> room{};
    const bool is_six = inet_pton(AF_INET6, address_.c_str(), room.data()) == 1;
    if (!is_six) inet_pton(AF_INET, address_.c_str(), room.data());
    bytes_.assign(room.begin(), room.begin() + (is_six ? 16 : 4));
  }

  bool go(Jobs::Clock::time_point until) {
    return scan_.go(until, [this](std::uint64_t, nfbus::Event event) {
      add(event);
      return true;
    });
  }

  [[nodiscard]] std::string json() const {
    std::string out = R"({"address":)";
    append_quoted(out, address_);
    out += R"(,"name":)";
    append_name(out, board_.devices().name_of(bytes_));
    out += R"(,"macs":[)";
    for (std::size_t i = 0; i < macs_.size(); ++i) {
      if (i != 0) out += ',';
      append_quoted(out, macs_[i]);
    }
    out += ']';
    const Seen seen = board_.devices().seen(bytes_);
    for (const auto& [key, time_ns] : {std::pair("first_ms", seen.first_ns), std::pair("last_ms", seen.last_ns),
                                       std::pair("kept_since_ms", board_.history().oldest_ns())}) {
      out += ",\"";
      out += key;
      out += "\":";
      append_ms(out, time_ns);
    }
    for (const auto& [key, value] : {std::pair("in", in_), std::pair("out", out_), std::pair("allowed", allowed_),
                                     std::pair("blocked", blocked_)}) {
      out += ",\"";
      out += key;
      out += "\":";
      append_number(out, value);
    }
    append_counts(out, "domains", domains_, [](std::string& to, const std::string& domain) {
      to += "\"name\":";
      append_quoted(to, domain);
    });
    append_counts(out, "ports", ports_, [](std::string& to, const HostPort& port) {
      to += "\"proto\":";
      append_quoted(to, port.protocol);
      to += ",\"port\":";
      append_number(to, port.port);
      to += port.is_its_own ? R"(,"direction":"to")" : R"(,"direction":"from")";
    });
    append_counts(out, "topics", topics_, [](std::string& to, const std::string& topic) {
      to += "\"topic\":";
      append_quoted(to, topic);
    });
    append_counts(out, "peers", peers_, [this](std::string& to, const Bytes& peer) {
      to += "\"address\":";
      append_quoted(to, nfbus::AddressText(peer));
      to += ",\"name\":";
      append_name(to, board_.devices().name_of(peer));
    });
    out += '}';
    return out;
  }

 private:
  using Bytes = std::vector<std::uint8_t>;
  static constexpr std::size_t kMostMacs = 16;

  void add(nfbus::Event event) {
    const bool is_source = std::ranges::equal(event.source_bytes(), bytes_);
    if (is_source) ++out_;
    if (std::ranges::equal(event.destination_bytes(), bytes_)) ++in_;
    ++(event.action() == nfbus::Action::blocked ? blocked_ : allowed_);
    count(topics_, std::string(event.topic()));
    const std::span<const std::uint8_t> peer = is_source ? event.destination_bytes() : event.source_bytes();
    count(peers_, Bytes(peer.begin(), peer.end()));
    if (const auto port = event.destination_port()) {
      std::string room;
      count(ports_, HostPort{std::string(protocol_name(event, room)), *port, !is_source});
    }
    const std::string_view domain = domain_of(event, is_source ? "RecentDomainSrc" : "RecentDomainDst");
    if (!domain.empty()) count(domains_, std::string(domain));
    if (is_source && event.has_layer(NFBUS_LAYER_ETHERNET) && macs_.size() < kMostMacs) {
      std::string mac = mac_text(event.hw_header().subspan(6, 6));
      if (std::ranges::find(macs_, mac) == macs_.end()) macs_.push_back(std::move(mac));
    }
  }

  Board& board_;
  const std::string address_;
  Bytes bytes_;
  Scan scan_;
  std::uint64_t in_ = 0;
  std::uint64_t out_ = 0;
  std::uint64_t allowed_ = 0;
  std::uint64_t blocked_ = 0;
  std::vector<std::string> macs_;
  Counts<std::string> domains_;
  Counts<HostPort> ports_;
  Counts<std::string> topics_;
  Counts<Bytes> peers_;
};

// A capture file of kernel records, which tcpdump and Wireshark know (LINKTYPE_NFLOG): nothing of an event is lost, its
// prefix and devices neither. draft-ietf-opsawg-pcap, with nanoseconds.
constexpr std::uint32_t kPcapMagic = 0xa1b23c4d;
constexpr std::uint32_t kLinkTypeNflog = 239;
constexpr std::uint32_t kMostPacketBytes = 262144;

template <typename T>
void append_raw(std::string& out, T value) {
  std::array<char, sizeof value> bytes{};
  std::memcpy(bytes.data(), &value, sizeof value);
  out.append(bytes.data(), bytes.size());
}

void append_pcap_header(std::string& out) {
  append_raw(out, kPcapMagic);
  append_raw(out, std::uint16_t{2});
  append_raw(out, std::uint16_t{4});
  append_raw(out, std::uint32_t{0});
  append_raw(out, std::uint32_t{0});
  append_raw(out, kMostPacketBytes);
  append_raw(out, kLinkTypeNflog);
}

void append_pcap(std::string& out, nfbus::Event event) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const nfbus_bytes record = event.raw()->record;
  const auto size = static_cast<std::uint32_t>(record.size);
  append_raw(out, static_cast<std::uint32_t>(event.time_ns() / kSecond));
  append_raw(out, static_cast<std::uint32_t>(event.time_ns() % kSecond));
  append_raw(out, size);
  append_raw(out, size + (event.size_bytes() - static_cast<std::uint32_t>(event.payload().size())));
  out.append(reinterpret_cast<const char*>(record.data), record.size);
}

}  // namespace

Jobs::Job rows_query(Board& board, SharedMatch match, std::optional<std::uint64_t> before, std::size_t most,
                     Reply reply) {
  struct Query {
    std::optional<Scan> scan;
    std::string rows;
    std::size_t count = 0;
    std::uint64_t oldest = 0;
    std::uint64_t newest = 0;
    std::uint64_t end = 0;
  };
  auto query = std::make_shared<Query>();
  return [&board, match = std::move(match), before, most, reply = std::move(reply), query](auto until) {
    if (!query->scan) {
      query->end = board.history().end();
      query->scan.emplace(board, match, before.value_or(query->end));
    }
    const auto take = [&](std::uint64_t number, const auto& append) {
      if (query->count == most) return false;
      if (query->count++ == 0) query->newest = number;
      query->oldest = number;
      if (!query->rows.empty()) query->rows += ',';
      append(query->rows);
      return true;
    };
    const bool is_over = query->scan->go(
        until,
        [&](std::uint64_t number, nfbus::Event event) {
          return take(number, [&](std::string& rows) { board.rows().append_json(rows, number, event); });
        },
        [&](const OwnLoss& loss) { return take(loss.number, [&](std::string& rows) { append_row(rows, loss); }); });
    if (!is_over) return false;
    std::string out = "{\"rows\":[" + query->rows + "],\"is_end\":";
    out += query->scan->is_at_oldest() ? "true" : "false";
    out += ",\"oldest\":" + std::to_string(query->oldest) + ",\"newest\":" + std::to_string(query->newest) +
           ",\"kept_from\":" + std::to_string(board.history().oldest()) + ",\"end\":" + std::to_string(query->end) +
           '}';
    reply(json_response(std::move(out)));
    return true;
  };
}

Jobs::Job event_query(Board& board, std::uint64_t number, Reply reply) {
  return [&board, number, reply = std::move(reply)](auto) {
    const std::span<const std::uint8_t> record = board.history().record(number);
    if (record.empty()) {
      reply(refusal(404, "this event is not kept"));
      return true;
    }
    const nfbus::EventCopy copy = board.host().event_of(record);
    const nfbus::Event event = copy.event();
    std::string out = "{\"id\":" + std::to_string(number) + ",\"topic\":";
    append_quoted(out, event.topic());
    out += R"(,"time_ns":")" + std::to_string(event.time_ns()) + R"(","event":)";
    out += board.render(event, TextFormat::packet);
    out += ",\"ulogd\":";
    const std::string_view ulogd = event.is_packet() ? board.render(event, TextFormat::ulogd) : std::string_view();
    out += ulogd.empty() ? std::string_view("null") : ulogd;
    out += '}';
    reply(json_response(std::move(out)));
    return true;
  };
}

Jobs::Job host_query(Board& board, std::string address, SharedMatch of_address, Reply reply) {
  auto page = std::make_shared<std::unique_ptr<HostPage>>();
  return [&board, address = std::move(address), match = std::move(of_address), reply = std::move(reply),
          page](auto until) {
    if (!*page) *page = std::make_unique<HostPage>(board, address, match);
    if (!(*page)->go(until)) return false;
    reply(json_response((*page)->json()));
    return true;
  };
}

Jobs::Job preview_query(Board& board, std::string rule, Reply reply) {
  struct Query {
    std::unique_ptr<rules::Trial> trial;
    std::uint64_t next = 0;
    std::uint64_t end = 0;
    std::uint64_t scanned = 0;
    std::uint64_t matched = 0;
    std::deque<std::string> rows;  // of the newest
  };
  auto query = std::make_shared<Query>();
  return [&board, rule = std::move(rule), reply = std::move(reply), query](auto until) {
    const History& history = board.history();
    if (!query->trial) {
      try {
        query->trial = board.rules().try_rule(rule);
      } catch (const std::invalid_argument& wrong) {
        reply(refusal(400, wrong.what()));
        return true;
      }
      query->next = history.oldest();
      query->end = history.end();
    }
    // In their order: what is first seen depends on it.
    query->next = std::max(query->next, history.oldest());
    for (unsigned i = 1; query->next < query->end; ++query->next, ++query->scanned, ++i) {
      if (i % kLookAtClock == 0 && Jobs::Clock::now() >= until) return false;
      visit_kept(board, nullptr, query->next, [&](nfbus::Event event) {
        if (!query->trial->matches(event)) return;
        ++query->matched;
        board.rows().append_json(query->rows.emplace_back(), query->next, event);
        if (query->rows.size() > kMostPreviewRows) query->rows.pop_front();
      });
    }
    std::string out = R"({"matched":)" + std::to_string(query->matched) + R"(,"scanned":)" +
                      std::to_string(query->scanned) + R"(,"oldest_ms":)";
    append_ms(out, history.oldest_ns());
    out += R"(,"rows":[)";
    for (auto row = query->rows.rbegin(); row != query->rows.rend(); ++row) {
      if (row != query->rows.rbegin()) out += ',';
      out += *row;
    }
    out += "]}";
    reply(json_response(std::move(out)));
    return true;
  };
}

namespace {

// Counts the rows between two numbers, without both.
class RowCount {
 public:
  RowCount(Board& board, SharedMatch match, std::uint64_t after, std::uint64_t before)
      : scan_(board, std::move(match), before), after_(after) {}

  bool go(Jobs::Clock::time_point until) {
    const auto take = [this](std::uint64_t number) {
      if (number <= after_) return false;
      ++count_;
      return true;
    };
    return scan_.go(
        until, [&](std::uint64_t number, nfbus::Event) { return take(number); },
        [&](const OwnLoss& loss) { return take(loss.number); });
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }

 private:
  Scan scan_;
  const std::uint64_t after_;
  std::uint64_t count_ = 0;
};

}  // namespace

Jobs::Job count_query(Board& board, SharedMatch match, std::uint64_t after, std::uint64_t before, Reply reply) {
  auto counted = std::make_shared<RowCount>(board, std::move(match), after, before);
  return [&board, reply = std::move(reply), counted](auto until) {
    if (!counted->go(until)) return false;
    reply(json_response("{\"count\":" + std::to_string(counted->count()) +
                        ",\"kept_from\":" + std::to_string(board.history().oldest()) + '}'));
    return true;
  };
}

Jobs::Job missed_query(Board& board, SharedMatch match, std::uint64_t since, ViewId view) {
  struct Query {
    std::optional<RowCount> counted;
    std::uint64_t matched = 0;
  };
  auto query = std::make_shared<Query>();
  return [&board, match = std::move(match), since, view, query](auto until) {
    if (!query->counted) {
      query->counted.emplace(board, match, since, board.history().end());
      query->matched = board.matched(view);
    }
    if (!query->counted->go(until)) return false;
    board.tell(view, make_text("{\"missed\":" + std::to_string(query->counted->count()) + ",\"since\":" +
                               std::to_string(since) + ",\"matched\":" + std::to_string(query->matched) + '}'));
    return true;
  };
}

void Export::append(nfbus::Event event) {
  switch (format_) {
    case ExportFormat::jsonl:
      part_ += board_.render(event, TextFormat::packet);
      part_ += '\n';
      break;
    case ExportFormat::csv: board_.rows().append_csv(part_, event); break;
    case ExportFormat::pcap:
      if (event.is_packet()) append_pcap(part_, event);
      break;
  }
}

bool Export::make_part(Jobs::Clock::time_point until, const TakePart& take) {
  const History& history = board_.history();
  if (next_ == 0) {
    next_ = history.oldest();
    end_ = history.end();
    if (format_ == ExportFormat::csv) part_ += Rows::kCsvHeader;
    if (format_ == ExportFormat::pcap) append_pcap_header(part_);
  }
  // What was to be sent has made room for newer events: the reader is too slow, and must not take this for all.
  if (next_ < history.oldest()) return true;
  for (unsigned i = 1; next_ < end_ && part_.size() < kPartBytes; ++next_, ++i) {
    if (i % kLookAtClock == 0 && Jobs::Clock::now() >= until) return false;
    visit_kept(board_, match_, next_, [this](nfbus::Event event) { append(event); });
  }
  take(std::exchange(part_, {}), next_ >= end_);
  return true;
}

}  // namespace websocket
