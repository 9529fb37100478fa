// Brings the points of one write() to the server, as several requests at once, and finds out what became of each.
#pragma once

#include "../../lib/http/client.hpp"
#include "../../lib/http/gzip.hpp"
#include "answer.hpp"
#include "server.hpp"
#include "settings.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace influx {

// Points as lines of one text. ends: where each ends in it.
struct Lines {
  std::string_view text;
  std::span<const std::size_t> ends;

  [[nodiscard]] std::size_t size() const noexcept { return ends.size(); }
  [[nodiscard]] std::size_t begin_of(std::size_t index) const noexcept { return index == 0 ? 0 : ends[index - 1]; }
  [[nodiscard]] std::string_view operator[](std::size_t index) const noexcept {
    return text.substr(begin_of(index), ends[index] - begin_of(index));
  }
};

// What became of the points.
struct Outcome {
  enum class Of : std::uint8_t { open = 1, delivered, refused };

  std::vector<Of> of;                                          // each point; `open`: it comes again
  std::vector<std::pair<std::uint32_t, std::string>> refused;  // with the reason
  std::string reason = {};                                     // why some are open; empty: none is
  std::uint32_t retry_after_ms = 0;
};

// Thread safety: none.
class Delivery {
 public:
  // warn: for what a user should know and no outcome says.
  Delivery(const Settings& settings, Server& server, http::Client& client,
           std::function<void(const std::string&)> warn);

  // Valid until the next call. Never throws for what a server does.
  const Outcome& deliver(const Lines& lines, const std::function<std::uint32_t()>& time_left_ms);

 private:
  struct Job {
    std::vector<std::uint32_t> points;  // ascending
    bool plain = false;                 // without gzip, for a body that did not arrive
  };

  void split(const Lines& lines);
  // Finds out the secret and the API. False: not now; the outcome says why.
  bool prepare(const std::function<std::uint32_t()>& time_left_ms);
  void make_body(const Lines& lines, const Job& job, std::string& body);
  void settle(Job job, Verdict verdict);
  void settle_partly(Job job, Verdict verdict);
  void delivered(const Job& job);
  void refuse(std::uint32_t point, const std::string& reason);
  void refuse_all(const Job& job, const std::string& reason);
  // Two halves, to be sent next.
  void halve(const Job& job);
  void hold(std::string reason, std::uint32_t retry_after_ms);
  void again(Job job) { jobs_.push_front(std::move(job)); }

  const Settings& settings_;
  Server& server_;
  http::Client& client_;
  const std::function<void(const std::string&)> warn_;
  http::Gzip gzip_;
  bool breaks_gzip_ = false;  // seen of the way to the server

  // Of one deliver().
  Outcome outcome_;
  std::deque<Job> jobs_;
  bool held_ = false;
  bool has_read_secret_anew_ = false;
  std::size_t extra_requests_ = 0;
  std::vector<std::string> bodies_;  // kept for their memory
  std::string plain_;
};

}  // namespace influx
