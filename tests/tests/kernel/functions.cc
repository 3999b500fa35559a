// Functions to be watched: each line of the standard input calls some.
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#define WATCHED extern "C" __attribute__((noinline, noclone))

static volatile long sink;

static long long now() {
  timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/// What the function itself saw of its time.
static long long inner;

WATCHED long slept(long microseconds) {
  long long start = now();
  timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&time, nullptr);
  inner = now() - start;
  return microseconds * 2;
}

WATCHED int work(int thread, const char *text, unsigned char small, long number) {
  sink += number;
  return static_cast<int>(-thread - static_cast<int>(strlen(text)) - small);
}

WATCHED long recursed(long depth) {
  long below = depth > 1 ? recursed(depth - 1) : 0;
  sink += depth;
  return below + 1;
}

static jmp_buf target;

WATCHED long jumped(long number) {
  sink += number;
  longjmp(target, 1);
}

WATCHED void thrown(long number) {
  sink += number;
  throw std::runtime_error("thrown");
}

WATCHED long caught(long number) {
  try {
    thrown(number);
  } catch (const std::exception &) {
    return number;
  }
  return -1;
}

struct Inside {
  long before;
  const char *name;
  const int *kind;
};

WATCHED void member(const Inside *inside) { sink += inside->before; }

static void threads(long count, long each) {
  std::vector<std::thread> running;
  for (long thread = 0; thread < count; ++thread) {
    running.emplace_back([=] {
      for (long i = 0; i < each; ++i) sink += work(static_cast<int>(thread), "text", 200, i);
    });
  }
  for (auto &thread : running) thread.join();
}

int main() {
  puts("ready");
  fflush(stdout);
  char line[256], word[32];
  while (fgets(line, sizeof line, stdin)) {
    long a = 0, b = 0;
    sscanf(line, "%31s %ld %ld", word, &a, &b);
    std::string verb = word;
    if (verb == "sleep") {
      long long start = now();
      slept(a);
      long long outer = now() - start;
      printf("%lld %lld\n", inner, outer);
    } else if (verb == "threads") {
      threads(a, b);
    } else if (verb == "recurse") {
      sink += recursed(a);
    } else if (verb == "jump") {
      for (volatile long i = 0; i < a; ++i)
        if (!setjmp(target)) jumped(i);
    } else if (verb == "throw") {
      for (long i = 0; i < a; ++i) {
        try {
          thrown(i);
        } catch (const std::exception &) {
        }
      }
    } else if (verb == "catch") {
      for (long i = 0; i < a; ++i) sink += caught(i);
    } else if (verb == "member") {
      static const int kind = 3;
      Inside inside = {a, "inside", b ? &kind : nullptr};
      member(&inside);
    } else if (verb == "sync") {
      puts("ok");
    }
    fflush(stdout);
  }
  return 0;
}
