// Asks its privileged part what its messages say, and logs the answers; so does its command `ask WORD...`.
#include <nfbus/sink.hpp>

#include <chrono>
#include <cstdio>
#include <string>

namespace {

constexpr std::chrono::milliseconds kTimeout{300};
constexpr std::chrono::milliseconds kPatience{20'000};

std::string answer_of(nfbus::Host host, std::string_view question) {
  const bool is_patient = question.starts_with("patient");
  const nfbus::Result<std::string> answer = host.request(question, is_patient ? kPatience : kTimeout);
  if (!answer.ok())
    return "error " + std::to_string(static_cast<int>(answer.error().code)) + ": " + answer.error().text;
  const std::string& text = answer.value();
  return text.size() > 500 ? std::to_string(text.size()) + " bytes" : text;
}

class Asks {
 public:
  Asks(nfbus::Host host, const nfbus::Options& options) : host_(host), at_open_(options.text("at_open")) {}

  void open() {
    if (!at_open_.empty()) ask(at_open_);
  }
  void diagnose(nfbus::Findings findings) const { findings.info(answer_of(host_, "options")); }
  void write(const nfbus::Events& events) {
    for (const nfbus::Event event : events) ask(unquoted(event.text()));
  }

 private:
  // The word in a message that is a JSON text of plain letters.
  static std::string_view unquoted(std::string_view json) {
    return json.size() < 2 ? json : json.substr(1, json.size() - 2);
  }

  void ask(std::string_view question) {
    host_.info("asked \"" + std::string(question.substr(0, 40)) + "\": " + answer_of(host_, question));
  }

  const nfbus::Host host_;
  const std::string at_open_;
};

int ask(nfbus::Host /*host*/, nfbus::CommandCall call) {
  for (std::uint32_t i = 0; i < call.instance_count(); ++i) {
    const nfbus::Configured instance = call.instance(i);
    const std::string answer = answer_of(instance.host(), call.arguments().back());
    std::printf("%.*s: %s\n", static_cast<int>(instance.name().size()), instance.name().data(), answer.c_str());
  }
  return 0;
}

constexpr nfbus_command kCommands[] = {nfbus::command<ask>("ask", "asks the privileged part of each instance")};

}  // namespace

NFBUS_LIBRARY(nfbus::sink<Asks>("asks", {.summary = "asks its privileged part what messages say",
                                         .schema = R"({"type":"object","properties":{
                                             "at_open":{"type":"string","default":""},
                                             "most_mtu":{"type":"integer","default":1500}}})",
                                         .event_kinds = NFBUS_EVENT_MESSAGE,
                                         .commands = kCommands,
                                         .has_privileged_part = true}));
