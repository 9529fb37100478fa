// Ends the process in the function that `in` names, in the way that `how` does.
#include "fixture.hpp"

#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <exception>

namespace {

[[gnu::noinline]] int use_up_stack(volatile char* before) {
  volatile char here[4096];
  here[0] = before == nullptr ? 'x' : before[0];
  return here[0] == 0 ? 0 : use_up_stack(here) + here[0];
}

void end(const std::string& how) {
  volatile int* volatile nowhere = nullptr;
  if (how == "fault") *nowhere = 1;
  if (how == "abort") std::abort();
  if (how == "terminate") std::terminate();
  if (how == "exit") std::exit(0);
  if (how == "stack") use_up_stack(nullptr);
  if (how == "fork") static_cast<void>(::fork());
}

struct Ends : fixture::Sink {
  Ends(const nfbus_host& host, const nfbus_options& options)
      : Sink(host, options), how_(fixture::string(options, "/how")), in_(fixture::string(options, "/in")) {
    if (in_ == "create") end(how_);
  }
  std::uint32_t write(const nfbus_events& events, nfbus_report& /*report*/, nfbus_error* /*error*/) {
    called();
    if (in_ == "write") end(how_);
    delivered(events.count);
    return NFBUS_OK;
  }

 private:
  const std::string how_;
  const std::string in_;
};

}  // namespace

FIXTURE_SINK(Ends, "ends", "ends the process in a function", R"(,"how":{"type":"string"},"in":{"type":"string"})");
