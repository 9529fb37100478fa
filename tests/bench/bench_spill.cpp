// The disk queue: records of 100 bytes, 500 at a time, written, read and settled. Without forcing to the disk: that
// measures the disk.
#include "delivery/spill/files.hpp"
#include "delivery/spill/store.hpp"

#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace nfbus::host::spill {
namespace {

constexpr std::size_t kBatch = 500;
constexpr std::size_t kBody = 100;

void append_and_read(benchmark::State& state) {
  std::string folder = (std::filesystem::temp_directory_path() / "nfbus-bench-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    state.SkipWithError("cannot make a folder");
    return;
  }
  RealFiles files;
  auto store = Store::open({.folder = folder,
                            .owner = "bench",
                            .max_bytes = std::uint64_t{256} << 20U,
                            .segment_bytes = std::uint64_t{16} << 20U,
                            .min_free_bytes = 0,
                            .sync = Sync::never},
                           files);
  const std::vector<std::uint8_t> body(kBody, 0x55);
  const std::vector<Draft> drafts(kBatch, Draft{.kind = 1, .body = body});
  std::vector<Record> records;
  if (!store) state.SkipWithError("cannot open the store");
  for ([[maybe_unused]] auto _ : state) {
    const auto appended = (*store)->append(drafts);
    const std::uint64_t lost = (*store)->read(records, kBatch, kBatch * kBody * 2);
    const bool whole = appended && lost == 0 && !records.empty();
    if (!whole || !(*store)->settle(records.back().number + 1, {})) {
      state.SkipWithError("a record is missing");
      break;
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBatch));
  if (store) store->reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}
BENCHMARK(append_and_read);

}  // namespace
}  // namespace nfbus::host::spill
