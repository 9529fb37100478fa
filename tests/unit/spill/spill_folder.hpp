// What the tests of the disk queue share: a folder, and a store in it that is used as the host uses one.
#pragma once

#include "delivery/spill/files.hpp"
#include "delivery/spill/format.hpp"
#include "delivery/spill/store.hpp"
#include "temporary_folder.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace nfbus::host::spill {

// A folder that is not there yet, in a temporary one.
class SpillFolder {
 public:
  [[nodiscard]] std::filesystem::path path() const { return top_.path() / "sink"; }
  [[nodiscard]] Settings settings() const {
    return {.folder = path().string(),
            .owner = "db",
            .max_bytes = std::uint64_t{64} << 20U,
            .segment_bytes = std::uint64_t{1} << 20U,
            .min_free_bytes = 0};
  }
  // Names in it, sorted, of segments (or of what begins so).
  [[nodiscard]] std::vector<std::filesystem::path> segments(const std::string& prefix = "segment-") const {
    std::vector<std::filesystem::path> out;
    for (const auto& entry : std::filesystem::directory_iterator(path())) {
      if (entry.path().filename().string().starts_with(prefix)) out.push_back(entry.path());
    }
    std::ranges::sort(out);
    return out;
  }

 private:
  test::TemporaryFolder top_;
};

[[nodiscard]] inline std::unique_ptr<Store> opened(const Settings& settings, Files& files) {
  auto store = Store::open(settings, files);
  EXPECT_TRUE(store.ok()) << (store ? "" : to_string(store.error()));
  return store ? std::move(store).value() : nullptr;
}

[[nodiscard]] inline Result<Appended> append(Store& store, const std::vector<std::string>& bodies) {
  std::vector<Draft> drafts;
  for (const std::string& body : bodies)
    drafts.push_back({.kind = 1, .body = {reinterpret_cast<const std::uint8_t*>(body.data()), body.size()}});
  return store.append(drafts);
}

// The first one's number; 0: it failed.
inline std::uint64_t appended(Store& store, const std::vector<std::string>& bodies) {
  const auto done = append(store, bodies);
  EXPECT_TRUE(done.ok()) << (done ? "" : to_string(done.error()));
  return done ? done->first : 0;
}

struct Read {
  std::vector<std::string> bodies;
  std::vector<std::uint64_t> numbers;
  std::uint64_t lost = 0;
};

// All that is there; each batch must be of consecutive numbers.
[[nodiscard]] inline Read read_all_of(Store& store, std::size_t most = 7, std::size_t most_bytes = 1U << 20U) {
  Read out;
  std::vector<Record> records;
  for (;;) {
    const std::uint64_t lost = store.read(records, most, most_bytes);
    out.lost += lost;
    if (records.empty() && lost == 0) return out;
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].number, records[0].number + i);
      out.bodies.emplace_back(reinterpret_cast<const char*>(records[i].body.data()), records[i].body.size());
      out.numbers.push_back(records[i].number);
    }
  }
}

}  // namespace nfbus::host::spill
