#include "nftrules.hpp"

#include "ban_command.hpp"

#include <nfbus/util/private_folder.hpp>

#include <nlohmann/json.hpp>

#include <exception>
#include <stdexcept>
#include <utility>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;

constexpr std::uint32_t kTickMs = 200;  // rules are put back within a second
constexpr std::chrono::milliseconds kPartPatience{15'000};
constexpr std::chrono::seconds kClientPatience{20};

// Requests of the privileged part.
constexpr const char* kBack = "back";      // what waits for a confirmation
constexpr const char* kRevert = "revert";  // all

json failure(const std::string& text) { return {{"failed", text}}; }

}  // namespace

// ---- Mailbox

std::optional<std::future<std::string>> Mailbox::put(std::uint64_t client, std::string request) {
  const std::lock_guard lock(mutex_);
  if (is_closed_) return std::nullopt;
  Job job{client, std::move(request), {}};
  auto answer = job.answer.get_future();
  jobs_.push_back(std::move(job));
  return answer;
}

std::optional<Mailbox::Job> Mailbox::take() {
  const std::lock_guard lock(mutex_);
  if (jobs_.empty()) return std::nullopt;
  Job job = std::move(jobs_.front());
  jobs_.pop_front();
  return job;
}

void Mailbox::close() {
  const std::lock_guard lock(mutex_);
  is_closed_ = true;
  jobs_.clear();
}

// ---- NftRules

NftRules::NftRules(nfbus::Host host, const nfbus::Options& options)
    : host_(host),
      settings_(settings_of(options)),
      ban_settings_(ban_settings_of(options)),
      options_(options.json()),
      bans_(host, ban_settings_) {}

void NftRules::open(nfbus::Shape& shape) {
  shape.tick_ms = kTickMs;
  if (auto first = ask({{"do", "poll"}}); !first) {
    // A replay has no business with the firewall, and whoever is not root cannot have.
    if (first.error().code != Code::refused) throw std::runtime_error(first.error().text);
    host_.warning("the ruleset is left as it is: " + first.error().text);
    return;
  }
  if (auto made = nfbus::util::make_private_folder(settings_.state_dir); !made) {
    throw std::runtime_error(made.error().text);
  }
  if (auto done = apply(0); !done) host_.error("rules are not applied: " + done.error().text);
  if (auto done = bans_.reassert(); !done) host_.error("bans: " + done.error().text);
  auto server = ControlServer::start(control_path(settings_.state_dir), *this);
  if (!server) throw std::runtime_error(server.error().text);
  server_ = std::move(server).value();
}

void NftRules::close() {
  if (!server_) return;
  mailbox_.close();
  server_.reset();
  if (pending_) static_cast<void>(take_back(kBack));
  if (settings_.on_stop != OnStop::revert) return;
  if (auto done = take_back(kRevert); !done) host_.error("rules are not taken back: " + done.error().text);
}

nfbus::Delivery NftRules::write(nfbus::Events events) { return bans_.write(events); }

void NftRules::tick() {
  if (!server_) return;
  serve_all();
  bans_.tick();
  if (pending_ && Clock::now() >= pending_->deadline) {
    host_.warning("nobody has confirmed the rules: they are taken back");
    static_cast<void>(take_back(kBack));
  }
  if (settings_.watch && !is_paused_ && !pending_) watch();
}

void NftRules::watch() {
  const auto changes = ask({{"do", "poll"}});
  if (!changes) {
    if (std::exchange(last_trouble_, changes.error().text) != changes.error().text) {
      host_.error("changes of the ruleset are not seen: " + changes.error().text);
    }
    return;
  }
  if (changes->value("rules", false) || changes->value("sets", false) || changes->value("resync", false)) {
    if (auto done = bans_.reassert(); !done) host_.error("bans: " + done.error().text);
  }
  const bool may_differ = changes->value("rules", false) || changes->value("resync", false);
  const auto now = Clock::now();
  if (!may_differ || !tug_.may_repair(now)) return;
  const auto done = apply(0);
  if (!done) {
    host_.error("rules are not put back: " + done.error().text);
    return;
  }
  const bool was_repair = done->value("count", std::size_t{0}) != 0 || done->value("own_table_made", false);
  if (done->value("applied", false) && was_repair && tug_.repaired(now)) {
    host_.error("another program changes the rules as often as nfbus puts them back: nfbus stops for " +
                std::to_string(TugOfWar::kPause.count()) + " s; end it, or set watch = false");
  }
}

Result<json> NftRules::ask(const json& request) {
  auto answered = host_.request(request.dump(), kPartPatience);
  if (!answered) return answered.error();
  json parsed = json::parse(*answered, nullptr, false);
  if (!parsed.is_object()) return Error{Code::io, "the privileged part answers what is no JSON"};
  return parsed;
}

Result<json> NftRules::apply(int confirm_s) {
  auto done = ask({{"do", "apply"}, {"confirm_s", confirm_s}, {"hooks", true}, {"texts", true}});
  if (done) log_applied(*done);
  return done;
}

Result<json> NftRules::take_back(const char* what) {
  pending_.reset();
  is_paused_ = true;
  auto done = ask({{"do", what}, {"texts", true}});
  if (done && done->value("count", std::size_t{0}) != 0) {
    host_.info("rules: " + std::to_string(done->value("count", std::size_t{0})) + " taken back");
  }
  return done;
}

// One line when something changed, and the same trouble once.
void NftRules::log_applied(const json& done) {
  std::string trouble;
  for (const json& error : done.at("errors")) trouble += (trouble.empty() ? "" : "; ") + error.get<std::string>();
  if (!trouble.empty() && trouble != last_trouble_) host_.error("rules are not applied: " + trouble);
  last_trouble_ = trouble;
  if (!done.value("applied", false)) return;
  for (const json& note : done.at("notes")) host_.debug(note.get<std::string>());
  if (const std::size_t count = done.value("count", std::size_t{0}); count != 0) {
    host_.info("rules: " + std::to_string(count) + (count == 1 ? " change" : " changes") + " applied");
  }
  if (done.value("own_table_made", false)) host_.info("rules: the table inet nfbus is made");
}

// ---- What `nfbus nft` asks

std::string NftRules::answer(std::uint64_t client, std::string_view request) {
  auto answer = mailbox_.put(client, std::string(request));
  if (!answer) return failure("the host is ending").dump();
  host_.wake();
  if (answer->wait_for(kClientPatience) != std::future_status::ready) return failure("the host is busy").dump();
  try {
    return answer->get();
  } catch (const std::future_error&) {
    return failure("the host is ending").dump();
  }
}

void NftRules::gone(std::uint64_t client) {
  static_cast<void>(mailbox_.put(client, {}));
  host_.wake();
}

void NftRules::serve_all() {
  while (auto job = mailbox_.take()) {
    if (job->request.empty()) {
      if (pending_ && pending_->client == job->client) {
        host_.warning("who applied the rules has gone without a confirmation: they are taken back");
        static_cast<void>(take_back(kBack));
      }
      continue;
    }
    json out = failure("no request of nfbus's");
    try {
      const json request = json::parse(job->request, nullptr, false);
      if (request.is_object()) out = serve(job->client, request);
    } catch (const json::exception&) {  // a value of another type than it has to be
    }
    job->answer.set_value(out.dump(-1, ' ', false, json::error_handler_t::replace));
  }
}

json NftRules::serve(std::uint64_t client, const json& request) {
  const std::string word = request.value("do", "");
  const auto told = [](Result<json> done) { return done ? std::move(done).value() : failure(done.error().text); };
  if (word == "status") {
    return {{"holder", "host"},
            {"paused", is_paused_},
            {"watch", settings_.watch},
            {"fights", !tug_.may_repair(Clock::now())},
            {"pending", pending_.has_value()},
            {"confirmed", is_confirmed_}};
  }
  if (word == "apply") {
    if (request.value("options", "") != options_) {
      return failure(
          "the running host was started with other rules than this file has: nfbus reload does not change "
          "them; restart it");
    }
    if (pending_) {
      return failure(kWaits);
    }
    const int confirm_s = request.value("confirm_s", 0);
    auto done = apply(confirm_s);
    if (!done) return failure(done.error().text);
    is_paused_ = false;
    if (confirm_s != 0 && done->value("applied", false) && done->value("count", std::size_t{0}) != 0) {
      is_confirmed_ = false;
      pending_ = Pending{client, Clock::now() + std::chrono::seconds(confirm_s)};
    }
    return std::move(done).value();
  }
  if (word == kBack) return told(take_back(kBack));
  if (word == kRevert) return told(take_back(kRevert));
  if (word == "confirm") {
    auto done = ask({{"do", "confirm"}});
    is_confirmed_ = done && done->value("was_pending", false);
    if (is_confirmed_) pending_.reset();
    return told(std::move(done));
  }
  if (is_ban_command(word)) return told(bans_.ask(request));
  return failure("no request of nfbus's: " + word);
}

}  // namespace nftrules
