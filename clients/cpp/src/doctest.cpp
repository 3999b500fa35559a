// Registers the listener for doctest before main: a program that links this file needs nothing else.
//
// SPDX-License-Identifier: Apache-2.0 OR MIT
#include "sidecar/doctest.hpp"

DOCTEST_REGISTER_LISTENER("sidecar", 1, sidecar::DoctestListener);

// For `-Wl,--undefined=sidecar_doctest`, which takes this file out of a static library.
extern "C" const char sidecar_doctest;
extern "C" const char sidecar_doctest = 1;
