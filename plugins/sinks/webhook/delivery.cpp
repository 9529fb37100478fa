#include "delivery.hpp"

#include <algorithm>
#include <ctime>
#include <span>
#include <utility>

namespace webhook {
namespace {

// Requests beyond the first ones of a call, that look for the events that a server refuses in a batch.
constexpr std::size_t kMostExtraRequests = 100;

void refuse(nfbus::Events events, const std::vector<std::uint32_t>& indices, const std::string& reason) {
  for (const std::uint32_t index : indices) events.reject(index, reason);
}

}  // namespace

Delivery::Delivery(const Settings& settings, Secrets& secrets, http::Client& client, nfbus::Host host)
    : settings_(settings), secrets_(secrets), client_(client), composer_(settings, host) {
  bodies_.resize(settings.max_in_flight);
}

void Delivery::split(std::uint32_t count) {
  jobs_.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    if (jobs_.empty() || jobs_.back().size() == settings_.batch_events) jobs_.emplace_back();
    jobs_.back().push_back(i);
  }
}

bool Delivery::prepare() {
  if (secrets_.fresh()) return true;
  bool changed = false;
  const std::string wrong = secrets_.read(changed);
  if (!wrong.empty()) hold(wrong, 0);
  return wrong.empty();
}

nfbus::Delivery Delivery::deliver(nfbus::Events events) {
  held_ = false;
  reason_.clear();
  retry_after_ms_ = 0;
  has_read_secrets_anew_ = false;
  extra_requests_ = 0;
  split(events.size());
  while (!jobs_.empty() && !held_) {
    if (events.time_left_ms() == 0) {
      hold(secrets_.place() + " is too slow for all of a batch", 0);
    } else if (prepare()) {
      send(events);
    }
  }
  if (!held_) return nfbus::Delivery::ok();
  return nfbus::Delivery::retry(0, reason_, retry_after_ms_);
}

void Delivery::send(nfbus::Events events) {
  std::vector<Job> sent;
  std::vector<http::Exchange> exchanges;
  for (std::string& body : bodies_) {
    if (jobs_.empty()) break;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    http::Exchange exchange{.request = {.url = {}}};
    const std::string wrong = composer_.compose(events, job, secrets_, std::time(nullptr), exchange.request, body);
    if (!wrong.empty()) {
      refuse(events, job, wrong);
      continue;
    }
    sent.push_back(std::move(job));
    exchanges.push_back(std::move(exchange));
  }
  is_secret_new_ = false;
  client_.perform(exchanges, [&] { return events.time_left_ms(); });
  const bool says_where = secrets_.target().url.depends_on_event();
  const std::string place = secrets_.place();
  // All before the first is settled, for which other secrets may be read.
  std::vector<Verdict> verdicts;
  for (const http::Exchange& exchange : exchanges) {
    const Mask mask = [&](std::string text) { return secrets_.without_secrets(std::move(text), exchange.request.url); };
    verdicts.push_back(judge(exchange.answer, place, says_where, mask));
  }
  // From the last one on: what goes back is put at the front.
  for (std::size_t i = sent.size(); i-- > 0;) settle(events, std::move(sent[i]), verdicts[i]);
}

void Delivery::settle(nfbus::Events events, Job job, const Verdict& verdict) {
  switch (verdict.kind) {
    case Verdict::Kind::delivered:
      for (const std::uint32_t index : job) events.delivered(index);
      break;
    case Verdict::Kind::refused:
    case Verdict::Kind::too_large:
      if (job.size() == 1) {
        refuse(events, job, verdict.reason);
      } else if (extra_requests_ + 2 > kMostExtraRequests) {
        refuse(events, job, verdict.reason + " (of some events among " + std::to_string(job.size()) + ")");
      } else {
        extra_requests_ += 2;
        halve(job);
      }
      break;
    case Verdict::Kind::secret_refused: {
      std::string wrong;
      if (!std::exchange(has_read_secrets_anew_, true)) wrong = secrets_.read(is_secret_new_);
      jobs_.push_front(std::move(job));
      if (!is_secret_new_) hold(wrong.empty() ? verdict.reason : verdict.reason + "; " + wrong, verdict.retry_after_ms);
      break;
    }
    case Verdict::Kind::hold:
      jobs_.push_front(std::move(job));
      hold(verdict.reason, verdict.retry_after_ms);
      break;
  }
}

void Delivery::halve(const Job& job) {
  const auto middle = job.begin() + static_cast<std::ptrdiff_t>(job.size() / 2);
  jobs_.emplace_front(middle, job.end());
  jobs_.emplace_front(job.begin(), middle);
}

void Delivery::hold(const std::string& reason, std::uint32_t retry_after_ms) {
  held_ = true;
  secrets_.are_stale();  // whatever it is, the user may mend it there
  reason_ = reason;
  retry_after_ms_ = std::max(retry_after_ms_, retry_after_ms);
}

}  // namespace webhook
