// Registers the listener of googletest by hand, in a main of its own.
#include <gtest/gtest.h>

#include <sidecar/gtest.hpp>

TEST(ByHand, IsTold) {}

int main(int argc, char **argv) {
    testing::InitGoogleTest(&argc, argv);
    sidecar::register_gtest();
    sidecar::register_gtest();
    return RUN_ALL_TESTS();
}
