/* Compiled with the header of ABI version 1, as a program that was built long ago. */
#include <inttypes.h>
#include <stdio.h>

#include "sidecar-abi-1.h"

int main(void) {
    const uint64_t key = sidecar_key("run", "old");
    printf("%d %" PRIu32 "\n", SIDECAR_ABI_VERSION, sidecar_abi_version());
    sidecar_test_start(key, "old", "run", "suite", 1);
    sidecar_event(key, "step", "old", "run", "{}", 2);
    sidecar_test_end(key, "old", SIDECAR_PASSED, 5, NULL, 1);
    return 7;
}
