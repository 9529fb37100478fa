#include "command.hpp"

#include "ban_command.hpp"
#include "ban_settings.hpp"
#include "control.hpp"
#include "plan_text.hpp"
#include "settings.hpp"

#include <nfbus/util/private_folder.hpp>

#include <poll.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace nftrules {
namespace {

using nfbus::Code;
using nfbus::Error;
using nfbus::Result;
using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPatience{20'000};
constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

constexpr std::string_view kHelp =
    "usage: nfbus nft COMMAND [-c FILE]\n"
    "\n"
    "  plan                    what would change, as a diff; the exit status is 0 for nothing, 1 for changes, 2 for an "
    "error\n"
    "  apply [--confirm TIME]  change it; with --confirm 30s it goes back unless Enter, or nfbus nft confirm, comes in "
    "time\n"
    "  confirm                 keep what apply --confirm has changed\n"
    "  revert                  take all of it back; a host that watches the rules pauses until the next apply\n"
    "  status                  what is applied, and who holds it\n"
    "  bans                    who is banned, and how long\n"
    "  ban ADDRESS [--ttl 10m] [--set NAME] [--reason TEXT]\n"
    "  unban ADDRESS [--set NAME]\n"
    "  bans                    who is banned\n"
    "  ban ADDRESS [--ttl 10m] [--set NAME] [--reason TEXT], unban ADDRESS [--set NAME]\n"
    "\n"
    "  --no-color              no colours on a terminal, as NO_COLOR=1\n";

struct Words {
  std::string command;
  int confirm_s = 0;
  bool with_colours = true;
};

// Errors: what is wrong with the words.
Result<Words> words_of(const nfbus::CommandCall& call) {
  Words words;
  words.with_colours = ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  const auto arguments = call.arguments().subspan(1);
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view word = arguments[i];
    constexpr std::string_view kConfirm = "--confirm";
    if (word == "--no-color") {
      words.with_colours = false;
    } else if (word == kConfirm || word.starts_with("--confirm=")) {
      std::string_view time = word.substr(kConfirm.size());
      if (time.starts_with('=')) {
        time.remove_prefix(1);
      } else if (i + 1 < arguments.size()) {
        time = arguments[++i];
      }
      const auto seconds = seconds_of(time);
      if (!seconds) return Error{Code::invalid, "--confirm takes a time: --confirm 30s"};
      words.confirm_s = static_cast<int>(*seconds);
    } else if (word.starts_with('-') || !words.command.empty()) {
      return Error{Code::invalid, "unknown: " + std::string(word)};
    } else {
      words.command = word;
    }
  }
  if (words.confirm_s != 0 && words.command != "apply") return Error{Code::invalid, "--confirm belongs to apply"};
  return words;
}

// One configured instance, by its own privileged part or by the host that runs with it.
class Rules {
 public:
  explicit Rules(const nfbus::Configured& configured)
      : configured_(configured), options_(configured.options().json()), settings_(settings_of(configured.options())) {
    auto client = ControlClient::connect(control_path(settings_.state_dir));
    if (client) client_ = std::move(client).value();
  }

  [[nodiscard]] bool has_holder() const noexcept { return client_.has_value(); }
  [[nodiscard]] const Settings& settings() const noexcept { return settings_; }

  // Of the part that this command has of its own.
  Result<json> ask_part(const json& request) {
    auto answered = configured_.host().request(request.dump(), kPatience);
    if (!answered) return answered.error();
    return parsed(*answered);
  }
  // Of whoever holds the rules.
  Result<json> ask_holder(json request) {
    request["options"] = options_;
    auto answered = client_->ask(request.dump(), kPatience);
    if (!answered) return answered.error();
    return parsed(*answered);
  }
  Result<json> ask(const json& request) { return has_holder() ? ask_holder(request) : ask_part(request); }

 private:
  static Result<json> parsed(const std::string& text) {
    json out = json::parse(text, nullptr, false);
    if (!out.is_object()) return Error{Code::io, "the answer is no JSON"};
    if (out.contains("failed")) return Error{Code::io, out.at("failed").get<std::string>()};
    return out;
  }

  nfbus::Configured configured_;
  std::string options_;
  Settings settings_;
  std::optional<ControlClient> client_;
};

// ---- Waiting for a confirmation

// While this command holds what it applied, others may ask it.
class Confirmations final : public ControlHandler {
 public:
  // Whether somebody has; from then on nobody can any more.
  [[nodiscard]] bool close() noexcept { return state_.exchange(State::over) == State::confirmed; }
  [[nodiscard]] bool is_confirmed() const noexcept { return state_ == State::confirmed; }

  std::string answer(std::uint64_t /*client*/, std::string_view request) override {
    const json parsed = json::parse(request, nullptr, false);
    const std::string word = parsed.is_object() ? parsed.value("do", "") : "";
    if (word == "confirm") {
      State waits = State::waiting;
      state_.compare_exchange_strong(waits, State::confirmed);
      return json{{"was_pending", waits != State::over}}.dump();
    }
    if (word == "status") return json{{"holder", "command"}, {"pending", true}}.dump();
    return json{{"failed", kWaits}}.dump();
  }
  void gone(std::uint64_t /*client*/) override {}

 private:
  enum class State : std::uint8_t { waiting = 1, confirmed, over };

  std::atomic<State> state_ = State::waiting;
};

// True: Enter was pressed.
bool wait_for_enter(std::chrono::milliseconds time, bool& is_open) {
  pollfd wait{is_open ? STDIN_FILENO : -1, POLLIN, 0};
  if (::poll(&wait, 1, static_cast<int>(time.count())) <= 0 || wait.revents == 0) return false;
  char byte = 0;
  const ssize_t size = ::read(STDIN_FILENO, &byte, 1);
  if (size <= 0) is_open = false;
  return size == 1 && byte == '\n';
}

int say(const Error& error, int status) {
  print_error(error.text);
  return status;
}

int say_back() {
  std::cout << "Nobody has confirmed it: all is as it was before.\n";
  return kFailed;
}

int wait_for_confirmation(Rules& rules, Confirmations& confirmations, int confirm_s) {
  std::cout << "It goes back in " << confirm_s
            << " s, unless you press Enter here, or say nfbus nft confirm elsewhere.\n"
            << std::flush;
  const auto deadline = Clock::now() + std::chrono::seconds(confirm_s);
  constexpr std::chrono::milliseconds kLook{100};
  bool is_open = true;
  bool is_confirmed = false;
  while (!is_confirmed && Clock::now() < deadline) {
    is_confirmed = wait_for_enter(kLook, is_open) || confirmations.is_confirmed();
    if (is_confirmed || !rules.has_holder()) continue;
    const auto status = rules.ask_holder({{"do", "status"}});
    if (!status) return say(status.error(), kFailed);
    if (status->value("pending", false)) continue;
    if (!status->value("confirmed", false)) return say_back();
    std::cout << "Confirmed.\n";
    return kDone;
  }
  if (confirmations.close() || is_confirmed) {
    const auto done = rules.ask({{"do", "confirm"}});
    if (!done) return say(done.error(), kFailed);
    if (!done->value("was_pending", false)) return say_back();
    std::cout << "Confirmed.\n";
    return kDone;
  }
  if (const auto done = rules.ask({{"do", "back"}}); !done) return say(done.error(), kFailed);
  return say_back();
}

// ---- The commands

int plan(Rules& rules, const Words& words) {
  constexpr int kChanges = 1;
  constexpr int kError = 2;
  const auto planned = rules.ask_part({{"do", "plan"}});
  if (!planned) return say(planned.error(), kError);
  print_plan(*planned, {.with_colours = words.with_colours});
  if (!planned->at("errors").empty()) return kError;
  return planned->at("count").get<std::size_t>() == 0 ? kDone : kChanges;
}

int apply(Rules& rules, const Words& words) {
  if (!rules.has_holder()) {
    const auto made = nfbus::util::make_private_folder(rules.settings().state_dir);
    if (!made) return say(made.error(), kFailed);
  }
  // Others can confirm from the moment on that it is applied, whatever becomes of what is printed here.
  Confirmations confirmations;
  std::unique_ptr<ControlServer> server;
  if (words.confirm_s != 0 && !rules.has_holder()) {
    auto started = ControlServer::start(control_path(rules.settings().state_dir), confirmations);
    if (!started) return say(started.error(), kFailed);
    server = std::move(started).value();
  }
  const auto done = rules.ask({{"do", "apply"}, {"texts", true}, {"confirm_s", words.confirm_s}});
  if (!done) return say(done.error(), kFailed);
  print_plan(*done, {.with_colours = words.with_colours});
  if (!done->value("applied", false)) return kFailed;
  const auto count = done->at("count").get<std::size_t>();
  std::cout << (count == 0 ? "Nothing to do." : "Applied.") << "\n";
  if (!done->at("errors").empty()) return kFailed;
  return count == 0 || words.confirm_s == 0 ? kDone : wait_for_confirmation(rules, confirmations, words.confirm_s);
}

int revert(Rules& rules, const Words& words) {
  const auto done = rules.ask({{"do", "revert"}, {"texts", true}});
  if (!done) return say(done.error(), kFailed);
  print_plan(*done, {.with_colours = words.with_colours});
  if (!done->value("applied", false)) return kFailed;
  const bool is_complete = !done->value("incomplete", false);
  if (is_complete) {
    std::cout << (done->at("count").get<std::size_t>() == 0 ? "Nothing to take back.\n" : "Taken back.\n");
  } else {
    std::cout << "Taken back, but for what is named above.\n";
  }
  return is_complete ? kDone : kFailed;
}

int confirm(Rules& rules) {
  if (!rules.has_holder()) return say({Code::not_found, "nothing waits for a confirmation here"}, kFailed);
  const auto done = rules.ask_holder({{"do", "confirm"}});
  if (!done) return say(done.error(), kFailed);
  if (!done->value("was_pending", false))
    return say({Code::not_found, "nothing waits for a confirmation here"}, kFailed);
  std::cout << "Confirmed.\n";
  return kDone;
}

int status(Rules& rules, const Words& words) {
  if (rules.has_holder()) {
    const auto told = rules.ask_holder({{"do", "status"}});
    if (!told) return say(told.error(), kFailed);
    print_holder(*told);
  } else {
    std::cout << "No host holds these rules.\n";
  }
  const auto planned = rules.ask_part({{"do", "plan"}});
  if (!planned) return say(planned.error(), kFailed);
  print_plan(*planned, {.with_colours = words.with_colours, .with_notes = true});
  const bool is_applied = planned->at("count").get<std::size_t>() == 0 && planned->at("errors").empty();
  std::cout << (is_applied ? "All rules are applied." : "Not all rules are applied.") << "\n";
  return is_applied ? kDone : kFailed;
}

int run(Rules& rules, const Words& words) {
  if (words.command == "plan") return plan(rules, words);
  if (words.command == "apply") return apply(rules, words);
  if (words.command == "revert") return revert(rules, words);
  if (words.command == "confirm") return confirm(rules);
  return status(rules, words);
}

// Of the first sink of the configuration.
int ban_command(const nfbus::CommandCall& call) {
  for (std::uint32_t i = 0; i < call.instance_count(); ++i) {
    if (call.instance(i).kind() != NFBUS_PLUGIN_SINK) continue;
    Rules rules(call.instance(i));
    return run_ban_command(call.arguments().subspan(1), [&](const json& request) { return rules.ask(request); });
  }
  return say({Code::not_found, "the configuration has no sink with plugin = \"nftrules\""}, kFailed);
}

}  // namespace

int nft(nfbus::Host /*host*/, nfbus::CommandCall call) {
  if (call.arguments().size() > 1 && is_ban_command(call.arguments()[1])) return ban_command(call);
  const auto words = words_of(call);
  if (!words) {
    print_error("nft: " + words.error().text);
    std::cerr << kHelp;
    return kUsage;
  }
  constexpr std::string_view kCommands[] = {"plan", "apply", "revert", "confirm", "status"};
  if (std::ranges::find(kCommands, words->command) == std::end(kCommands)) {
    std::cerr << kHelp;
    return kUsage;
  }
  std::vector<std::string> folders;
  for (std::uint32_t i = 0; i < call.instance_count(); ++i) {
    if (call.instance(i).kind() != NFBUS_PLUGIN_SINK) continue;
    folders.push_back(settings_of(call.instance(i).options()).state_dir);
    if (std::ranges::count(folders, folders.back()) == 1) continue;
    print_error("two sinks have one state_dir, " + folders.back() + ": put all rules into one sink");
    return words->command == "plan" ? 2 : kFailed;
  }
  int worst = kDone;
  bool has_one = false;
  for (std::uint32_t i = 0; i < call.instance_count(); ++i) {
    const nfbus::Configured instance = call.instance(i);
    if (instance.kind() != NFBUS_PLUGIN_SINK) continue;
    has_one = true;
    Rules rules(instance);
    worst = std::max(worst, run(rules, *words));
  }
  if (has_one) return worst;
  print_error("the configuration has no sink with plugin = \"nftrules\"");
  return words->command == "plan" ? 2 : kFailed;
}

}  // namespace nftrules
