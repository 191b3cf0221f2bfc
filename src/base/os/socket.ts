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
