import { dlopen, FFIType as T, toArrayBuffer } from "bun:ffi";

/**
 * The C library, opened once a thread when first needed. The name resolves under glibc and, through
 * its own loader's alias, under musl. Variadic calls (open, ioctl, prctl) pass whole numbers only,
 * which on Linux x64 and arm64 travel as those of a fixed signature do.
 *
 * Memory is passed as the view itself, never as a `ptr()` kept from before: the engine moves small
 * typed arrays when their code is compiled anew, and C would write where nobody reads (measured: a
 * clock that stood still after 30,000 calls).
 */
function load() {
  const { symbols } = dlopen("libc.so.6", {
    clock_gettime: { args: [T.i32, T.ptr], returns: T.i32 },
    adjtimex: { args: [T.ptr], returns: T.i32 },
    setsockopt: { args: [T.i32, T.i32, T.i32, T.ptr, T.u32], returns: T.i32 },
    open: { args: [T.ptr, T.i32, T.u32], returns: T.i32 },
    close: { args: [T.i32], returns: T.i32 },
    read: { args: [T.i32, T.ptr, T.u64], returns: T.i64_fast },
    write: { args: [T.i32, T.ptr, T.u64], returns: T.i64_fast },
    ioctl: { args: [T.i32, T.u64, T.ptr], returns: T.i32 },
    flock: { args: [T.i32, T.i32], returns: T.i32 },
    ppoll: { args: [T.ptr, T.u64, T.ptr, T.ptr], returns: T.i32 },
    prctl: { args: [T.i32, T.u64], returns: T.i32 },
    pipe2: { args: [T.ptr, T.i32], returns: T.i32 },
    posix_openpt: { args: [T.i32], returns: T.i32 },
    grantpt: { args: [T.i32], returns: T.i32 },
    unlockpt: { args: [T.i32], returns: T.i32 },
    ptsname_r: { args: [T.i32, T.ptr, T.u64], returns: T.i32 },
    madvise: { args: [T.u64, T.u64, T.i32], returns: T.i32 },
    execve: { args: [T.ptr, T.ptr, T.ptr], returns: T.i32 },
    __errno_location: { args: [], returns: T.ptr },
  });
  // errno is a fixed place of this thread: a live view of it costs no call.
  const errno = new Int32Array(toArrayBuffer(symbols.__errno_location()!, 0, 4));
  return { ...symbols, errno };
}

let opened: ReturnType<typeof load> | null = null;

export function libc(): ReturnType<typeof load> {
  return (opened ??= load());
}

/** A text as C wants it. */
export function cString(text: string): Uint8Array {
  return new TextEncoder().encode(`${text}\0`);
}
