/* Calls every entry point in every odd way: `smoke EXPECTED`, where EXPECTED (0 or 1) is what
 * sidecar_enabled must say. Exits with 0, with 99 if somebody listens where nobody should, or with the line of the first
 * thing that is not as it should be. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sidecar.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) return __LINE__ % 256;                                                             \
    } while (0)

/* While this is set, an allocation ends the process with status 250. */
static int no_allocation;

#ifdef __cplusplus
#define NOTHROW throw()
extern "C" {
#else
#define NOTHROW
#endif
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
void *malloc(size_t size) NOTHROW {
    if (no_allocation) _exit(250);
    return __libc_malloc(size);
}
void *calloc(size_t count, size_t size) NOTHROW {
    if (no_allocation) _exit(250);
    return __libc_calloc(count, size);
}
#ifdef __cplusplus
}
#endif

static char megabyte[(1 << 20) + 1];
static const char *unterminated;

static void fire(const char *text, const void *data, size_t data_len) {
    sidecar_test_start(UINT64_MAX, text, text, text, UINT32_MAX);
    sidecar_test_end(1, text, SIDECAR_FAILED, UINT64_MAX, text, 0);
    sidecar_test_end(1, text, 12345, 0, text, 1);
    sidecar_event(0, text, text, text, data, data_len);
    sidecar_anomaly(text, text);
}

static void fire_all(void) {
    fire(NULL, NULL, 0);
    fire(NULL, NULL, SIZE_MAX);
    fire("", "", 0);
    fire("plain", "a\0b", 3);
    fire("gr\xc3\xbc\xc3\x9f \xff\xfe", megabyte, sizeof megabyte);
    fire(megabyte, megabyte, 1024);
    fire(unterminated, unterminated, 1028);
}

int main(int argc, char **argv) {
    long page = sysconf(_SC_PAGESIZE);
    int expected, marker;
    char *pages;

    CHECK(argc == 2);
    expected = atoi(argv[1]);
    CHECK(sidecar_abi_version() == SIDECAR_ABI_VERSION);
    for (marker = SIDECAR_MARKER_TEST_START; marker <= SIDECAR_MARKER_ANOMALY; marker++) {
        if (sidecar_enabled((uint32_t)marker) > expected) return 99;
        CHECK(sidecar_enabled((uint32_t)marker) == expected);
    }
    CHECK(sidecar_enabled(4) == 0);

    /* FNV-1a of "run\0test", of "\0test" and of "\0". */
    CHECK(sidecar_key("run", "test") == KEY_RUN_TEST);
    CHECK(sidecar_key(NULL, "test") == sidecar_key("", "test"));
    CHECK(sidecar_key(NULL, NULL) == UINT64_C(0xaf63bd4c8601b7df));

    /* A string without NUL that ends where the readable memory ends: copies must stop at 1 KiB. */
    memset(megabyte, 'm', sizeof megabyte - 1);
    pages = (char *)mmap(NULL, 2 * (size_t)page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED);
    CHECK(mprotect(pages + page, (size_t)page, PROT_NONE) == 0);
    memset(pages, 'u', (size_t)page);
    unterminated = pages + page - 1028;

    errno = ENOTTY;
    no_allocation = 1;
    fire_all();
    CHECK(errno == ENOTTY);

    /* From here on the kernel kills the process at any system call but read, write and exit. */
    CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0);
    fire_all();
    syscall(SYS_exit, sidecar_key("run", "test") == KEY_RUN_TEST ? 0 : 1);
    return 1;
}
