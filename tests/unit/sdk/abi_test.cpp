#include <nfbus/abi.h>
//
#include <gtest/gtest.h>

extern "C" std::size_t nfbus_test_c11_name_size(void);

TEST(Abi, MeansTheSameToC11AndToCpp20) {
  constexpr nfbus_text name = NFBUS_TEXT("c11");
  EXPECT_EQ(nfbus_test_c11_name_size(), name.size);
}
