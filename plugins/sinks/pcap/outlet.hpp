// Where packets go: files.cpp or fifo.cpp.
#pragma once

#include "encoder.hpp"

#include <nfbus/plugin.hpp>

#include <cstddef>
#include <cstdint>
#include <string>

namespace pcapsink {

// What became of a list of events.
struct Outcome {
  std::size_t done = 0;  // so many of the first are settled: written or refused
  std::string reason;    // why not all of them; empty: all are
  std::uint32_t retry_after_ms = 0;
};

// Told of an event that has no place in the output, in their order.
class Refusals {
 public:
  Refusals() = default;
  Refusals(const Refusals&) = delete;
  Refusals& operator=(const Refusals&) = delete;
  virtual ~Refusals() = default;
  virtual void refused(std::size_t index, const char* reason) = 0;
};

// As a sink's functions of the same names. Thread safety: none.
class Outlet {
 public:
  Outlet() = default;
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;
  virtual ~Outlet() = default;

  virtual void open(nfbus::Shape& shape) = 0;
  virtual Outcome write(EventList events, Refusals& refusals) = 0;
  virtual void look_after() = 0;  // at each tick, and when told to reopen
  virtual void close() = 0;
};

}  // namespace pcapsink
