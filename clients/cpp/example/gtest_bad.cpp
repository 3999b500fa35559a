// Tests that try the listener of googletest: long names and texts, bytes that are no text, much to record, an end
// by exec, a process that goes on with the tests after a fork.
#include <string>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(Bad, MessagesOfAMegabyte) { FAIL() << std::string(1 << 20, 'm'); }
TEST(Bad, MessagesThatAreNoText) { FAIL() << "\xff\xfe \xc3\x28 \xed\xa0\x80 \xf0\x9f\x98\x80"; }
TEST(Bad, MuchToRecord) {
    for (int i = 0; i < 300; ++i) {
        RecordProperty("key" + std::to_string(i), std::string(static_cast<std::size_t>(i), '\xff') + "\t\"\\");
    }
}
TEST(Bad, ReasonsThatAreEmpty) { GTEST_SKIP(); }

class Long : public testing::TestWithParam<int> {};
TEST_P(Long, Name) {}
INSTANTIATE_TEST_SUITE_P(A, Long, testing::Values(1), [](const testing::TestParamInfo<int> &) {
    return std::string(3000, 'n');
});

// The child returns from the test and would run all that follow once more.
TEST(Zz, ForksAndGoesOn) {
    const pid_t child = fork();
    if (child > 0) {
        EXPECT_EQ(waitpid(child, nullptr, 0), child);
    }
}
TEST(Zz, Last) {}
