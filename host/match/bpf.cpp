#include "match/bpf.hpp"

#include "match/bpf_words.hpp"
#include "support/mutex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace nfbus::host {

namespace {

constexpr int kSnaplenBytes = 65535;
constexpr std::size_t kMostBytes = 4096;
// libpcap's optimizer takes time with the cube of a program's size: 14 s where 18,000 instructions test ports, some
// 10 ms at this size. A longer program runs as it is.
constexpr u_int kMostOptimized = 1500;
// Translated within a second, or so.
constexpr std::size_t kMostWords = 320;

struct ClosePcap {
  void operator()(pcap_t* pcap) const noexcept { ::pcap_close(pcap); }
};

// libpcap's compiler kept its state in globals before 1.8, and some of its look-ups still do.
Mutex& compiler_mutex() {
  static Mutex mutex;
  return mutex;
}

Error invalid(std::string text) { return {.code = Code::invalid, .text = std::move(text)}; }

}  // namespace

void BpfProgram::Free::operator()(bpf_program* program) const noexcept {
  ::pcap_freecode(program);
  delete program;  // NOLINT(cppcoreguidelines-owning-memory)
}

Result<BpfProgram> BpfProgram::compile(const std::string& expression, std::size_t& words_left) {
  if (expression.size() > kMostBytes) return invalid(fmt::format("is longer than {} bytes", kMostBytes));
  if (expression.find_first_not_of(" \t\r\n") == std::string::npos) return invalid("has nothing to match in it");
  if (expression.find('\0') != std::string::npos) return invalid("has a NUL in it");
  // Before anything is looked up or compiled: both take time for each word.
  const std::size_t words = count_words(expression);
  if (const std::size_t most = std::min(words_left, kMostWords); words > most) {
    return invalid(
        fmt::format("has {} words, and may have {}; the keys port, host and so on take long lists", words, most));
  }
  words_left -= words;
  if (const std::string name = name_to_look_up(expression); !name.empty()) {
    return invalid(fmt::format("\"{}\" is no keyword, and names of hosts are not looked up; write an address", name));
  }
  const MutexLock lock(compiler_mutex());
  const std::unique_ptr<pcap_t, ClosePcap> pcap(::pcap_open_dead(DLT_RAW, kSnaplenBytes));
  if (!pcap) throw std::bad_alloc();
  Program plain = translate(*pcap, expression, false);
  if (plain && plain->bf_len <= kMostOptimized) plain = translate(*pcap, expression, true);
  if (!plain) return invalid(std::string("libpcap: ") + ::pcap_geterr(pcap.get()));
  return BpfProgram(std::move(plain));
}

BpfProgram::Program BpfProgram::translate(pcap_t& pcap, const std::string& expression, bool optimize) {
  auto code = std::make_unique<bpf_program>();
  if (::pcap_compile(&pcap, code.get(), expression.c_str(), optimize ? 1 : 0, PCAP_NETMASK_UNKNOWN) != 0) return {};
  return Program(code.release());
}

bool BpfProgram::matches(const nfbus_event& event) const noexcept {
  return ::bpf_filter(program_->bf_insns, event.payload.data, event.packet_size,
                      static_cast<u_int>(event.payload.size)) != 0;
}

}  // namespace nfbus::host
