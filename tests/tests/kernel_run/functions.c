/* A library of functions, or a program of them with -DMAIN: each line of the standard input calls some. */
#include <stdio.h>
#include <string.h>
#include <time.h>

struct pool {
  const char *name;
  const unsigned *size;
};

__attribute__((noipa)) int query(const struct pool *pool, const char *statement, short rows, int microseconds) {
  struct timespec time = {0, microseconds * 1000L};
  if (microseconds) nanosleep(&time, NULL);
  return pool && statement ? -rows : 0;
}

__attribute__((noipa)) int other(int a) { return a + 1; }

#ifdef MAIN
int main(void) {
  static const unsigned size = 7;
  const struct pool pool = {"main", &size};
  char line[64];
  long calls, microseconds;
  puts("ready");
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    if (sscanf(line, "query %ld %ld", &calls, &microseconds) == 2)
      while (calls-- > 0) query(&pool, "select 1", 3, (int)microseconds);
    else if (sscanf(line, "other %ld", &calls) == 1)
      while (calls-- > 0) other((int)calls);
    else if (!strcmp(line, "sync\n"))
      puts("ok");
    fflush(stdout);
  }
  return 0;
}
#endif
