// The main of the suites of Catch2.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
