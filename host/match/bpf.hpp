// tcpdump's expressions (pcap-filter(7)), compiled by libpcap and run against packets that begin with an IP header.
#pragma once

#include <nfbus/abi.h>
#include <nfbus/result.hpp>

#include <pcap/pcap.h>

#include <cstddef>
#include <memory>
#include <string>

namespace nfbus::host {

// Immutable. Thread safety: any thread.
class BpfProgram {
 public:
  // [any] Takes its words off `words_left`; Code::invalid says that too few are left, or has libpcap's text. Names of
  // hosts and networks are refused: libpcap would ask name servers for them, and wait.
  static Result<BpfProgram> compile(const std::string& expression, std::size_t& words_left);

  // Returns whether it selects a packet that begins with a whole IP header, however much of it was captured.
  [[nodiscard]] bool matches(const nfbus_event& event) const noexcept;
  [[nodiscard]] std::size_t instructions() const noexcept { return program_->bf_len; }

 private:
  struct Free {
    void operator()(bpf_program* program) const noexcept;
  };
  using Program = std::unique_ptr<bpf_program, Free>;
  // Null: libpcap says why.
  static Program translate(pcap_t& pcap, const std::string& expression, bool optimize);
  explicit BpfProgram(Program program) noexcept : program_(std::move(program)) {}

  Program program_;
};

}  // namespace nfbus::host
