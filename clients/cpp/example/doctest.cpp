// A suite of doctest with every outcome that it knows. Some of its tests fail on purpose.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

static void wait_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

TEST_CASE("adds up") { CHECK(1 + 1 == 2); }
TEST_CASE("takes its time") { wait_ms(25); }
TEST_CASE("is wrong") {
    int sum = 3;
    CHECK(sum == 4);
    CHECK_MESSAGE(false, "the sum is off");
    WARN(sum == 5);
}
TEST_CASE("stops") { REQUIRE(false); }
TEST_CASE("says so") { FAIL("no paper"); }
TEST_CASE("throws") { throw std::runtime_error("out of paper"); }
TEST_CASE("fails and throws") {
    CHECK(1 == 2);
    throw std::runtime_error("too");
}
TEST_CASE("is left out" * doctest::skip()) { CHECK(false); }
TEST_CASE("crashes" * doctest::skip()) { raise(SIGSEGV); }
TEST_CASE("may fail and does" * doctest::may_fail()) { CHECK(1 == 2); }
TEST_CASE("may fail and does not" * doctest::may_fail()) { CHECK(1 == 1); }
TEST_CASE("should fail and does" * doctest::should_fail()) { CHECK(1 == 2); }
TEST_CASE("should fail and does not" * doctest::should_fail()) { CHECK(1 == 1); }
TEST_CASE("fails as often as expected" * doctest::expected_failures(2)) {
    CHECK(1 == 2);
    CHECK(1 == 3);
}
TEST_CASE("fails less often than expected" * doctest::expected_failures(2)) { CHECK(1 == 2); }
TEST_CASE("takes too long" * doctest::timeout(0.001)) { wait_ms(5); }

TEST_SUITE("cart") {
    TEST_CASE("has subcases" * doctest::description("of a cart")) {
        SUBCASE("one") {
            SUBCASE("inner a") { wait_ms(5); }
            SUBCASE("inner b") { CHECK(1 == 3); }
        }
        SUBCASE("two") { CHECK(true); }
    }
    TEST_CASE("is of this suite") {}
}
TEST_SUITE("other") {
    TEST_CASE("is of this suite") {}
}

TEST_CASE_TEMPLATE("sizes", T, int, char) { CHECK(sizeof(T) > 1); }

TEST_CASE("fails on a thread") {
    std::thread([] { CHECK(1 == 2); }).join();
}

// A child that fails on its own account, where nobody sees it.
TEST_CASE("a child fails") {
    const pid_t child = fork();
    if (child == 0) {
        std::fclose(stdout);
        CHECK(false);
        std::_Exit(0);
    }
    CHECK(waitpid(child, nullptr, 0) == child);
}

TEST_CASE("messages of a megabyte") { FAIL(std::string(1 << 20, 'm')); }
TEST_CASE("messages that are no text") { FAIL("\xff\xfe \xc3\x28"); }
