// What a sink keeps on disk for the host, as it is configured.
#include "given.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

namespace nfbus::host {
namespace {

using test::errors_of;
using test::Given;
using test::warnings_of;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using namespace std::chrono_literals;

std::string sink(const std::string& name, const std::string& keys) {
  return "[sink." + name + "]\nplugin = 'files'\nfile = '/x/" + name + "'\n" + keys + "\n";
}

TEST(Keeping, HasTheDefaultsThatTheManualTells) {
  const Config config = Given(sink("archive", "overflow = 'spill'")).load().config;
  ASSERT_TRUE(config.sinks[0].spill);
  const SpillConfig& spill = *config.sinks[0].spill;
  EXPECT_EQ(spill.settings, (spill::Settings{.folder = "/var/lib/nfbus/spill/archive",
                                             .owner = "archive",
                                             .max_bytes = 268435456,
                                             .max_age = 0s,
                                             .segment_bytes = 16777216,
                                             .min_free_bytes = 67108864,
                                             .sync = spill::Sync::interval}));
  EXPECT_EQ(spill.mode, spill::Mode::overflow);
  EXPECT_EQ(config.sinks[0].dead_letters.file, "");
}

TEST(Keeping, ReadsAllThatCanBeSaid) {
  const Given given(
      sink("a",
           "overflow = 'spill'\ndead_letters = '/x/dead'\ndead_letters_bytes = 5000\n"
           "[sink.a.spill]\ndir = '/x/spill'\nmax_bytes = 1000000\nmax_age = 3600\nsegment_bytes = 20000\n"
           "min_free = 0\nmode = 'always'\nsync = 'never'"));
  EXPECT_THAT(given.errors(), IsEmpty());
  const SinkConfig config = given.load().config.sinks[0];
  EXPECT_EQ(config.spill->settings, (spill::Settings{.folder = "/x/spill",
                                                     .owner = "a",
                                                     .max_bytes = 1000000,
                                                     .max_age = 1h,
                                                     .segment_bytes = 20000,
                                                     .min_free_bytes = 0,
                                                     .sync = spill::Sync::never}));
  EXPECT_EQ(config.spill->mode, spill::Mode::always);
  EXPECT_EQ(config.dead_letters.file, "/x/dead");
  EXPECT_EQ(config.dead_letters.max_bytes, 5000U);
  EXPECT_EQ(config.target, "/x/a") << "where the plugin writes to";
}

TEST(Keeping, StartsRelativeFoldersAtTheConfiguration) {
  const Config config = Given(sink("a", "overflow = 'spill'\nspill.dir = 'here'")).load().config;
  EXPECT_TRUE(std::filesystem::path(config.sinks[0].spill->settings.folder).is_absolute());
}

TEST(Keeping, RefusesOneFolderForTwoSinks) {
  EXPECT_THAT(errors_of(sink("a", "overflow = 'spill'\nspill.dir = '/x/one'") +
                        sink("b", "overflow = 'spill'\nspill.dir = '/x/../x/one'")),
              ElementsAre(HasSubstr("sink.b.spill.dir: sink.a spills to /x/one, too; give each sink")));
}

TEST(Keeping, NamesWhatIsWrongInTheTable) {
  EXPECT_THAT(errors_of(sink("a", "overflow = 'spill'\nspill.max_bytes = 10")),
              ElementsAre(HasSubstr("sink.a.spill.max_bytes: 10 is out of range")));
  EXPECT_THAT(errors_of(sink("a", "overflow = 'spill'\nspill.max_byte = 100000")),
              ElementsAre(HasSubstr("did you mean \"max_bytes\"")));
  EXPECT_THAT(errors_of(sink("a", "overflow = 'spill'\nspill.mode = 'sometimes'")),
              ElementsAre(HasSubstr("sink.a.spill.mode")));
  EXPECT_THAT(errors_of(sink("a", "dead_letters = '/x/a'")), ElementsAre(HasSubstr("writes to this file")));
}

TEST(Keeping, WarnsOfWhatIsOfNoUse) {
  EXPECT_THAT(warnings_of(sink("a", "spill.mode = 'always'")),
              testing::Contains(HasSubstr("sink.a.spill: is of no use without overflow = \"spill\"")));
  EXPECT_THAT(warnings_of(sink("a", "dead_letters_bytes = 5000")),
              testing::Contains(HasSubstr("sink.a.dead_letters_bytes: is of no use without dead_letters")));
  EXPECT_THAT(warnings_of(sink("a", "overflow = 'spill'\nspill.max_bytes = 100000\nspill.segment_bytes = 50000")),
              testing::Contains(HasSubstr("a quarter of max_bytes at most: 25000")));
}

}  // namespace
}  // namespace nfbus::host
