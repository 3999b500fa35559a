// A suite of Catch2 with every outcome that it knows. Some of its tests fail on purpose.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

TEST_CASE("adds up", "[cart]") { CHECK(1 + 1 == 2); }
TEST_CASE("takes its time", "[cart][slow]") {
    std::this_thread::sleep_for(std::chrono::milliseconds(25));
    CHECK(true);
}
TEST_CASE("is wrong", "[cart]") {
    int sum = 3;
    INFO("the sum is off");
    CHECK(sum == 4);
    CHECK(std::string("a\"b") == "c");
}
TEST_CASE("stops") {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    REQUIRE(false);
}
TEST_CASE("says so") { FAIL("no paper"); }
TEST_CASE("throws") {
    CHECK(true);
    throw std::runtime_error("out of paper");
}
TEST_CASE("fails and throws") {
    CHECK(1 == 2);
    throw std::runtime_error("too");
}
TEST_CASE("may fail and does", "[!mayfail]") { CHECK(1 == 2); }
TEST_CASE("may fail and does not", "[!mayfail]") { CHECK(1 == 1); }
TEST_CASE("should fail and does", "[!shouldfail]") { CHECK(1 == 2); }
TEST_CASE("should fail and does not", "[!shouldfail]") { CHECK(1 == 1); }

TEST_CASE("has sections", "[sections]") {
    CHECK(true);
    SECTION("one") {
        CHECK(true);
        SECTION("inner a") {
            std::this_thread::sleep_for(std::chrono::milliseconds(5));
            CHECK(true);
        }
        SECTION("inner b") { CHECK(1 == 3); }
    }
    SECTION("two") { CHECK(true); }
}

TEST_CASE("generates") {
    auto number = GENERATE(1, 2, 3);
    CHECK(number < 3);
}

TEMPLATE_TEST_CASE("sizes", "[template]", int, char) { CHECK(sizeof(TestType) > 1); }

class Fixture {
  protected:
    int one = 1;
};
TEST_CASE_METHOD(Fixture, "has a fixture") { CHECK(one == 1); }

TEST_CASE("hidden", "[.]") { CHECK(false); }
TEST_CASE("crashes", "[.]") { raise(SIGSEGV); }

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
