// Tests of googletest, of every outcome. Waits for a line, so that nothing is missed.
#include <gtest/gtest.h>

#include <chrono>
#include <thread>

TEST(Cart, AddsUp) { EXPECT_EQ(1 + 1, 2); }
TEST(Cart, TakesItsTime) { std::this_thread::sleep_for(std::chrono::milliseconds(25)); }
TEST(Cart, IsWrong) {
  EXPECT_EQ(1, 2) << "the sum is off";
  SUCCEED();
}
TEST(Cart, SucceedsAndFails) {
  SUCCEED() << "not yet";
  EXPECT_EQ(1, 3) << "the total is off";
  SUCCEED();
}
TEST(Cart, SucceedsOften) {
  for (int i = 0; i < 1000; ++i) SUCCEED();
}
TEST(Cart, SucceedsOftenAndFails) {
  for (int i = 0; i < 1000; ++i) SUCCEED();
  FAIL() << "after all";
}
TEST(Checkout, Stops) { ASSERT_TRUE(false); }
TEST(Checkout, IsLeftOut) { GTEST_SKIP() << "not here"; }
TEST(Checkout, DISABLED_Never) { FAIL(); }
TEST(Checkout, Throws) { throw 1; }

class LeftOut : public testing::Test {
protected:
  void SetUp() override { GTEST_SKIP() << "not today"; }
  void TearDown() override { EXPECT_TRUE(!is_named("Fails")) << "cannot clean up"; }
  static bool is_named(const char *name) {
    return std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) == name;
  }
};
TEST_F(LeftOut, Fails) {}
TEST_F(LeftOut, Skips) {}

// A test that fails in the first of several rounds only: what it told then is not told again.
TEST(Rounds, FirstFails) {
  static int round = 0;
  EXPECT_GT(++round, 1);
}

class Numbers : public testing::TestWithParam<int> {};
TEST_P(Numbers, AreEven) { EXPECT_EQ(GetParam() % 2, 0); }
INSTANTIATE_TEST_SUITE_P(Some, Numbers, testing::Values(2, 3));

int main(int argc, char **argv) {
  testing::InitGoogleTest(&argc, argv);
  fprintf(stderr, "ready\n");
  getchar();
  return RUN_ALL_TESTS();
}
