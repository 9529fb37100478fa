#include "plugins/diagnosis.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <string_view>

namespace nfbus::host::test {
namespace {

using ::testing::HasSubstr;

constexpr nfbus_text lit(std::string_view text) { return {text.data(), text.size()}; }

TEST(Diagnosis, OfAPluginThatHasNoneFindsNothing) {
  EXPECT_TRUE(diagnose_instance("sink.x", nullptr, nullptr).empty());
}

TEST(Diagnosis, KeepsWhatIsFoundInItsOrder) {
  int instance = 0;
  const auto findings = diagnose_instance(
      "sink.x",
      [](void* of, const nfbus_findings* to) {
        *static_cast<int*>(of) = 1;
        to->found(to->context, NFBUS_LOG_INFO, lit("all is well"), {});
        to->found(to->context, NFBUS_LOG_ERROR, lit("the disk is full"), lit("make room"));
        to->found(to->context, 99, lit("of a level of tomorrow"), {});
      },
      &instance);
  EXPECT_EQ(instance, 1);
  ASSERT_EQ(findings.size(), 3U);
  EXPECT_EQ(findings[0].level, log::Level::info);
  EXPECT_EQ(findings[1].level, log::Level::error);
  EXPECT_EQ(findings[1].text, "the disk is full");
  EXPECT_EQ(findings[1].fix, "make room");
  EXPECT_EQ(findings[2].level, log::Level::warning) << "what is not understood is not taken for well";
}

TEST(Diagnosis, MakesTextsUtf8OfBoundedLength) {
  const auto findings = diagnose_instance(
      "sink.x",
      [](void*, const nfbus_findings* to) {
        const std::string long_text(5000, 'x');
        to->found(to->context, NFBUS_LOG_ERROR, lit("\xff"), lit(long_text));
        to->found(to->context, NFBUS_LOG_ERROR, nfbus_text{nullptr, 7}, {});
      },
      nullptr);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].text, "\xef\xbf\xbd");
  EXPECT_EQ(findings[0].fix.size(), 1024U);
  EXPECT_EQ(findings[1].text, "the plugin does not say what");
}

TEST(Diagnosis, TakesWhatIsThrownForAFindingAndKeepsThoseBeforeIt) {
  const auto findings = diagnose_instance(
      "sink.x",
      [](void*, const nfbus_findings* to) {
        to->found(to->context, NFBUS_LOG_WARNING, lit("first"), {});
        throw std::runtime_error("second");
      },
      nullptr);
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[1].level, log::Level::error);
  EXPECT_THAT(findings[1].text, HasSubstr("it threw an exception: second"));
}

}  // namespace
}  // namespace nfbus::host::test
