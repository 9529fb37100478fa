#include "schema/quantities.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfbus::host {
namespace {

TEST(Quantities, AreBytesByThousandsAndBy1024) {
  EXPECT_EQ(number_to_write("10MB", "bytes"), "10000000, or 10485760 for MiB");
  EXPECT_EQ(number_to_write("10 MiB", "bytes"), "10485760");
  EXPECT_EQ(number_to_write("1g", "bytes"), "1000000000, or 1073741824 for GiB");
  EXPECT_EQ(number_to_write("1.5k", "bytes"), "1500, or 1536 for KiB");
  EXPECT_EQ(number_to_write("512 bytes", "bytes"), "512");
  EXPECT_EQ(number_to_write("10m", "bytes"), "10000000, or 10485760 for MiB");
}

TEST(Quantities, AreTimesInTheUnitThatIsWanted) {
  EXPECT_EQ(number_to_write("7d", "s"), "604800");
  EXPECT_EQ(number_to_write("2 hours", "s"), "7200");
  EXPECT_EQ(number_to_write("5m", "s"), "300");
  EXPECT_EQ(number_to_write("5s", "ms"), "5000");
  EXPECT_EQ(number_to_write("20ms", "ms"), "20");
  EXPECT_EQ(number_to_write("1500ms", "s"), "2") << "not shorter than meant";
  EXPECT_EQ(number_to_write("10MB", "s"), "");
}

TEST(Quantities, AreGuessedWhereNoUnitIsKnown) {
  EXPECT_EQ(number_to_write("7d", ""), "604800");
  EXPECT_EQ(number_to_write("10M", ""), "10000000, or 10485760 for MiB");
  EXPECT_EQ(number_to_write("10k", "events"), "10000");
}

TEST(Quantities, AreNoneOfOtherTexts) {
  for (const char* const text : {"", "ten", "-5s", "nan", "nans", "inf", "1e400", "5 parsecs of it", "10.0.0.1", "1:2",
                                 "MB", "0x10", "99999999999999999999999MB", "1.5"}) {
    EXPECT_EQ(number_to_write(text, ""), "") << text;
  }
  EXPECT_EQ(number_to_write("5", ""), "5");
}

TEST(Quantities, HaveTheUnitOfAnOptionsName) {
  EXPECT_EQ(unit_of_option("latency_ms"), "ms");
  EXPECT_EQ(unit_of_option("rotate_age_s"), "s");
  EXPECT_EQ(unit_of_option("queue_bytes"), "bytes");
  EXPECT_EQ(unit_of_option("queue"), "");
}

}  // namespace
}  // namespace nfbus::host
