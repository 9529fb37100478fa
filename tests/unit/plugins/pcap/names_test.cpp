#include "names.hpp"

#include <gtest/gtest.h>

namespace {

using pcapsink::Names;

TEST(PcapNames, RecognizesWhatItMakesAndNothingElse) {
  for (const char* path :
       {"/x/a.pcap", "/x/a-%F_%T.pcap", "/x/%Y%m%d-%j%%.tar.pcap", "/x/%s", "b%H.%M", "/x/.hidden"}) {
    const auto names = Names::parse(path);
    ASSERT_TRUE(names.ok()) << path;
    for (const std::uint64_t number : {1UL, 999'999UL, 1'000'000UL}) {
      const std::string name = names->make(number, 1'700'000'000);
      for (const char* ending : {"", ".part", ".gz", ".zst", ".gz.part"}) {
        const auto found = names->recognize(name + ending);
        ASSERT_TRUE(found.has_value()) << name << ending;
        EXPECT_EQ(found->number, number);
        EXPECT_EQ(found->name, name);
      }
      for (const char* ending : {".1", ".bz2", ".part.1", "x"}) {
        EXPECT_FALSE(names->recognize(name + ending).has_value()) << name << ending;
      }
      EXPECT_FALSE(names->recognize("x" + name).has_value());
    }
  }
  const auto names = Names::parse("/x/a.pcap");
  for (const char* other : {"a.pcap", "a-1.pcap", "a-0000001.pcap", "a-00000x.pcap", "ab-000001.pcap", "a-000001.pca",
                            "a-99999999999999999999.pcap", ""}) {
    EXPECT_FALSE(names->recognize(other).has_value()) << other;
  }
}

TEST(PcapNames, RefusesPatternsThatItCouldNotRecognize) {
  for (const char* path : {"/x/%c.pcap", "/x/a%", "/%Y/a.pcap", "/x/"}) EXPECT_FALSE(Names::parse(path).ok()) << path;
}

}  // namespace
