// Which call into a plugin a thread is in: for what has to be said where it does not come back.
#pragma once

#include "support/call_clock.hpp"

#include <string_view>

#include <sys/types.h>

namespace nfbus::host {

struct PluginCall {
  std::string_view instance;   // "sink.archive"
  std::string_view function;   // "write"; lives as long as the program
  CallClock* clock = nullptr;  // null: nobody asks how long it lasts
};

// [any] The calling thread is in this call for as long as the object lives. A child process that the plugin forked
// meanwhile, and that comes back from the call, ends here: it would go on as a second host.
class CurrentCall {
 public:
  // call: what it refers to outlives the object.
  explicit CurrentCall(const PluginCall& call) noexcept;
  CurrentCall(const CurrentCall&) = delete;
  CurrentCall& operator=(const CurrentCall&) = delete;
  ~CurrentCall();

 private:
  const PluginCall call_;
  const PluginCall* const outer_;
  const pid_t process_;
};

// [control] Once, before there are other threads: from now on a call that crashes, aborts or calls exit() leaves one
// line on standard error that names instance and function; then the process ends as it would have, after exit() with a
// failure. What handled these signals before, such as a sanitizer, goes on to do so.
void say_where_plugins_end_the_process();

}  // namespace nfbus::host
