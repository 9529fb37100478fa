// A sink, a filter and a command of both in one library: `nfbus roles` prints the options of their instances.
#include <nfbus/filter.hpp>
#include <nfbus/sink.hpp>

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

class Counts {
 public:
  Counts(nfbus::Host /*host*/, const nfbus::Options& options) : file_(options.text("file")) {}

  void write(nfbus::Events events) {
    std::FILE* const out = std::fopen(file_.c_str(), "a");
    if (out == nullptr) throw std::runtime_error("cannot open " + file_);
    for (const nfbus::Event event : events) std::fprintf(out, "%d\n", event.destination_port().value_or(0));
    std::fclose(out);
  }

  void diagnose(nfbus::Findings findings) const {
    std::FILE* const there = std::fopen(file_.c_str(), "r");
    if (there == nullptr) return findings.warning(file_ + " is not there\x1b", "touch " + file_);
    std::fclose(there);
    findings.info("the file is there");
  }

 private:
  std::string file_;
};

class Above {
 public:
  Above(nfbus::Host /*host*/, const nfbus::Options& options) : port_(options.integer("port")) {}

  void apply(nfbus::Candidates candidates) const {
    for (const nfbus::Candidate candidate : candidates) {
      if (candidate.event().destination_port().value_or(0) <= port_) candidate.drop();
    }
  }

  void diagnose(nfbus::Findings /*findings*/) const {
    if (port_ == 0) throw std::runtime_error("port 0 is above nothing");
  }

 private:
  std::int64_t port_;
};

std::string options_of(nfbus::Configured instance) {
  const nfbus::Options options = instance.options();
  if (instance.plugin() == "roles_sink") return options.text("file") + " " + options.text("token");
  return std::to_string(options.integer("port"));
}

int roles(nfbus::Host host, nfbus::CommandCall call) {
  const auto words = call.arguments();
  for (const char* word : words) std::printf("word %s\n", word);
  if (words.size() == 3 && std::string_view(words[1]) == "exit") return std::atoi(words[2]);
  if (words.size() == 2 && std::string_view(words[1]) == "throw") throw std::runtime_error("as it was told to");
  if (host.publish("roles:seen", "{}")) std::puts("published");
  host.info("shows them");
  for (std::uint32_t i = 0; i < call.instance_count(); ++i) {
    const nfbus::Configured instance = call.instance(i);
    std::printf("%u %s %s: %s\n", instance.kind(), std::string(instance.plugin()).c_str(),
                std::string(instance.name()).c_str(), options_of(instance).c_str());
  }
  return 0;
}

constexpr nfbus_command kCommands[] = {nfbus::command<roles>("roles", "shows the options of its instances")};

}  // namespace

NFBUS_LIBRARY(nfbus::sink<Counts>("roles_sink", {.summary = "writes each packet's port",
                                                 .version = "0.1",
                                                 .schema = R"({"type": "object", "required": ["file"], "properties":
                                                {"file": {"type": "string", "x-path": true},
                                                 "token": {"type": "string", "x-secret": true, "default": "none"}}})",
                                                 .commands = kCommands}),
              nfbus::filter<Above>("roles_filter", {.summary = "keeps what goes to a port above one",
                                                    .version = "0.1",
                                                    .schema = R"({"type": "object", "properties":
                                                 {"port": {"type": "integer", "minimum": 0, "default": 1023}}})",
                                                    .commands = kCommands}))
