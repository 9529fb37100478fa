#include "plugins/crossing.hpp"

#include <gtest/gtest.h>

#include <string>

namespace nfbus::host {
namespace {

TEST(CleanText, KeepsWhatIsUtf8AndReplacesTheRest) {
  EXPECT_EQ(clean_text(""), "");
  EXPECT_EQ(clean_text("a \"b\" \\ \xc3\xa4\n"), "a \"b\" \\ \xc3\xa4\n");
  EXPECT_EQ(clean_text("\xff\xe2\x82|\xc0"), "\xef\xbf\xbd\xef\xbf\xbd|\xef\xbf\xbd");
}

TEST(CleanText, CutsALongTextAndTheCharacterThatItCutsIsReplaced) {
  const std::string most(sizeof(nfbus_error::text), 'x');
  EXPECT_EQ(clean_text(most + "y"), most);
  const std::string before(most.size() - 1, 'x');
  EXPECT_EQ(clean_text(before + "\xc3\xa4"), before + "\xef\xbf\xbd");
}

}  // namespace
}  // namespace nfbus::host
