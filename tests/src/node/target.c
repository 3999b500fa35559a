/* A program to be watched, with markers of the provider PROVIDER. It does what the lines of its standard input say, or its
 * arguments, one line each:
 *
 *   tests FROM COUNT STATUS   starts and ends COUNT tests, `test::N`, with this status (a number)
 *   begin FROM COUNT          starts COUNT tests, `test::N`, that do not end
 *   crowd COUNT               COUNT children that start a test each and, once all have, are killed
 *   hit COUNT                 fires `hit` COUNT times: number, a string
 *   json COUNT A B C D        fires `hit` COUNT times with a kilobyte of A, as many B, 0, as many C, D; - is nothing
 *   odd                       fires `odd`, whose second argument nobody can read
 *   many                      runs over MANY sites of the marker `many`
 *   semaphores                prints the listeners of start, end, hit
 *   eat                       takes memory until it is ended
 *   sync                      prints `ok`
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MANY
#define MANY 1
#endif
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

/* The semaphores begin a page, as those of sidecar-markers do: see there. */
unsigned short semaphores[4] __attribute__((section(".probes"), used, aligned(4096)));

#define NOTE(name, semaphore, args)                                                                                  \
    ".pushsection .note.stapsdt, \"\", @note\n"                                                                      \
    ".balign 4\n"                                                                                                    \
    ".4byte 992f-991f, 994f-993f, 3\n"                                                                               \
    "991: .asciz \"stapsdt\"\n"                                                                                      \
    "992: .balign 4\n"                                                                                               \
    "993: .8byte 990b\n"                                                                                             \
    ".8byte _.stapsdt.base\n"                                                                                        \
    ".8byte " semaphore "\n"                                                                                         \
    ".asciz \"" TEXT(PROVIDER) "\"\n"                                                                                \
    ".asciz \"" name "\"\n"                                                                                          \
    ".asciz \"" args "\"\n"                                                                                          \
    "994: .balign 4\n"                                                                                               \
    ".popsection\n"

#define MARKER(name, semaphore, args)                                                                                \
    __asm__(".text\n.balign 16\n.type fire_" name ", @function\nfire_" name ":\n"                                    \
            "990: nop\nret\n" NOTE(name, semaphore, args))

__asm__(".pushsection .stapsdt.base, \"aG\", @progbits, .stapsdt.base, comdat\n"
        ".weak _.stapsdt.base\n.hidden _.stapsdt.base\n_.stapsdt.base: .space 1\n.size _.stapsdt.base, 1\n"
        ".popsection\n");

void fire_start(const char *test_id);
void fire_end(const char *test_id, int status, unsigned long duration_ns, const char *message);
void fire_hit(unsigned long number, const char *text);
void fire_odd(unsigned long first, unsigned long second, const char *third);
void fire_many(void);

MARKER("start", "semaphores", "8@%rdi");
MARKER("end", "semaphores + 2", "8@%rdi -4@%esi 8@%rdx 8@%rcx");
MARKER("hit", "semaphores + 4", "8@%rdi 8@%rsi");
MARKER("odd", "0", "8@%rdi 8@%nonsense((: 8@%rdx");
__asm__(".text\n.balign 16\n.type fire_many, @function\nfire_many:\n"
        ".rept " TEXT(MANY) "\n"
        "990: nop\n.balign 16\n" NOTE("many", "0", "8@%rdi")
        ".endr\nret\n");

static volatile unsigned short *listeners = semaphores;

static void fire_json(unsigned long count, char part[4][64]) {
    char text[1024] = "";
    for (int i = 0; i < 4; i++)
        if (strcmp(part[i], "-") == 0) part[i][0] = 0;
    unsigned long step = strlen(part[1]) + strlen(part[2]);
    unsigned long times = step ? (sizeof text - 2 - strlen(part[0]) - strlen(part[3])) / step : 0;
    strcat(text, part[0]);
    for (unsigned long i = 0; i < times; i++) strcat(text, part[1]);
    strcat(text, "0");
    for (unsigned long i = 0; i < times; i++) strcat(text, part[2]);
    strcat(text, part[3]);
    for (unsigned long i = 0; i < count; i++)
        if (listeners[2]) fire_hit(i, text);
}

static void crowd(unsigned long count) {
    char text[64], begun;
    int ends[2];
    pid_t *children = malloc(count * sizeof *children);
    if (!children || pipe(ends)) exit(1);
    for (unsigned long i = 0; i < count; i++) {
        children[i] = fork();
        if (children[i] < 0) exit(1);
        if (children[i]) continue;
        snprintf(text, sizeof text, "test::%lu", i);
        if (listeners[0]) fire_start(text);
        if (write(ends[1], "", 1) == 1) for (;;) pause();
        _exit(1);
    }
    for (unsigned long i = 0; i < count; i++)
        if (read(ends[0], &begun, 1) != 1) exit(1);
    for (unsigned long i = 0; i < count; i++) kill(children[i], SIGKILL);
    for (unsigned long i = 0; i < count; i++) waitpid(children[i], NULL, 0);
    free(children);
    close(ends[0]);
    close(ends[1]);
}

static void obey(char *line) {
    unsigned long a = 0, b = 0;
    int status = 0;
    char text[64], part[4][64];
    if (sscanf(line, "tests %lu %lu %d", &a, &b, &status) == 3) {
        for (unsigned long i = a; i < a + b; i++) {
            snprintf(text, sizeof text, "test::%lu", i);
            if (listeners[0]) fire_start(text);
            if (listeners[1]) fire_end(text, status, 1000 * i, status ? "it did not" : NULL);
        }
    } else if (sscanf(line, "begin %lu %lu", &a, &b) == 2) {
        for (unsigned long i = a; i < a + b; i++) {
            snprintf(text, sizeof text, "test::%lu", i);
            if (listeners[0]) fire_start(text);
        }
    } else if (sscanf(line, "crowd %lu", &a) == 1) {
        crowd(a);
    } else if (sscanf(line, "hit %lu", &a) == 1) {
        for (unsigned long i = 0; i < a; i++) {
            snprintf(text, sizeof text, "hit number %lu", i);
            if (listeners[2]) fire_hit(i, text);
        }
    } else if (sscanf(line, "json %lu %63s %63s %63s %63s", &a, part[0], part[1], part[2], part[3]) == 5) {
        fire_json(a, part);
    } else if (strncmp(line, "odd", 3) == 0) {
        fire_odd(1, 2, "three");
    } else if (strncmp(line, "many", 4) == 0) {
        fire_many();
    } else if (strncmp(line, "semaphores", 10) == 0) {
        printf("%u %u %u\n", listeners[0], listeners[1], listeners[2]);
    } else if (strncmp(line, "eat", 3) == 0) {
        for (size_t some = 1 << 20;;) {
            char *more = malloc(some);
            if (more) memset(more, 1, some);
        }
    } else if (strncmp(line, "sync", 4) == 0) {
        printf("ok\n");
    } else {
        fprintf(stderr, "not understood: %s\n", line);
        exit(1);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    char line[256];
    for (int i = 1; i < argc; i++) {
        snprintf(line, sizeof line, "%s", argv[i]);
        obey(line);
    }
    if (argc > 1) return 0;
    printf("ready\n");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) obey(line);
    return 0;
}
