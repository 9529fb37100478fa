#include "report/long_calls.hpp"

#include "support/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

bool has(const std::vector<RunningCall>& calls, const RunningCall& one) {
  return std::any_of(calls.begin(), calls.end(), [&](const RunningCall& other) {
    return other.instance == one.instance && other.number == one.number;
  });
}

}  // namespace

void LongCalls::tell(std::vector<RunningCall> calls) {
  for (const RunningCall& call : calls) {
    if (has(told_, call)) continue;
    log::warning(fmt::format("{}: its plugin is {}, and has not come back", call.instance, to_string(call)));
  }
  for (const RunningCall& call : told_) {
    if (has(calls, call)) continue;
    log::info(fmt::format("{}: {}() has come back, after about {} s", call.instance, call.function,
                          std::chrono::duration_cast<std::chrono::seconds>(call.lasts).count()));
  }
  told_ = std::move(calls);
}

}  // namespace nfbus::host
