// What libnftables prints of its messages, read back into messages.
#include "compiler.hpp"
#include "attributes.hpp"

#include <gtest/gtest.h>
#include <linux/netfilter/nf_tables.h>

#include <string>

namespace nftrules {
namespace {

// As nft 1.0.6 prints `nft --check --debug mnl add table inet nfbus`, without the first questions.
constexpr const char* kPrinted =
    "----------------\t------------------\n"
    "|  0000000020  |\t| message length |\n"
    "| 02576 | R--- |\t|  type | flags  |\n"
    "|  0000000000  |\t| sequence number|\n"
    "|  0000000000  |\t|     port ID    |\n"
    "----------------\t------------------\n"
    "| 00 00 00 00  |\t|  extra header  |\n"
    "----------------\t------------------\n"
    "----------------\t------------------\n"
    "|  0000000020  |\t| message length |\n"
    "| 00016 | R--- |\t|  type | flags  |\n"
    "|  0000000000  |\t| sequence number|\n"
    "|  0000000000  |\t|     port ID    |\n"
    "----------------\t------------------\n"
    "| 00 00 00 0a  |\t|  extra header  |\n"
    "----------------\t------------------\n"
    "----------------\t------------------\n"
    "|  0000000040  |\t| message length |\n"
    "| 02560 | R--- |\t|  type | flags  |\n"
    "|  0000000001  |\t| sequence number|\n"
    "|  0000000000  |\t|     port ID    |\n"
    "----------------\t------------------\n"
    "| 01 00 00 00  |\t|  extra header  |\n"
    "|\033[1;31m00010\033[0m|\033[1;32m--\033[0m|\033[1;34m00001\033[0m|\t|len |flags| type|\n"
    "| 6e 66 62 75  |\t|      data      |\t n f b u\n"
    "| 73 00 00 00  |\t|      data      |\t s      \n"
    "|\033[1;31m00008\033[0m|\033[1;32mN-\033[0m|\033[1;34m00002\033[0m|\t|len |flags| type|\n"
    "| 00 00 00 7c  |\t|      data      |\t       |\n"
    "----------------\t------------------\n";

TEST(MessagesOf, ReadsTheBatchAndNotTheQuestionsBeforeIt) {
  const auto messages = messages_of(kPrinted);
  ASSERT_TRUE(messages.ok()) << messages.error().text;
  ASSERT_EQ(messages->size(), 1U);
  const Message& message = messages->front();
  EXPECT_EQ(message.type, NFT_MSG_NEWTABLE);
  EXPECT_EQ(message.family, 1);
  const Attributes attributes(message.attributes);
  EXPECT_EQ(attributes.find(1).text(), "nfbus");
  EXPECT_EQ(attributes.find(2).be32(), 0x7cU);
  EXPECT_EQ(message.attributes.size(), 20U);
}

TEST(MessagesOf, SaysWhenItDoesNotKnowTheRows) {
  for (const char* row :
       {"hello\n", "| 6e 66 zz 75  |\t|      data      |\t n f b u\n", "|xxxxx|--|00001|\t|len |flags| type|\n"}) {
    const auto messages = messages_of(row);
    ASSERT_FALSE(messages.ok()) << row;
    EXPECT_EQ(messages.error().code, nfbus::Code::unsupported);
  }
}

TEST(MessagesOf, CutAnywhereItReadsOrRefuses) {
  const std::string whole = kPrinted;
  for (std::size_t size = 0; size < whole.size(); ++size) static_cast<void>(messages_of(whole.substr(0, size)));
}

}  // namespace
}  // namespace nftrules
