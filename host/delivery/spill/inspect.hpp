// Looks at a spill folder without being its owner: for `nfbus spill`. Reads alone, and needs no lock: a running host
// may have the folder, whose segments come and go meanwhile.
#pragma once

#include "delivery/spill/files.hpp"
#include "delivery/spill/store.hpp"

#include <nfbus/result.hpp>

#include <cstdint>
#include <functional>
#include <string>

namespace nfbus::host::spill {

struct Overview {
  std::string owner;
  std::uint64_t records = 0;   // to be delivered
  std::uint64_t bytes = 0;     // of all segments
  std::int64_t oldest_ns = 0;  // since 1970-01-01 UTC: when the segment of the oldest of them was made; 0: none
  std::uint64_t segments = 0;
  std::uint64_t set_aside = 0;  // segments that could not be read
};

// [any] Reads the state, heads, and the newest segment. Code::not_found: no such folder, or it holds no spill;
// Code::unsupported: of another version.
[[nodiscard]] Result<Overview> overview(Files& files, const std::string& folder);

struct Visitor {
  // A record that is still to be delivered; its body is valid during the call. False: enough.
  std::function<bool(const Record&)> record;
  // What is damaged or missing, with its place: "DIR/segment-...:OFFSET: what".
  std::function<void(const std::string& what)> damage;
};

// [any] Reads all of every segment, in order. Errors as of overview(); damage is none.
[[nodiscard]] Result<void> visit(Files& files, const std::string& folder, const Visitor& visitor);

}  // namespace nfbus::host::spill
