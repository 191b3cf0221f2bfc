/* Preloaded into the program under test: its clock is not synchronised while the file named by
 * UNSYNCED exists. bun:ffi resolves through dlopen, so dlopen of libc is answered with this library
 * itself; what it does not define is found in the libc it is linked to. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timex.h>
#include <unistd.h>

int adjtimex(struct timex *timex) {
  memset(timex, 0, sizeof *timex);
  int unsynced = access(getenv("UNSYNCED"), F_OK) == 0;
  if (unsynced) timex->status = STA_UNSYNC;
  return unsynced ? TIME_ERROR : TIME_OK;
}

void *dlopen(const char *name, int flags) {
  static void *(*next)(const char *, int);
  if (!next) next = dlsym(RTLD_NEXT, "dlopen");
  Dl_info self;
  if (name && !strncmp(name, "libc.so", 7) && dladdr((void *)adjtimex, &self)) {
    return next(self.dli_fname, flags);
  }
  return next(name, flags);
}
