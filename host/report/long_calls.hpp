// Says which calls into plugins do not come back, while the host goes on.
#pragma once

#include "support/call_clock.hpp"

#include <chrono>
#include <vector>

namespace nfbus::host {

// Thread safety: none.
class LongCalls {
 public:
  // From then on a call is told of.
  static constexpr std::chrono::seconds kLong{10};

  // calls: those that are that long by now. A line in the log for each new one, and one when it has come back.
  void tell(std::vector<RunningCall> calls);

 private:
  std::vector<RunningCall> told_;
};

}  // namespace nfbus::host
