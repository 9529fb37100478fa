#include "rule_book.hpp"

#include "judged_event.hpp"
#include "rule_api.hpp"
#include "rule_list.hpp"
#include "state.hpp"

#include <ctime>

#include <stdexcept>
#include <utility>

namespace rules {
namespace {

constexpr std::int64_t kSecondNs = 1'000'000'000;
constexpr std::int64_t kClockWasSetNs = std::int64_t{30} * 86'400 * kSecondNs;

std::int64_t clock_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_sec * kSecondNs + now.tv_nsec;
}

// What notifications become on the bus, and what comes each second whatever happens.
bool is_never_judged(std::string_view topic) noexcept { return topic.starts_with("alert:") || topic == "nfbus:status"; }

class RuleTrial final : public Trial {
 public:
  RuleTrial(std::string_view json, Surroundings around) : around_(std::move(around)), state_(around_.host, {}) {
    const Json rule = parse_strict(json);
    rule_ = compile_rule(rule, shape_of(rule), around_, state_);
  }
  [[nodiscard]] bool matches(nfbus::Event event) override {
    if (is_never_judged(event.topic())) return false;
    JudgedEvent judged(event, around_);
    return rule_->matches(judged);
  }

 private:
  const Surroundings around_;
  State state_;
  std::unique_ptr<Rule> rule_;
};

std::string overview_of(const Entry& entry) {
  std::string out = R"({"shape":")" + std::string(entry.shape ? name_of(*entry.shape) : "unknown") + R"(","index":)" +
                    std::to_string(entry.index);
  if (!entry.rule) {
    const Json parsed = parse_event(entry.raw);
    const Json* const name = parsed.is_object() ? find_key(parsed, "name") : nullptr;
    const bool has_name = name != nullptr && name->is_string();
    return out + R"(,"name":)" + in_quotes(has_name ? name->get<std::string>() : std::string()) +
           R"(,"disabled":false,"error":)" + in_quotes(entry.error) +
           R"(,"severity":"info","matched":0,"told":0,"rolled_up":0,"held_back":0,"snoozed":0,"learned":0,"last_ns":0})";
  }
  const Counters& counters = entry.rule->counters();
  out += R"(,"name":)" + in_quotes(entry.rule->name()) + R"(,"disabled":)" +
         (entry.rule->is_disabled() ? "true" : "false") +
         (entry.error.empty() ? std::string() : R"(,"error":)" + in_quotes(entry.error)) + R"(,"severity":)" +
         in_quotes(entry.rule->severity());
  for (const auto& [key, count] :
       {std::pair("matched", counters.matched), std::pair("told", counters.told),
        std::pair("rolled_up", counters.rolled_up), std::pair("held_back", counters.held_back),
        std::pair("snoozed", counters.snoozed), std::pair("learned", counters.learned)}) {
    out += std::string(",\"") + key + "\":" + std::to_string(count);
  }
  if (const std::string until = entry.rule->snooze_until(); !until.empty()) {
    out += R"(,"snooze_until":)" + in_quotes(until);
  }
  return out + R"(,"last_ns":)" + std::to_string(counters.last_ns) + '}';
}

}  // namespace

class RuleBook::Impl {
 public:
  Impl(nfbus::Host host, Settings settings)
      : around_{.host = host,
                .format = host.format("packet"),
                .name_of = std::move(settings.name_of),
                .copies = std::make_shared<CopyBudget>()},
        state_(host, std::move(settings.state_file)),
        list_(std::move(settings.file), around_, state_),
        api_(list_, state_, around_) {}

  [[nodiscard]] nfbus::Result<void> claim() { return state_.claim(); }
  void load() {
    state_.load();
    list_.load();
  }

  void judge(nfbus::Event event, std::vector<Notification>& out) {
    if (is_never_judged(event.topic())) return;
    if (now_ns_ == 0) note_time(clock_ns());
    JudgedEvent judged(event, around_);
    list_.each_active([&](Rule& rule) { rule.judge(judged, now_ns_, out); });
  }

  void tick(std::int64_t now_ns, std::vector<Notification>& out) {
    // Forward so far as no pause lasts: a router without a clock has heard the time.
    if (now_ns_ != 0 && (now_ns < now_ns_ || now_ns - now_ns_ > kClockWasSetNs)) {
      list_.each_active([&](Rule& rule) { rule.clock_jumped(now_ns_, now_ns); });
    }
    note_time(now_ns);
    if (now_ns < looked_ns_ || now_ns - looked_ns_ >= kSecondNs) {
      looked_ns_ = now_ns;
      list_.look();
    }
    list_.each_active([&](Rule& rule) { rule.tick(now_ns, out); });
    list_.take_farewells(out);
    state_.write_in_time(now_ns);
  }

  void finish(std::vector<Notification>& out) {
    list_.finish(out);
    (void)state_.write();
  }

  [[nodiscard]] bool wants_everything() const noexcept { return list_.wants_everything(); }

  [[nodiscard]] Answer handle(const Call& call) { return api_.handle(call); }

  [[nodiscard]] std::string overview() const {
    std::string out = "[";
    for (const Entry& entry : list_.entries()) out += (out.size() == 1 ? "" : ",") + overview_of(entry);
    return out + ']';
  }
  [[nodiscard]] std::uint64_t held_back() const {
    std::uint64_t out = 0;
    for (const Entry& entry : list_.entries()) {
      if (!entry.rule) continue;
      const Counters& counters = entry.rule->counters();
      out += counters.held_back + counters.snoozed;
    }
    return out;
  }
  [[nodiscard]] const std::string& file_error() const noexcept { return list_.file_error(); }
  [[nodiscard]] std::unique_ptr<Trial> try_rule(std::string_view json) const {
    return std::make_unique<RuleTrial>(json, around_);
  }

 private:
  void note_time(std::int64_t now_ns) noexcept {
    now_ns_ = now_ns;
    list_.note_time(now_ns);
  }

  const Surroundings around_;
  State state_;
  RuleList list_;
  RuleApi api_;
  std::int64_t now_ns_ = 0;  // of the last tick
  std::int64_t looked_ns_ = 0;
};

RuleBook::RuleBook(nfbus::Host host, Settings settings) : impl_(std::make_unique<Impl>(host, std::move(settings))) {}
RuleBook::~RuleBook() = default;

nfbus::Result<void> RuleBook::claim() { return impl_->claim(); }
void RuleBook::load() { impl_->load(); }
void RuleBook::judge(nfbus::Event event, std::vector<Notification>& out) { impl_->judge(event, out); }
void RuleBook::tick(std::int64_t now_ns, std::vector<Notification>& out) { impl_->tick(now_ns, out); }
void RuleBook::finish(std::vector<Notification>& out) { impl_->finish(out); }
bool RuleBook::wants_everything() const { return impl_->wants_everything(); }
Answer RuleBook::handle(const Call& call) { return impl_->handle(call); }
std::string RuleBook::overview() const { return impl_->overview(); }
std::uint64_t RuleBook::held_back() const { return impl_->held_back(); }
std::string RuleBook::file_error() const { return impl_->file_error(); }
std::unique_ptr<Trial> RuleBook::try_rule(std::string_view json) const { return impl_->try_rule(json); }

}  // namespace rules
