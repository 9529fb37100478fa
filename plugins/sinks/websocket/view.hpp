// What one client wants to see, and what of it waits to be sent.
#pragma once

#include "server/message.hpp"

#include <nfbus/event.hpp>
#include <nfbus/match.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace websocket {

using ViewId = std::uint64_t;

enum class Feed : std::uint8_t {
  notifications = 1,  // what rules tell
  events,             // everything, a frame each, as SPR's clients read it
  page,               // rows, many in a frame
};

enum class TextFormat : std::uint8_t { packet = 1, ulogd };

// Null: all events hold.
using SharedMatch = std::shared_ptr<const nfbus::Match>;

struct ViewSettings {
  Feed feed = Feed::events;
  SharedMatch match = {};
  TextFormat format = TextFormat::packet;
  bool wants_rows = true;  // of a page: else counters alone
};

// What clients are to get by now.
struct Parcel {
  std::vector<std::pair<ViewId, std::vector<Text>>> texts = {};
  std::vector<ViewId> too_costly = {};  // whose matches kept all others waiting: they go

  [[nodiscard]] bool empty() const noexcept { return texts.empty() && too_costly.empty(); }
};

}  // namespace websocket
