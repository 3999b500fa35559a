/* Fires markers before main, in main, in a forked child of each, and after main. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sidecar.h"

static void tell(const char *type) { sidecar_event(0, type, NULL, "run", NULL, 0); }

static void tell_in_child(const char *type) {
    const pid_t child = fork();
    if (child == 0) {
        tell(type);
        _exit(0);
    }
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        abort();
    }
}

__attribute__((constructor(101))) static void before(void) {
    tell("before_main");
    tell_in_child("child_before_main");
}

__attribute__((destructor)) static void after(void) { tell("after_main"); }

int main(void) {
    tell("in_main");
    tell_in_child("child_of_main");
    return 7;
}
