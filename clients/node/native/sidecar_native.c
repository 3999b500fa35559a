/* The markers of sidecar for JavaScript: strings and numbers in, one marker fired, never an exception out.
 *
 * It has no state, so any number of threads and contexts may load it. What is not a string counts as not given.
 * A lone surrogate becomes U+FFFD, and a NUL ends a text, as everywhere behind the C ABI.
 *
 * SPDX-License-Identifier: Apache-2.0 OR MIT
 */
#define NAPI_VERSION 8
#include <node_api.h>
#include <stdlib.h>

#include "sidecar.h"

/* Bytes of a text that need no memory of the heap. A marker carries less. */
enum { NEAR = 2048, LONGEST_CHARACTER = 4 };

/* A text of JavaScript's as UTF-8. */
struct text {
    char near[NEAR];
    char *far;      /* the whole text where `near` is too small */
    const char *at; /* the text, or NULL: not given */
    size_t length;
};

/* Takes a text; a whole one only where its hash is asked for. */
static void take(napi_env env, napi_value value, int whole, struct text *text) {
    text->far = NULL;
    text->at = NULL;
    text->length = 0;
    if (napi_get_value_string_utf8(env, value, text->near, NEAR, &text->length) != napi_ok) return;
    text->at = text->near;
    if (!whole || text->length < NEAR - LONGEST_CHARACTER) return;
    size_t length = 0;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok) return;
    text->far = malloc(length + 1);
    if (text->far == NULL) return;
    if (napi_get_value_string_utf8(env, value, text->far, length + 1, &text->length) == napi_ok) text->at = text->far;
}

static void give_back(struct text *text) { free(text->far); }

/* A number as an unsigned integer: what is below 0 or not a number is 0. */
static uint64_t number(napi_env env, napi_value value) {
    double given = 0;
    if (napi_get_value_double(env, value, &given) != napi_ok || !(given > 0)) return 0;
    return given < 18446744073709549568.0 ? (uint64_t)given : UINT64_MAX;
}

static uint32_t small(napi_env env, napi_value value) {
    uint64_t given = number(env, value);
    return given < UINT32_MAX ? (uint32_t)given : UINT32_MAX;
}

/* The arguments; those that are missing are undefined. */
#define ARGUMENTS(count)                                                        \
    napi_value arg[count];                                                      \
    size_t given = (count);                                                     \
    if (napi_get_cb_info(env, info, &given, arg, NULL, NULL) != napi_ok) return NULL

/* enabled(marker): whether somebody listens. */
static napi_value enabled(napi_env env, napi_callback_info info) {
    ARGUMENTS(1);
    napi_value answer = NULL;
    napi_get_boolean(env, sidecar_enabled(small(env, arg[0])) != 0, &answer);
    return answer;
}

/* testStart(testId, runId, suite, attempt, workerPid) */
static napi_value test_start(napi_env env, napi_callback_info info) {
    ARGUMENTS(5);
    struct text id, run, suite;
    take(env, arg[0], 1, &id);
    take(env, arg[1], 1, &run);
    take(env, arg[2], 0, &suite);
    uint64_t key = sidecar_key(run.at, id.at);
#if SIDECAR_ABI_VERSION >= 2
    sidecar_test_start(key, id.at, run.at, suite.at, small(env, arg[3]), small(env, arg[4]));
#else
    sidecar_test_start(key, id.at, run.at, suite.at, small(env, arg[3]));
#endif
    give_back(&id);
    give_back(&run);
    return NULL;
}

/* testEnd(testId, runId, status, nanoseconds, message, attempt) */
static napi_value test_end(napi_env env, napi_callback_info info) {
    ARGUMENTS(6);
    struct text id, run, message;
    take(env, arg[0], 1, &id);
    take(env, arg[1], 1, &run);
    take(env, arg[4], 0, &message);
    uint64_t key = sidecar_key(run.at, id.at);
    sidecar_test_end(key, id.at, small(env, arg[2]), number(env, arg[3]), message.at, small(env, arg[5]));
    give_back(&id);
    give_back(&run);
    return NULL;
}

/* event(type, testId, runId, data) */
static napi_value event(napi_env env, napi_callback_info info) {
    ARGUMENTS(4);
    struct text type, id, run, data;
    take(env, arg[0], 0, &type);
    take(env, arg[1], 1, &id);
    take(env, arg[2], 1, &run);
    take(env, arg[3], 0, &data);
    uint64_t key = id.at == NULL ? 0 : sidecar_key(run.at, id.at);
    sidecar_event(key, type.at, id.at, run.at, data.at, data.length);
    give_back(&id);
    give_back(&run);
    return NULL;
}

/* anomaly(signal, kind) */
static napi_value anomaly(napi_env env, napi_callback_info info) {
    ARGUMENTS(2);
    struct text signal, kind;
    take(env, arg[0], 0, &signal);
    take(env, arg[1], 0, &kind);
    sidecar_anomaly(signal.at, kind.at);
    return NULL;
}

/* abiVersion(): of the markers that are linked. */
static napi_value abi_version(napi_env env, napi_callback_info info) {
    (void)info;
    napi_value answer = NULL;
    napi_create_uint32(env, sidecar_abi_version(), &answer);
    return answer;
}

NAPI_MODULE_INIT() {
    static const struct { const char *name; napi_callback call; } functions[] = {
        {"enabled", enabled},   {"testStart", test_start}, {"testEnd", test_end},
        {"event", event},       {"anomaly", anomaly},      {"abiVersion", abi_version},
    };
    if (sidecar_abi_version() != SIDECAR_ABI_VERSION) {
        napi_throw_error(env, NULL, "the linked markers have another ABI version than sidecar.h");
        return NULL;
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        napi_value function;
        if (napi_create_function(env, functions[i].name, NAPI_AUTO_LENGTH, functions[i].call, NULL, &function) != napi_ok
            || napi_set_named_property(env, exports, functions[i].name, function) != napi_ok)
            return NULL;
    }
    return exports;
}
