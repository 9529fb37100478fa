#include "context.hpp"

#include <nlohmann/json.hpp>

#include <string_view>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPatienceAtOpen{5000};
// An answer that takes longer is asked for again when packets were read, and at each tick later on; the part makes the
// list once.
constexpr milliseconds kPatience{30};
constexpr std::uint32_t kQuickTries = 10;
constexpr std::uint32_t kFailuresToTell = 5000 / kContextTickMs;

Result<std::uint64_t> version_in(std::string_view answer) {
  const auto parsed = nlohmann::json::parse(answer, nullptr, false);
  if (parsed.is_object() && parsed.contains("version") && parsed.at("version").is_number_unsigned()) {
    return parsed.at("version").get<std::uint64_t>();
  }
  return Error{Code::invalid, "the privileged part does not say whether rules have changed"};
}

}  // namespace

Context::Context(nfbus::Host host, const nfbus::Options& /*options*/)
    : host_(host), annotated_(host.counter("annotated")), unknown_(host.counter("unknown")) {}

void Context::open() {
  const auto deadline = Clock::now() + kPatienceAtOpen;
  while (version_ == 0) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    const auto done = left > milliseconds(0) ? go_on(left) : Error{Code::busy, "rules change while they are listed"};
    if (done) continue;
    note(done);
    if (!is_over_) host_.warning("packets are without their rule until the rules are listed: " + done.error().text);
    return;
  }
}

void Context::apply(nfbus::Candidates candidates) {
  std::uint64_t annotated = 0;
  std::uint64_t unknown = 0;
  for (const nfbus::Candidate candidate : candidates) {
    const nfbus::Event event = candidate.event();
    const RuleIndex::Entry* const entry = cache_.find(index_, event.prefix(), event.group());
    if (entry == nullptr) {
      ++unknown;
    } else if (entry->candidates.empty()) {
      annotated += candidate.annotate(nfbus::to_view(kRuleField), entry->rule) ? 1 : 0;
    } else {
      annotated += candidate.annotate_json(nfbus::to_view(kCandidatesField), entry->candidates) ? 1 : 0;
    }
  }
  if (annotated != 0) annotated_.add(annotated);
  if (unknown != 0) unknown_.add(unknown);
}

void Context::tick() {
  if (!is_over_) note(go_on(kPatience));
}

Result<void> Context::go_on(milliseconds patience) {
  if (!reading_) {
    const auto answer = host_.request(R"({"do":"poll"})", patience);
    if (!answer) return answer.error();
    const auto version = version_in(*answer);
    if (!version) return version.error();
    if (*version == version_) return {};
    reading_.emplace();
  }
  return read_page_of(*reading_, patience);
}

Result<void> Context::read_page_of(Reading& reading, milliseconds patience) {
  const std::string request = R"({"do":"logging","from":)" + std::to_string(reading.next) + '}';
  const auto answer = host_.request(request, patience);
  if (!answer) return answer.error();
  auto page = read_page(*answer);
  if (!page) {
    reading_.reset();
    return page.error();
  }
  const bool is_first = reading.next == 0;
  if (!is_first && page->version != reading.version) {
    reading_.reset();  // rules have changed meanwhile: begin anew
  } else {
    reading.version = page->version;
    for (const LoggingRule& rule : page->rules) reading.index.add(rule);
    if (!page->next) {
      take(std::move(*std::exchange(reading_, std::nullopt)));
      return {};
    }
    reading.next = *page->next;
  }
  host_.wake();  // what is left is read as soon as packets allow it
  return {};
}

void Context::take(Reading reading) {
  index_ = std::move(reading.index);
  version_ = reading.version;
  cache_.clear();
  if (index_.left_out() == 0) return;
  host_.warning("more rules log than nftcontext can keep: packets of " + std::to_string(index_.left_out()) +
                " prefixes are without their rule; give several rules one prefix");
}

void Context::note(const Result<void>& outcome) {
  if (outcome) {
    failures_ = 0;
    return;
  }
  const Error& error = outcome.error();
  is_over_ = error.code == Code::refused || error.code == Code::io;
  if (is_over_) {
    // What is not kept current would sooner or later name the wrong rule.
    index_ = RuleIndex();
    cache_.clear();
    host_.warning("packets are without their rule: " + error.text);
  } else if (++failures_ == kFailuresToTell) {
    host_.warning("packets may be named after rules of some seconds ago: " + error.text);
  } else if (error.code == Code::busy && failures_ < kQuickTries) {
    host_.wake();
  }
}

}  // namespace nftrules
