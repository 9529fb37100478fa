#include "support/log.hpp"

#include "support/descriptor.hpp"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

namespace nfbus::host::log {
namespace {

// Gives the process its standard error back.
class JournalPriority : public testing::Test {
 protected:
  JournalPriority() : before_(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
    reader_ = Descriptor(ends[0]);
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[1]);
    struct stat found {};
    EXPECT_EQ(::fstat(STDERR_FILENO, &found), 0);
    device_ = std::to_string(found.st_dev);
    inode_ = std::to_string(found.st_ino);
  }
  ~JournalPriority() override {
    set_journal_stream(nullptr);
    ::dup2(before_.get(), STDERR_FILENO);
  }

  static std::string first_of(Level level) {
    std::array<char, kMostLineBytes> room{};
    const std::string line(make_line(level, "source", "a\nb", room));
    return line.substr(0, line.find("nfbus"));
  }
  std::string written() const {
    std::array<char, 256> text{};
    const ssize_t size = ::read(reader_.get(), text.data(), text.size());
    return {text.data(), size > 0 ? static_cast<std::size_t>(size) : 0};
  }

  const Descriptor before_;
  Descriptor reader_;
  std::string device_;
  std::string inode_;
};

TEST_F(JournalPriority, StandsBeforeEachLineThatTheJournalReads) {
  set_journal_stream((device_ + ':' + inode_).c_str());
  EXPECT_EQ(first_of(Level::error), "<3>");
  EXPECT_EQ(first_of(Level::warning), "<4>");
  EXPECT_EQ(first_of(Level::info), "<6>");
  EXPECT_EQ(first_of(Level::debug), "<7>");
  warning("two\nlines");
  EXPECT_EQ(written(), "<4>nfbus: warning: two\\x0alines\n");
}

TEST_F(JournalPriority, IsNotThereWhereSomebodyElseReads) {
  const std::string none;
  for (const std::string& stream :
       {none, device_, device_ + ':', ':' + inode_, device_ + ':' + inode_ + "1", "1" + device_ + ':' + inode_,
        device_ + ':' + inode_ + ' ', '-' + device_ + ':' + inode_, device_ + ' ' + inode_, std::string("x:y"),
        device_ + ":99999999999999999999999999"}) {
    set_journal_stream(stream.c_str());
    EXPECT_EQ(first_of(Level::error), "") << stream;
  }
  set_journal_stream(nullptr);
  EXPECT_EQ(first_of(Level::error), "");
  set_journal_stream((device_ + ':' + inode_).c_str());
  EXPECT_EQ(first_of(Level::error), "<3>");
}

}  // namespace
}  // namespace nfbus::host::log
