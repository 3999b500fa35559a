/* Loads several copies of the library, one into a namespace of its own, then the first file once more into another
 * namespace, and fires a marker of each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef void (*event_function)(uint64_t, const char *, const char *, const char *, const void *, size_t);

static int tell(void *library, const char *type) {
    event_function event;
    void *symbol = library == NULL ? NULL : dlsym(library, "sidecar_event");
    if (symbol == NULL) {
        fprintf(stderr, "%s: %s\n", type, dlerror());
        return 1;
    }
    memcpy(&event, &symbol, sizeof event);
    event(0, type, NULL, "run", NULL, 0);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        return 2;
    }
    int wrong = tell(dlopen(argv[1], RTLD_NOW | RTLD_LOCAL), "first_copy");
    wrong += tell(dlopen(argv[2], RTLD_NOW | RTLD_LOCAL), "other_copy");
    wrong += tell(dlmopen(LM_ID_NEWLM, argv[3], RTLD_NOW), "own_namespace");
    wrong += tell(dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW), "same_file");
    return wrong;
}
