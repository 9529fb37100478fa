#include "match/bpf.hpp"

#include "match/bpf_words.hpp"

#include <fmt/format.h>

#include <mutex>
#include <utility>

namespace nfbus::host {

namespace {

constexpr int kSnaplenBytes = 65535;
constexpr std::size_t kMostBytes = 4096;

struct ClosePcap {
  void operator()(pcap_t* pcap) const noexcept { ::pcap_close(pcap); }
};

// libpcap's compiler kept its state in globals before 1.8, and some of its look-ups still do.
std::mutex& compiler_mutex() {
  static std::mutex mutex;
  return mutex;
}

Error invalid(std::string text) { return {.code = Code::invalid, .text = std::move(text)}; }

}  // namespace

void BpfProgram::Free::operator()(bpf_program* program) const noexcept {
  ::pcap_freecode(program);
  delete program;  // NOLINT(cppcoreguidelines-owning-memory)
}

Result<BpfProgram> BpfProgram::compile(const std::string& expression) {
  if (expression.size() > kMostBytes) return invalid(fmt::format("is longer than {} bytes", kMostBytes));
  if (expression.find_first_not_of(" \t\r\n") == std::string::npos) return invalid("has nothing to match in it");
  if (expression.find('\0') != std::string::npos) return invalid("has a NUL in it");
  if (const std::string name = name_to_look_up(expression); !name.empty()) {
    return invalid(fmt::format("\"{}\" is no keyword, and names of hosts are not looked up; write an address", name));
  }
  const std::lock_guard lock(compiler_mutex());
  const std::unique_ptr<pcap_t, ClosePcap> pcap(::pcap_open_dead(DLT_RAW, kSnaplenBytes));
  if (!pcap) throw std::bad_alloc();
  auto code = std::make_unique<bpf_program>();
  if (::pcap_compile(pcap.get(), code.get(), expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return invalid(std::string("libpcap: ") + ::pcap_geterr(pcap.get()));
  }
  return BpfProgram(Program(code.release()));
}

bool BpfProgram::matches(const nfbus_event& event) const noexcept {
  return ::bpf_filter(program_->bf_insns, event.payload.data, event.packet_size,
                      static_cast<u_int>(event.payload.size)) != 0;
}

}  // namespace nfbus::host
