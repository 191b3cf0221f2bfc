import { libc } from "./libc.ts";
import { osFault } from "./error.ts";

const SOL_SOCKET = 1;
const SO_LINGER = 13;

/**
 * SO_LINGER {on, 0 s}: close sends RST and throws away what was not delivered yet, so that no byte
 * outlives its socket, not even when the process is killed (W14).
 */
export function lingerReset(fd: number): void {
  const linger = new Int32Array([1, 0]);
  if (libc().setsockopt(fd, SOL_SOCKET, SO_LINGER, linger, linger.byteLength) !== 0) {
    throw osFault("socket-option", "SO_LINGER could not be set", { fd });
  }
}

/** True if `lingerReset` holds for this socket. */
export function lingers(fd: number): boolean {
  const linger = new Int32Array(2);
  const length = new Uint32Array([linger.byteLength]);
  const failed = libc().getsockopt(fd, SOL_SOCKET, SO_LINGER, linger, length);
  return failed === 0 && linger[0] === 1 && linger[1] === 0;
}
