#include "cli/commands.hpp"

#include <gmock/gmock.h>

#include <string>
#include <vector>

namespace nfbus::host {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

CommandWords split(std::vector<std::string> line) {
  std::vector<char*> arguments;
  arguments.reserve(line.size());
  for (std::string& word : line) arguments.push_back(word.data());
  return split_words(arguments);
}

TEST(SplitWords, TakesTheConfigurationOutWhereverItStands) {
  for (const auto& line : {std::vector<std::string>{"-c", "F", "plan", "-v"},
                           {"plan", "--config", "F", "-v"},
                           {"plan", "-v", "--config=F"}}) {
    const CommandWords words = split(line);
    EXPECT_THAT(words.config_files, ElementsAre("F"));
    EXPECT_THAT(words.words, ElementsAre("plan", "-v"));
    EXPECT_FALSE(words.lacks_value);
  }
}

TEST(SplitWords, LeavesAllWordsBehindTwoDashes) {
  const CommandWords words = split({"plan", "--", "-c", "F"});
  EXPECT_THAT(words.config_files, IsEmpty());
  EXPECT_THAT(words.words, ElementsAre("plan", "--", "-c", "F"));
}

TEST(SplitWords, KeepsWhatOnlyBeginsLikeIt) {
  EXPECT_THAT(split({"plan", "-count", "--configure", ""}).words, ElementsAre("plan", "-count", "--configure", ""));
}

TEST(SplitWords, SaysThatAFileIsMissingOrNamedTwice) {
  EXPECT_TRUE(split({"plan", "-c"}).lacks_value);
  EXPECT_EQ(split({"-c", "A", "plan", "-c", "B"}).config_files.size(), 2U);
}

}  // namespace
}  // namespace nfbus::host
