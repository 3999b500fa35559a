/* The markers of sidecar for C and C++: say what a test does, to whoever watches it from outside.
 *
 * Link with libsidecar_markers.so or libsidecar_markers.a. While nobody listens, each call is a load and a
 * branch. While somebody does, the strings are copied on the stack and one instruction traps into the kernel.
 * No function allocates, locks, makes a system call, changes errno or throws; all may be called from any
 * thread and from signal handlers.
 *
 * Strings end with NUL. They should be UTF-8, but any bytes pass. NULL means "not given" and is fine
 * everywhere. Strings and data are cut at 1 KiB.
 *
 *     uint64_t key = sidecar_key(run, "login works");
 *     sidecar_test_start(key, "login works", run, "web", 1);
 *     int ok = login_works();
 *     sidecar_test_end(key, "login works", ok ? SIDECAR_PASSED : SIDECAR_FAILED, took_ns, NULL, 1);
 *
 * SPDX-License-Identifier: Apache-2.0 OR MIT
 */
#ifndef SIDECAR_H
#define SIDECAR_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of this header. It changes when a function's meaning or parameters do. */
#define SIDECAR_ABI_VERSION 1

/* The version of the library that is linked: compare it with SIDECAR_ABI_VERSION. */
uint32_t sidecar_abi_version(void);

/* How a test ended. */
enum sidecar_status {
    SIDECAR_UNKNOWN = 0, /* not known */
    SIDECAR_PASSED = 1,
    SIDECAR_FAILED = 2,  /* an assertion failed */
    SIDECAR_SKIPPED = 3, /* not run */
    SIDECAR_ERROR = 4,   /* could not be run to its end (set-up, infrastructure) */
    SIDECAR_TIMEOUT = 5, /* ran past its time limit */
    SIDECAR_ABORTED = 6, /* its process died, or the run was cancelled */
    SIDECAR_XFAIL = 7,   /* failed, as expected */
    SIDECAR_XPASS = 8    /* passed, and was expected to fail */
};

/* The markers, for sidecar_enabled. */
enum sidecar_marker {
    SIDECAR_MARKER_TEST_START = 0,
    SIDECAR_MARKER_TEST_END = 1,
    SIDECAR_MARKER_EVENT = 2,
    SIDECAR_MARKER_ANOMALY = 3
};

/* 1 while somebody listens to a marker, else 0. The functions below test it themselves: ask only to save
 * the work of making their arguments:
 *
 *     if (sidecar_enabled(SIDECAR_MARKER_EVENT)) { ... snprintf ... sidecar_event(...); }
 */
int sidecar_enabled(uint32_t marker);

/* The key of a test in a run: a hash, never 0, of both strings (which must end with NUL; they are not cut).
 * Give the same key to all calls for one test, so that its start, events and end are sampled together. */
uint64_t sidecar_key(const char *run_id, const char *test_id);

/* A test, or an attempt of it, starts. key: sidecar_key, or 0. run_id: the environment's SIDECAR_RUN_ID is a
 * good one. suite: the suite or file that it belongs to. attempt: from 1; 0 if not known. */
void sidecar_test_start(uint64_t key, const char *test_id, const char *run_id, const char *suite,
                        uint32_t attempt);

/* A test, or an attempt of it, has ended. status: an enum sidecar_status. duration_ns: how long it took, in
 * nanoseconds. message: why it failed or was skipped. */
void sidecar_test_end(uint64_t key, const char *test_id, uint32_t status, uint64_t duration_ns,
                      const char *message, uint32_t attempt);

/* Something of the program's own happened. event_type: a short word such as "cache_miss". test_id, run_id:
 * of the test that it belongs to. data: data_len bytes of any kind, such as JSON. */
void sidecar_event(uint64_t key, const char *event_type, const char *test_id, const char *run_id,
                   const void *data, size_t data_len);

/* The program saw something abnormal: more of this signal ("test_events", "events", ...) should be kept for
 * a while. kind: a short word such as "slow_response". */
void sidecar_anomaly(const char *signal, const char *kind);

#ifdef __cplusplus
}
#endif

#endif
