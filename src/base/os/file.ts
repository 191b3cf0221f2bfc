import { Fault } from "../fault.ts";
import { EAGAIN, EINTR, errno, osFault } from "./error.ts";
import { cString, libc } from "./libc.ts";
import { monotonic } from "./time.ts";

const O_RDONLY = 0, O_RDWR = 2, O_CREAT = 0o100, O_NOCTTY = 0o400, O_NONBLOCK = 0o4000;
const O_CLOEXEC = 0o2000000;
const LOCK_EX = 2, LOCK_NB = 4;

/** Opens a device that never becomes our controlling terminal and never blocks. */
export function openDevice(path: string, isReadOnly = false): number {
  const mode = isReadOnly ? O_RDONLY : O_RDWR;
  const fd = libc().open(cString(path), mode | O_NOCTTY | O_NONBLOCK | O_CLOEXEC, 0);
  if (fd < 0) throw osFault("open-failed", `${path} cannot be opened`, { path });
  return fd;
}

/** Exclusive flock; false = somebody else holds it. It ends with the descriptor. */
export function lockDescriptor(fd: number): boolean {
  if (libc().flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  if (errno() === EAGAIN) return false;
  throw osFault("lock-failed", "The lock could not be taken", { fd });
}

/** Locks a file, made if need be; what releases it, or null if another process has it (W23). */
export function lockFile(path: string): (() => void) | null {
  const fd = libc().open(cString(path), O_RDWR | O_CREAT | O_CLOEXEC, 0o600);
  if (fd < 0) throw osFault("lock-failed", `${path} cannot be opened`, { path });
  if (lockDescriptor(fd)) return () => close(fd);
  close(fd);
  return null;
}

export function close(fd: number): void {
  libc().close(fd);
}

/** Bytes read into `into`; 0 = nothing there now; −1 = the other side is gone. */
export function readDescriptor(fd: number, into: Uint8Array): number {
  const n = Number(libc().read(fd, into, into.length));
  if (n > 0) return n;
  return n < 0 && (errno() === EAGAIN || errno() === EINTR) ? 0 : -1;
}

/** Bytes taken of `bytes[0…n)`, which may be fewer; −1 = the other side is gone. */
export function writeDescriptor(fd: number, bytes: Uint8Array, n: number): number {
  const taken = Number(libc().write(fd, bytes, n));
  if (taken >= 0) return taken;
  return errno() === EAGAIN || errno() === EINTR ? 0 : -1;
}

/** A pipe as [read end, write end]; neither blocks. */
export function pipe(): [read: number, write: number] {
  const ends = new Int32Array(2);
  if (libc().pipe2(ends, O_NONBLOCK | O_CLOEXEC) !== 0) {
    throw osFault("pipe-failed", "A pipe could not be made");
  }
  return [ends[0]!, ends[1]!];
}

const one = Uint8Array.of(1);

/** Wakes who waits on the read end. A full pipe has woken it already. */
export function writePipe(fd: number): void {
  if (writeDescriptor(fd, one, 1) < 0) throw new Fault("pipe-failed", "The wake pipe is closed");
}

const POLLIN = 1, POLLERR = 8, POLLHUP = 16;
const PR_SET_TIMERSLACK = 29;

/** A system that wakes later than this (ms) is not made up for: the rest would be spinning. */
const early_ms_max = 0.3;

/**
 * A longer wait ends once by this (ms) before its time: what runs then runs again when it counts,
 * and code that has not run for a while takes some 50 µs longer.
 */
const rehearsal_ms = 0.8;

/**
 * Waits for one of two descriptors in ppoll(2): its timeout keeps fractions of a millisecond, and
 * on this thread from now on the system may not stretch it by the usual 50 µs (prctl(2)). A wait
 * that ends by time ends on it: it sleeps as much shorter as the system usually wakes late.
 */
export class Waiter {
  /** Twice struct pollfd { int fd; short events; short revents }. */
  readonly #polled: Int32Array;
  readonly #timeout = new Int32Array(4);
  /** ms by which a sleep usually ends too late. */
  #late_ms = 0;

  constructor(first: number, second: number) {
    this.#polled = Int32Array.of(first, POLLIN, second, POLLIN);
    libc().prctl(PR_SET_TIMERSLACK, 1);
  }

  /**
   * Until the monotonic time `until` at most; 0 if that came, or is near. Bit 0: the first has
   * bytes, bit 1: the second; bit 2: the first is gone.
   */
  wait(until: number): number {
    let now = monotonic();
    const end = until - now > 2 * rehearsal_ms ? until - rehearsal_ms : until;
    const wake = end - this.#late_ms;
    for (;;) {
      const sleep_ms = Math.max(0, wake - now);
      const ready = this.#sleep(sleep_ms);
      if (ready !== 0) return ready;
      now = monotonic();
      // Before `wake` it was a signal that ended the sleep.
      if (sleep_ms > 0 && now >= wake) this.#learn(now - wake);
      if (!(now < end)) return 0;
    }
  }

  #learn(late_ms: number): void {
    this.#late_ms += (Math.min(early_ms_max, late_ms) - this.#late_ms) / 16;
  }

  /** What `wait` returns; 0 also if a signal came. */
  #sleep(timeout_ms: number): number {
    const polled = this.#polled;
    polled[1] = POLLIN;
    polled[3] = POLLIN;
    const forever = timeout_ms === Infinity;
    if (!forever) {
      const seconds = Math.floor(timeout_ms / 1000);
      this.#timeout[0] = seconds;
      this.#timeout[2] = Math.floor((timeout_ms - seconds * 1000) * 1e6);
    }
    const n = libc().ppoll(polled, 2, forever ? null : this.#timeout, null);
    if (n <= 0) return 0;
    const first = polled[1]! >>> 16;
    return ((first & POLLIN) !== 0 ? 1 : 0) | ((polled[3]! >>> 16) !== 0 ? 2 : 0) |
      ((first & (POLLERR | POLLHUP)) !== 0 ? 4 : 0);
  }
}
