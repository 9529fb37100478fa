// The `ulogd` format: the flat keys of ulogd2's JSON output, in its order.
#pragma once

#include "formats/format.hpp"

#include <string>
#include <string_view>

namespace nfbus::host {

// For any packet each key that ulogd2 2.0.8 writes with the stack NFLOG,BASE,IFINDEX,IP2STR,HWHDR,JSON and
// boolean_label=1, with its value: also where ulogd2 is odd, since its users' tools know it so. Keys beyond ulogd2's
// stand behind them. Thread safety: const members from any thread.
class UlogdFormat final : public Format {
 public:
  // device: the value of `dvc`.
  explicit UlogdFormat(std::string_view device);

  void render(const Event& event, TextBuffer& out) const override;
  void append_fields(const nfbus_event& event, TextBuffer& out) const override;

 private:
  std::string device_;  // from behind the timestamp's UTC offset up to the value of raw.pktlen
};

}  // namespace nfbus::host
