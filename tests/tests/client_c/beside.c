/* A C program with two libraries that were written in Rust. */
#include "sidecar.h"

int other_catches(void);

int main(void) {
    sidecar_event(0, "beside", NULL, "run", NULL, 0);
    return other_catches() == 1 ? 7 : 1;
}
