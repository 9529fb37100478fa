// tcpdump's expressions (pcap-filter(7)), compiled by libpcap and run against packets that begin with an IP header.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <pcap/pcap.h>

#include <memory>
#include <string>

namespace nfbus::host {

// Immutable. Thread safety: any thread.
class BpfProgram {
 public:
  // [any] Code::invalid has libpcap's text. Names of hosts and networks are refused: libpcap would ask name servers for
  // them, and wait.
  static Result<BpfProgram> compile(const std::string& expression);

  // Whether it selects a packet that begins with a whole IP header; how much of it was captured does not matter.
  [[nodiscard]] bool matches(const nfbus_event& event) const noexcept;

 private:
  struct Free {
    void operator()(bpf_program* program) const noexcept;
  };
  using Program = std::unique_ptr<bpf_program, Free>;
  explicit BpfProgram(Program program) noexcept : program_(std::move(program)) {}

  Program program_;
};

}  // namespace nfbus::host
