#include "device_names.hpp"

#include "temporary_folder.hpp"

#include <nfbus/testing/fake_host.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace websocket {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class Names : public ::testing::Test {
 protected:
  [[nodiscard]] std::string path() const { return (folder_.path() / "names").string(); }
  void write(std::string_view text) {
    nfbus::test::write_file(path(), text);
    // However fast the test is, it is another file than before.
    std::filesystem::last_write_time(path(),
                                     std::filesystem::file_time_type::clock::now() + std::chrono::hours(++writes_));
    names_.refresh();
  }
  [[nodiscard]] std::string log(std::size_t index) const { return fake_.logged.at(index).second; }

  nfbus::test::TemporaryFolder folder_;
  nfbus::test::FakeHost fake_;
  DeviceNames names_{nfbus::Host(fake_.raw()), path()};
  int writes_ = 0;
};

TEST_F(Names, AreFoundByAddressAndMac) {
  write(
      "# mine\n10.0.0.2 Anna's phone  # new\n\n2001:DB8:0::1\tprinter\r\n  02:00:00:AB:cd:01   a  b\n10.0.0.3 "
      "K\xc3\xbc\n");
  EXPECT_THAT(fake_.logged, IsEmpty());
  EXPECT_EQ(names_.of("10.0.0.2"), "Anna's phone");
  EXPECT_EQ(names_.of("2001:db8::1"), "printer");
  EXPECT_EQ(names_.of("02:00:00:ab:cd:01"), "a  b");
  EXPECT_EQ(names_.of("10.0.0.3"), "K\xc3\xbc");
  EXPECT_EQ(names_.of("10.0.0.4"), "");
  EXPECT_EQ(names_.of(""), "");
}

TEST_F(Names, AreThoseOfIpv4HoweverItIsWritten) {
  write("::ffff:10.0.0.2 a\n::FFFF:a00:3 b\n");
  EXPECT_THAT(fake_.logged, IsEmpty());
  EXPECT_EQ(names_.of("10.0.0.2"), "a");
  EXPECT_EQ(names_.of("10.0.0.3"), "b");
}

TEST_F(Names, AWrongLineCostsItselfAloneAndIsToldWithItsPlace) {
  write("10.0.0.2\n10.0.0.300 x\n\n02-00-00-00-00-01 x\n10.0.0.5 " + std::string(129, 'x') + "\n10.0.0.6 " +
        std::string(128, 'x') + "\nphone 10.0.0.7");
  ASSERT_THAT(fake_.logged, SizeIs(5));
  for (const auto& [index, line] :
       {std::pair(0, 1), std::pair(1, 2), std::pair(2, 4), std::pair(3, 5), std::pair(4, 7)}) {
    EXPECT_THAT(log(static_cast<std::size_t>(index)), HasSubstr(path() + ":" + std::to_string(line) + ": a line is"));
  }
  EXPECT_EQ(names_.of("10.0.0.6"), std::string(128, 'x'));
  EXPECT_EQ(names_.of("10.0.0.5"), "");
}

TEST_F(Names, FollowTheFile) {
  write("10.0.0.2 one\n");
  EXPECT_EQ(names_.of("10.0.0.2"), "one");
  write("10.0.0.2 two\n10.0.0.2 three\n");
  EXPECT_EQ(names_.of("10.0.0.2"), "three");
  write("");
  EXPECT_EQ(names_.of("10.0.0.2"), "");
  EXPECT_TRUE(names_.empty());
}

TEST_F(Names, StayWhileTheFileIsGoneAndTheLogSaysSoOnce) {
  write("10.0.0.2 one\n");
  std::filesystem::remove(path());
  names_.refresh();
  names_.refresh();
  EXPECT_EQ(names_.of("10.0.0.2"), "one");
  ASSERT_THAT(fake_.logged, SizeIs(1));
  EXPECT_THAT(log(0), HasSubstr("cannot read " + path()));
  EXPECT_THAT(log(0), HasSubstr("the names before stay"));
  write(std::string((4U << 20U) + 1, '#'));
  ASSERT_THAT(fake_.logged, SizeIs(2));
  EXPECT_THAT(log(1), HasSubstr("more than 4194304 bytes"));
  EXPECT_EQ(names_.of("10.0.0.2"), "one");
  write("10.0.0.2 two\n");
  EXPECT_EQ(names_.of("10.0.0.2"), "two");
  EXPECT_THAT(fake_.logged, SizeIs(2));
}

TEST_F(Names, WithoutAFileThereAreNone) {
  DeviceNames none{nfbus::Host(fake_.raw()), {}};
  none.refresh();
  EXPECT_TRUE(none.empty());
  EXPECT_THAT(fake_.logged, IsEmpty());
}

TEST(Mac, HasSixBytes) {
  const std::uint8_t bytes[] = {0x02, 0, 0xab, 0xff, 0x10, 0x01, 0};
  EXPECT_EQ(mac_text({bytes, 6}), "02:00:ab:ff:10:01");
  EXPECT_EQ(mac_text({bytes, 7}), "");
  EXPECT_EQ(mac_text({}), "");
}

}  // namespace
}  // namespace websocket
