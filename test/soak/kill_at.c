/* Preloaded into the program under test: it ends itself by SIGKILL at one chosen call, named by
 * KILL_AT as `CALL COUNT WHEN`: CALL is write (to the database), sync or send (to a socket), COUNT
 * says which one of them since the start, WHEN is before, half (only half of the bytes are
 * written) or after. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum when { NEVER, BEFORE, HALF, AFTER };

static char call[16], word[16];
static long count = -1;

static void end(void) {
  kill(getpid(), SIGKILL);
  pause();
}

static enum when due(const char *name) {
  static long seen;
  if (count < 0) {
    const char *at = getenv("KILL_AT");
    if (!at || sscanf(at, "%15s %ld %15s", call, &count, word) != 3) count = 0;
  }
  if (count == 0 || strcmp(call, name) || __atomic_add_fetch(&seen, 1, __ATOMIC_SEQ_CST) != count) {
    return NEVER;
  }
  return !strcmp(word, "before") ? BEFORE : !strcmp(word, "half") ? HALF : AFTER;
}

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (!next) next = dlsym(RTLD_NEXT, "pwrite64");
  enum when when = due("write");
  if (when == BEFORE) end();
  if (when == HALF) size /= 2;
  ssize_t done = next(fd, bytes, size, at);
  if (when != NEVER) end();
  return done;
}

static int synced(int fd, const char *name) {
  int (*next)(int) = dlsym(RTLD_NEXT, name);
  enum when when = due("sync");
  if (when == BEFORE || when == HALF) end();
  int done = next(fd);
  if (when == AFTER) end();
  return done;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

ssize_t send(int fd, const void *bytes, size_t size, int flags) {
  static ssize_t (*next)(int, const void *, size_t, int);
  if (!next) next = dlsym(RTLD_NEXT, "send");
  enum when when = due("send");
  if (when == BEFORE) end();
  if (when == HALF) size /= 2;
  ssize_t done = next(fd, bytes, size, flags);
  if (when != NEVER) end();
  return done;
}
