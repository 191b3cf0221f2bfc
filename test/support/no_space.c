/* Preloaded into the program under test: its disk has no room for databases while the file named by
 * NO_SPACE exists. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
  static ssize_t (*next)(int, const void *, size_t, off64_t);
  if (!next) next = dlsym(RTLD_NEXT, "pwrite64");
  if (access(getenv("NO_SPACE"), F_OK) == 0) {
    errno = ENOSPC;
    return -1;
  }
  return next(fd, bytes, size, at);
}
