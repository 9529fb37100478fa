#include "calls.hpp"
#include "fixture.hpp"

#include <spawn.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <semaphore>

namespace {
// With its first events, tries calls.hpp on its worker's thread, on a thread of its own that open() began, and in a
// program; and appends to a file what came of it, its secret, and what it finds in the environment.
class Tries : public fixture::Sink {
 public:
  Tries(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options),
        file_(fixture::string(options, "/file")),
        program_(fixture::string(options, "/program")),
        token_(fixture::string(options, "/token")) {}
  Tries(const Tries&) = delete;
  Tries& operator=(const Tries&) = delete;
  ~Tries() {
    begin_.release();
    if (early_.joinable()) early_.join();
  }

  std::uint32_t open(nfbus_shape& shape, nfbus_error* error) {
    early_ = std::thread([this] {
      begin_.acquire();
      if (tried_) tried_early_ = calls::try_all("early");
    });
    return Sink::open(shape, error);
  }

  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* error) {
    if (tried_) return NFBUS_OK;
    tried_ = true;
    begin_.release();
    early_.join();
    std::ofstream(file_, std::ios::app) << "token " << token_ << "\nenvironment " << environment() << '\n'
                                        << tried_early_ << calls::try_all("thread");
    if (!program_.empty() && !execute()) return fixture::fail(error, "the program cannot be executed");
    std::ofstream(file_, std::ios::app) << "end\n";
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  static std::string environment() {
    ::setenv("TRIES_SETS", "set", 1);
    const std::time_t zero = 0;
    std::array<char, 16> zone{};
    std::strftime(zone.data(), zone.size(), "%Z", std::localtime(&zero));
    const char* found = std::getenv("TRIES_READS");
    return std::string(zone.data()) + ' ' + (found == nullptr ? "-" : found) + ' ' + std::getenv("TRIES_SETS");
  }

  bool execute() {
    std::array<char*, 3> arguments{program_.data(), file_.data(), nullptr};
    pid_t child = 0;
    if (::posix_spawn(&child, program_.c_str(), nullptr, nullptr, arguments.data(), environ) != 0) return false;
    int status = 0;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }

  std::string file_;
  std::string program_;
  const std::string token_;
  bool tried_ = false;
  std::string tried_early_;
  std::binary_semaphore begin_{0};
  std::thread early_;
};
}  // namespace

FIXTURE_SINK(Tries, "tries", "tries what a plugin may not do, and what it may",
             R"(,"file":{"type":"string"},"program":{"type":"string"},"token":{"type":"string","x-secret":true})");
