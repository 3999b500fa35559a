/* A C and C++ program that uses sidecar.h as its argument says, each in a way that a marker has to survive. What it fires
 * is fixed; what it prints is told where it is printed. With -DLOADED it takes the functions from the library that it is
 * given, and links none. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "sidecar.h"

#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define EACH 200
#define FORKS 10
#define INTERRUPTIONS 50

#ifdef LOADED
/* The library is loaded, used and let go three times. */
static int reload(const char *path) {
    int round;
    for (round = 0; round < 3; round++) {
        void *library = dlopen(path, RTLD_NOW);
        void (*event)(uint64_t, const char *, const char *, const char *, const void *, size_t);
        void (*end)(uint64_t, const char *, uint32_t, uint64_t, const char *, uint32_t);
        if (!library) return 1;
        *(void **)&event = dlsym(library, "sidecar_event");
        *(void **)&end = dlsym(library, "sidecar_test_end");
        if (!event || !end) return 2;
        event(7, "loaded", "reload", "run", NULL, 0);
        end(7, "reload", SIDECAR_PASSED, 1000, NULL, (uint32_t)round + 1);
        if (dlclose(library)) return 3;
    }
    return 0;
}

int main(int argc, char **argv) {
    return argc == 2 ? reload(argv[1]) : 4;
}
#else
static volatile sig_atomic_t handled;

static void handler(int signal) {
    (void)signal;
    sidecar_event(2, "handler", "signals", "run", "h", 1);
    handled = handled + 1;
}

/* A timer interrupts a loop of markers, so that a marker is fired inside another one. Prints how many of each. */
static void signals(void) {
    struct sigaction action;
    struct itimerval timer = {{0, 100}, {0, 100}}, none = {{0, 0}, {0, 0}};
    int fired = 0;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    while (handled < INTERRUPTIONS) {
        if (fired < 5000) {
            sidecar_event(1, "main", "signals", "run", "m", 1);
            fired++;
        } else {
            pause();
        }
    }
    setitimer(ITIMER_REAL, &none, NULL);
    printf("%d %d\n", fired, (int)handled);
}

static pthread_key_t key;

static void at_thread_exit(void *name) {
    sidecar_event(4, "thread_exit", (const char *)name, "run", NULL, 0);
}

static void *thread(void *name) {
    int i;
    pthread_setspecific(key, name);
    for (i = 0; i < EACH; i++) sidecar_event(3, "thread", (const char *)name, "run", &i, sizeof i);
    return NULL;
}

static int ends;

static void at_exit(void) { sidecar_event(5, "exit", NULL, NULL, NULL, 0); }

__attribute__((destructor)) static void destructor(void) {
    if (ends) sidecar_event(5, "destructor", NULL, NULL, NULL, 0);
}

/* Many threads at once; then the ends of threads and of the process, where little of either is left. */
static void threads(void) {
    static char names[THREADS][2];
    pthread_t ids[THREADS];
    int i;
    pthread_key_create(&key, at_thread_exit);
    atexit(at_exit);
    ends = 1;
    for (i = 0; i < THREADS; i++) {
        names[i][0] = (char)('0' + i);
        pthread_create(&ids[i], NULL, thread, names[i]);
    }
    for (i = 0; i < THREADS; i++) pthread_join(ids[i], NULL);
}

/* Fires, forks and lets the child fire, several times over. Prints the children that did not end with status 3. */
static void forks(void) {
    int i, status, wrong = 0;
    for (i = 0; i < FORKS; i++) {
        pid_t child;
        sidecar_event(6, "parent", "forks", "run", NULL, 0);
        child = fork();
        if (child == 0) {
            sidecar_event(6, "child", "forks", "run", NULL, 0);
            sidecar_test_end(6, "forks", SIDECAR_PASSED, 1000, NULL, (uint32_t)i + 1);
            _exit(3);
        }
        waitpid(child, &status, 0);
        wrong += !(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    }
    printf("%d\n", wrong);
}

/* Every function with every odd text. */
static void words(void) {
    char *megabyte = (char *)malloc((1 << 20) + 1);
    memset(megabyte, 'm', 1 << 20);
    megabyte[1 << 20] = 0;
    sidecar_test_start(sidecar_key("run", "plain"), "plain", "run", "suite", 2);
    sidecar_event(sidecar_key("run", "plain"), "step", "plain", "run", "{\"a\":1}", 7);
    sidecar_test_end(sidecar_key("run", "plain"), "plain", SIDECAR_FAILED, 1234567, "it broke", 2);
    sidecar_test_start(0, NULL, NULL, NULL, 0);
    sidecar_test_end(0, NULL, SIDECAR_UNKNOWN, 0, NULL, 0);
    sidecar_event(0, NULL, NULL, NULL, NULL, SIZE_MAX);
    sidecar_anomaly(NULL, NULL);
    sidecar_test_start(1, megabyte, megabyte, megabyte, 1);
    sidecar_test_end(1, megabyte, SIDECAR_PASSED, 5, megabyte, 1);
    sidecar_event(1, "megabyte", megabyte, megabyte, megabyte, 1 << 20);
    sidecar_event(1, "inner_nul", "in\0ner", "run", "a\0b\xff", 4);
    sidecar_anomaly("events", "slow");
    free(megabyte);
}

int main(int argc, char **argv) {
    const char *verb = argc == 2 ? argv[1] : "";
    if (!strcmp(verb, "words")) words();
    else if (!strcmp(verb, "signals")) signals();
    else if (!strcmp(verb, "threads")) threads();
    else if (!strcmp(verb, "forks")) forks();
    else return 4;
    return 7;
}
#endif
