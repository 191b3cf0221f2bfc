import { libc } from "./libc.ts";
import { osFault } from "./error.ts";

const SOL_SOCKET = 1;
const SO_KEEPALIVE = 9;
const SO_LINGER = 13;
const IPPROTO_TCP = 6;
const TCP_KEEPIDLE = 4;
const TCP_KEEPINTVL = 5;
const TCP_KEEPCNT = 6;
const TCP_USER_TIMEOUT = 18;

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

/**
 * TCP_USER_TIMEOUT: the kernel itself gives up the connection, and what lies in it, once the peer
 * has acknowledged nothing for so long, also while this process stands still; 0 = its own default
 * of many minutes. It looks when it sends again, for the first time after some 200 ms. A socket
 * that is closing refuses: nothing leaves it any more.
 */
export function giveUpAfter(fd: number, ms: number): void {
  const value = Int32Array.of(ms);
  libc().setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, value, value.byteLength);
}

/**
 * The kernel asks the peer whether it is still there once nothing came for `idle_ms`, and ends the
 * connection when it does not answer three times, 5 s apart, or knows nothing of it: one that went
 * without a word (power cut, cable) is found out though nobody sends. May be called again.
 */
export function keepAlive(fd: number, idle_ms: number): void {
  const set = (level: number, option: number, value: number): void => {
    const one = Int32Array.of(value);
    libc().setsockopt(fd, level, option, one, one.byteLength);
  };
  set(IPPROTO_TCP, TCP_KEEPINTVL, 5);
  set(IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, Math.ceil(idle_ms / 1000));
}
