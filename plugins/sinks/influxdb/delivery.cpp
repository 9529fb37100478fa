#include "delivery.hpp"

#include <algorithm>
#include <utility>

namespace influx {
namespace {

// Of a request before it is compressed: InfluxDB 3 takes 10 MB, 1 takes 25 MB, 2 takes 50 MB.
constexpr std::size_t kMostBodyBytes = 4U << 20U;
// Requests beyond the first ones of a call, that look for points that the server does not name. One of 5,000 takes 24.
constexpr std::size_t kMostExtraRequests = 100;

}  // namespace

Delivery::Delivery(const Settings& settings, Server& server, http::Client& client,
                   std::function<void(const std::string&)> warn)
    : settings_(settings), server_(server), client_(client), warn_(std::move(warn)) {
  bodies_.resize(settings.max_in_flight);
}

void Delivery::split(const Lines& lines) {
  jobs_.clear();
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::size_t size = lines[i].size();
    if (jobs_.empty() || jobs_.back().points.size() == settings_.batch_points || bytes + size > kMostBodyBytes) {
      jobs_.emplace_back();
      bytes = 0;
    }
    jobs_.back().points.push_back(static_cast<std::uint32_t>(i));
    bytes += size;
  }
}

bool Delivery::prepare(const std::function<std::uint32_t()>& time_left_ms) {
  if (!server_.has_secret()) {
    bool changed = false;
    if (std::string wrong = server_.read_secret(changed); !wrong.empty()) {
      hold(std::move(wrong), 0);
      return false;
    }
  }
  while (server_.api() == Api::automatic) {
    http::Exchange ping{.request = server_.ping()};
    client_.perform({&ping, 1}, time_left_ms);
    std::string why;
    if (ping.answer.ending == http::Ending::answered) {
      if (ping.answer.status == 503) {
        why = server_.place().shown + " answers 503: " + said(ping.answer);
      } else if (server_.learn(ping.answer, why)) {
        break;
      }
    } else {
      why = server_.place().shown + ": " + ping.answer.error;
    }
    const bool is_last = !server_.try_next();
    if (is_last || time_left_ms() == 0) {
      server_.answered();
      hold(std::move(why), http::retry_after_ms(ping.answer));
      return false;
    }
  }
  return true;
}

void Delivery::make_body(const Lines& lines, const Job& job, std::string& body) {
  const bool is_gzip = settings_.gzip && !job.plain && !breaks_gzip_;
  const std::size_t first = job.points.front();
  const std::size_t last = job.points.back();
  std::string_view text;
  if (last - first + 1 == job.points.size()) {
    text = lines.text.substr(lines.begin_of(first), lines.ends[last] - lines.begin_of(first));
  } else {
    plain_.clear();
    for (const std::uint32_t point : job.points) plain_ += lines[point];
    text = plain_;
  }
  if (is_gzip) {
    gzip_.compress(text, body);
  } else {
    body.assign(text);
  }
}

const Outcome& Delivery::deliver(const Lines& lines, const std::function<std::uint32_t()>& time_left_ms) {
  outcome_.of.assign(lines.size(), Outcome::Of::open);
  outcome_.refused.clear();
  outcome_.reason.clear();
  outcome_.retry_after_ms = 0;
  held_ = false;
  has_read_secret_anew_ = false;
  extra_requests_ = 0;
  split(lines);
  std::vector<Job> sent;
  std::vector<http::Exchange> exchanges;
  while (!jobs_.empty() && !held_) {
    if (time_left_ms() == 0) {
      hold("the server is too slow for all of a batch", 0);
      break;
    }
    if (!prepare(time_left_ms)) break;
    sent.clear();
    exchanges.clear();
    for (std::string& body : bodies_) {
      if (jobs_.empty()) break;
      Job& job = sent.emplace_back(std::move(jobs_.front()));
      jobs_.pop_front();
      make_body(lines, job, body);
      http::Exchange& exchange = exchanges.emplace_back();
      exchange.request = server_.write(settings_.gzip && !job.plain && !breaks_gzip_);
      exchange.request.body = body;
    }
    client_.perform(exchanges, time_left_ms);
    bool is_away = false;
    std::string why;
    std::uint32_t after_ms = 0;
    // From the last one on: what goes back is put at the front.
    for (std::size_t i = sent.size(); i-- > 0;) {
      const http::Answer& answer = exchanges[i].answer;
      std::vector<std::string_view> of_job;
      if (answer.status != 204 || answer.ending != http::Ending::answered) {
        for (const std::uint32_t point : sent[i].points) of_job.push_back(lines[point]);
      }
      const Written written{server_.api(), server_.place().shown, server_.target(), settings_.org};
      Verdict verdict = judge(answer, written, of_job);
      if (verdict.kind == Verdict::Kind::unreachable) {
        is_away = true;
        why = std::move(verdict.reason);
        after_ms = std::max(after_ms, verdict.retry_after_ms);
        again(std::move(sent[i]));
      } else {
        settle(std::move(sent[i]), std::move(verdict));
      }
    }
    if (is_away) {
      if (!server_.try_next()) {
        server_.answered();
        hold(std::move(why), after_ms);
      }
    } else {
      server_.answered();
    }
  }
  return outcome_;
}

void Delivery::settle(Job job, Verdict verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::stored: delivered(job); break;
    case Verdict::Kind::partly: settle_partly(std::move(job), std::move(verdict)); break;
    case Verdict::Kind::too_large:
      if (job.points.size() == 1) {
        refuse_all(job, verdict.reason + "; this point alone is too large for it");
      } else {
        halve(job);
      }
      break;
    case Verdict::Kind::broken_gzip:
      if (settings_.gzip && !job.plain && !breaks_gzip_) {
        job.plain = true;
        again(std::move(job));
        break;
      }
      [[fallthrough]];
    case Verdict::Kind::unexplained:
      if (job.points.size() == 1) {
        refuse_all(job, verdict.reason);
      } else if (extra_requests_ + 2 > kMostExtraRequests) {
        refuse_all(job, verdict.reason + " (of some points among " + std::to_string(job.points.size()) + ")");
      } else {
        extra_requests_ += 2;
        halve(job);
      }
      break;
    case Verdict::Kind::secret_refused: {
      bool changed = false;
      std::string wrong;
      if (!std::exchange(has_read_secret_anew_, true)) wrong = server_.read_secret(changed);
      again(std::move(job));
      if (!changed) {
        server_.secret_is_stale();
        hold(wrong.empty() ? std::move(verdict.reason) : verdict.reason + "; " + wrong, 0);
      }
      break;
    }
    case Verdict::Kind::unreachable:
    case Verdict::Kind::hold:
      again(std::move(job));
      server_.forget_api();
      hold(std::move(verdict.reason), verdict.retry_after_ms);
      break;
  }
}

void Delivery::settle_partly(Job job, Verdict verdict) {
  Job rest{.points = {}, .plain = job.plain};
  auto next = verdict.refused.begin();
  for (std::size_t i = 0; i < job.points.size(); ++i) {
    if (next != verdict.refused.end() && next->first == i) {
      refuse(job.points[i], next->second);
      ++next;
    } else {
      rest.points.push_back(job.points[i]);
    }
  }
  if (rest.points.empty()) return;
  if (verdict.rest == Verdict::Rest::stored) {
    delivered(rest);
  } else {
    again(std::move(rest));
  }
}

void Delivery::delivered(const Job& job) {
  for (const std::uint32_t point : job.points) outcome_.of[point] = Outcome::Of::delivered;
  if (job.plain && !std::exchange(breaks_gzip_, true)) {
    warn_("requests in gzip do not arrive at " + server_.place().shown +
          " as they were sent, others do: sends plain ones from now on; set compress = \"none\", or mend the proxy "
          "between");
  }
}

void Delivery::refuse(std::uint32_t point, const std::string& reason) {
  outcome_.of[point] = Outcome::Of::refused;
  outcome_.refused.emplace_back(point, reason);
}

void Delivery::refuse_all(const Job& job, const std::string& reason) {
  for (const std::uint32_t point : job.points) refuse(point, reason);
}

void Delivery::halve(const Job& job) {
  const auto middle = job.points.begin() + static_cast<std::ptrdiff_t>(job.points.size() / 2);
  again({.points = {middle, job.points.end()}, .plain = job.plain});
  again({.points = {job.points.begin(), middle}, .plain = job.plain});
}

void Delivery::hold(std::string reason, std::uint32_t retry_after_ms) {
  held_ = true;
  outcome_.reason = std::move(reason);
  outcome_.retry_after_ms = std::max(outcome_.retry_after_ms, retry_after_ms);
}

}  // namespace influx
