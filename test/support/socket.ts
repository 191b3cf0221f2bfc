import { dlopen, FFIType as T } from "bun:ffi";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What the kernel itself says of a socket; numbers of Linux, socket(7) and tcp(7). */
const { symbols: { getsockopt } } = dlopen("libc.so.6", {
  getsockopt: { args: [T.i32, T.i32, T.i32, T.ptr, T.ptr], returns: T.i32 },
});
export const [SOL_SOCKET, IPPROTO_TCP] = [1, 6];
export const [SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT] = [9, 4, 5, 6];
export const [SO_LINGER, TCP_USER_TIMEOUT] = [13, 18];

export function option(fd: number, level: number, name: number, n = 1): number[] {
  const [value, length] = [new Int32Array(n), Uint32Array.of(4 * n)];
  if (getsockopt(fd, level, name, value, length) !== 0) throw new Error(`option ${name}`);
  return [...value];
}

/** Descriptors of this process's sockets that lead to a port of IPv4 (proc_pid_net(5)). */
export function leadingTo(port: number): number[] {
  const hex = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set(readFileSync("/proc/self/net/tcp", "utf8").split("\n")
    .map((line) => line.trim().split(/\s+/)).filter((words) => words[2]?.endsWith(hex))
    .map((words) => `socket:[${words[9]}]`));
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return inodes.has(readlinkSync(`/proc/self/fd/${fd}`));
    } catch {
      // Closed meanwhile: the one of this listing.
      return false;
    }
  }).map(Number);
}
