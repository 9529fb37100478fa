// How `nfbus tap` shows events.
#pragma once

#include "cli/commands.hpp"
#include "cli/tap/received_event.hpp"

#include <memory>
#include <string_view>

namespace nfbus::host {

// Thread safety: none.
class TapOutput {
 public:
  TapOutput() = default;
  TapOutput(const TapOutput&) = delete;
  TapOutput& operator=(const TapOutput&) = delete;
  virtual ~TapOutput() = default;

  // The form of packets that it wants from the host.
  [[nodiscard]] virtual std::string_view format() const noexcept = 0;
  // A packet or a message; returns whether it is one to be shown here. It appears with flush() at the latest.
  virtual bool show(const ReceivedEvent& received) = 0;
  // False: nobody reads standard output any more.
  virtual bool flush() = 0;
};

[[nodiscard]] std::unique_ptr<TapOutput> make_tap_output(const TapOptions& options);

}  // namespace nfbus::host
