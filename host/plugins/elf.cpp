#include "plugins/elf.hpp"

#include "plugins/trust.hpp"
#include "support/system_error.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace nfbus::host {

namespace {

using FileHeader = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);

Error broken(std::string text) { return Error{.code = Code::invalid, .text = std::move(text)}; }

Error cut_short(std::uint64_t size_bytes) {
  return broken(fmt::format("the file is cut short ({} bytes are not all of it): copy it again", size_bytes));
}

bool fits(std::uint64_t offset, std::uint64_t length, std::uint64_t limit) noexcept {
  return offset <= limit && length <= limit - offset;
}

// What a file says about the machine that it was built for; the program itself is the measure.
std::string machine_text(const FileHeader& header) {
  std::string_view name = "unknown";
  switch (header.e_machine) {
    case EM_X86_64: name = "x86-64"; break;
    case EM_AARCH64: name = "aarch64"; break;
    case EM_386: name = "x86"; break;
    case EM_ARM: name = "arm"; break;
    case EM_RISCV: name = "riscv"; break;
    case EM_MIPS: name = "mips"; break;
    case EM_PPC64: name = "ppc64"; break;
    default: break;
  }
  return fmt::format("{} (ELF machine {}, {} bits, {}-endian)", name, header.e_machine,
                     header.e_ident[EI_CLASS] == ELFCLASS64 ? 64 : 32,
                     header.e_ident[EI_DATA] == ELFDATA2MSB ? "big" : "little");
}

Result<void> check_machine(const FileHeader& header) {
  const Descriptor program(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  FileHeader own{};
  if (::pread(program.get(), &own, sizeof own, 0) != static_cast<ssize_t>(sizeof own)) {
    return Error{.code = Code::io, .text = "cannot read /proc/self/exe: is /proc mounted?"};
  }
  if (header.e_machine == own.e_machine && header.e_ident[EI_CLASS] == own.e_ident[EI_CLASS] &&
      header.e_ident[EI_DATA] == own.e_ident[EI_DATA]) {
    return {};
  }
  return Error{.code = Code::unsupported,
               .text = fmt::format("the plugin is built for {}, this host for {}: rebuild it for this machine",
                                   machine_text(header), machine_text(own))};
}

}  // namespace

Result<void> check_elf(int descriptor, std::uint64_t size_bytes) {
  FileHeader header{};
  const ssize_t got = ::pread(descriptor, &header, sizeof header, 0);
  if (got < 0) return system_error("cannot read the file");
  if (got < SELFMAG || std::memcmp(&header, ELFMAG, SELFMAG) != 0) {
    return broken("not a shared object (no ELF file): remove it from the plugin folder");
  }
  if (got != static_cast<ssize_t>(sizeof header)) return cut_short(size_bytes);
  if (auto checked = check_machine(header); !checked) return checked;
  if (header.e_type != ET_DYN) return broken("not a shared object but another kind of ELF file: link it with -shared");
  if (header.e_phnum == 0 || header.e_phentsize != sizeof(ProgramHeader)) {
    return broken("a broken ELF file (no usable program headers): rebuild it");
  }
  const std::size_t headers_bytes = std::size_t{header.e_phnum} * sizeof(ProgramHeader);
  if (!fits(header.e_phoff, headers_bytes, size_bytes)) return cut_short(size_bytes);
  // The section table stands last. The loader does not need it, but a file without its end is not what was built.
  if (!fits(header.e_shoff, std::uint64_t{header.e_shnum} * header.e_shentsize, size_bytes)) {
    return cut_short(size_bytes);
  }
  std::vector<ProgramHeader> segments(header.e_phnum);
  if (::pread(descriptor, segments.data(), headers_bytes, static_cast<off_t>(header.e_phoff)) !=
      static_cast<ssize_t>(headers_bytes)) {
    return cut_short(size_bytes);
  }
  for (const ProgramHeader& segment : segments) {
    if (!fits(segment.p_offset, segment.p_filesz, size_bytes)) return cut_short(size_bytes);
  }
  return {};
}

}  // namespace nfbus::host
