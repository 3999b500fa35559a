// A suite of googletest with every outcome that it knows. Some of its tests fail on purpose.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(Cart, AddsUp) { EXPECT_EQ(1 + 1, 2); }
TEST(Cart, TakesItsTime) { std::this_thread::sleep_for(std::chrono::milliseconds(25)); }
TEST(Cart, IsWrong) {
    EXPECT_EQ(1, 2) << "the sum is off";
    EXPECT_TRUE(false) << "and so is \"this\"";
    SUCCEED();
}
TEST(Cart, KeepsWhatItIsTold) {
    RecordProperty("price", 12);
    RecordProperty("note", "quotes \" and\nlines");
}

TEST(Checkout, Stops) { ASSERT_TRUE(false); }
TEST(Checkout, IsLeftOut) { GTEST_SKIP() << "no card reader here"; }
TEST(Checkout, DISABLED_Never) { FAIL(); }
TEST(Checkout, Throws) { throw std::runtime_error("out of paper"); }

// Fails in the first round of --gtest_repeat only.
TEST(Rounds, FirstFails) {
    static int round = 0;
    EXPECT_GT(++round, 1);
}

class Numbers : public testing::TestWithParam<int> {};
TEST_P(Numbers, AreEven) { EXPECT_EQ(GetParam() % 2, 0); }
INSTANTIATE_TEST_SUITE_P(Some, Numbers, testing::Values(2, 3));
INSTANTIATE_TEST_SUITE_P(Named, Numbers, testing::Values(4),
                         [](const testing::TestParamInfo<int> &) { return std::string("Four"); });

template <typename T> class Sizes : public testing::Test {};
typedef testing::Types<int, char> SomeTypes;
TYPED_TEST_SUITE(Sizes, SomeTypes);
TYPED_TEST(Sizes, IsMoreThanAByte) { EXPECT_GT(sizeof(TypeParam), 1U); }

// Children that the framework forks: the test is one all the same.
TEST(CrashDeathTest, Fast) {
    testing::FLAGS_gtest_death_test_style = "fast";
    EXPECT_DEATH(std::abort(), "");
}
TEST(CrashDeathTest, ThreadSafe) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_EXIT(std::_Exit(3), testing::ExitedWithCode(3), "");
}
TEST(CrashDeathTest, Survives) {
    testing::FLAGS_gtest_death_test_style = "fast";
    EXPECT_DEATH((void)0, "");
}

// A child that fails on its own account, where nobody sees it.
TEST(Processes, AChildFails) {
    const pid_t child = fork();
    if (child == 0) {
        std::fclose(stdout);
        ADD_FAILURE() << "in the child";
        std::_Exit(0);
    }
    EXPECT_EQ(waitpid(child, nullptr, 0), child);
}

// A failure on another thread belongs to the test.
TEST(Threads, FailTheirTest) {
    std::thread([] { ADD_FAILURE() << "on a thread"; }).join();
}

class Broken : public testing::Test {
  protected:
    static void SetUpTestSuite() { FAIL() << "no database"; }
};
TEST_F(Broken, IsNotRun) {}
