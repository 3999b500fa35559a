// Registers the listener for googletest before main: a program that links this file needs nothing else.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#include "sidecar/gtest.hpp"

namespace {
const bool registered = sidecar::register_gtest();
}

// For `-Wl,--undefined=sidecar_gtest`, which takes this file out of a static library.
extern "C" const bool *const sidecar_gtest;
extern "C" const bool *const sidecar_gtest = &registered;
