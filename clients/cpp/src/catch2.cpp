// Registers the listener for Catch2 before main: a program that links this file needs nothing else.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#include "sidecar/catch2.hpp"

namespace {
using SidecarListener = sidecar::Catch2Listener;
}

CATCH_REGISTER_LISTENER(SidecarListener)

// For `-Wl,--undefined=sidecar_catch2`, which takes this file out of a static library.
extern "C" const char sidecar_catch2;
extern "C" const char sidecar_catch2 = 1;
