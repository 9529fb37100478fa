#include "support/table.hpp"

#include <gtest/gtest.h>

namespace nfbus::host {
namespace {

TEST(TableText, AlignsColumnsAndLeavesNothingBehindTheLastText) {
  EXPECT_EQ(table_text({{"name", "count"}, {"a", "12345678"}, {"long name", ""}, {"b"}}),
            "name       count\na          12345678\nlong name\nb\n");
  EXPECT_EQ(table_text({}), "");
}

TEST(TableText, PutsNumbersAtTheRightWhereThatIsWanted) {
  EXPECT_EQ(table_text({{"name", "count"}, {"a", "7"}}, {.indent = true, .numbers_right = true}),
            "  name  count\n  a         7\n");
}

TEST(TableText, ShowsWhatStrangersChoseHarmlessly) {
  EXPECT_EQ(table_text({{"\x1b[2J"}}).find('\x1b'), std::string::npos);
}

TEST(TableText, EndsEachLineOfARowOfEmptyTexts) { EXPECT_EQ(table_text({{"a"}, {"", ""}, {"b"}}), "a\n\nb\n"); }

}  // namespace
}  // namespace nfbus::host
