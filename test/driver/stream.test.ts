import { afterAll, expect, test } from "bun:test";
import { dlopen, FFIType as T } from "bun:ffi";
import type { Socket } from "bun";
import { Stream } from "../../src/driver/wire/stream.ts";

/** What the kernel itself says of a socket; numbers of Linux, socket(7) and tcp(7). */
const { symbols: { getsockopt }, close } = dlopen("libc.so.6", {
  getsockopt: { args: [T.i32, T.i32, T.i32, T.ptr, T.ptr], returns: T.i32 },
});
const [SOL_SOCKET, IPPROTO_TCP] = [1, 6];
const [SO_KEEPALIVE, TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT] = [9, 4, 5, 6];
const [SO_LINGER, TCP_USER_TIMEOUT] = [13, 18];

function words(socket: Socket, level: number, name: number, n: number): number[] {
  const [value, length] = [new Int32Array(n), Uint32Array.of(4 * n)];
  const { fd } = socket as unknown as { fd: number };
  if (getsockopt(fd, level, name, value, length) !== 0) throw new Error(`option ${name}`);
  return [...value];
}
const option = (socket: Socket, level: number, name: number): number =>
  words(socket, level, name, 1)[0]!;

const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
afterAll(() => {
  listener.stop(true);
  close();
});

test("W14: no byte outlives the socket, nor a write its deadline by more than a ms", async () => {
  const socket = await Bun.connect({
    hostname: "127.0.0.1", port: listener.port, socket: { data() {} },
  });
  const stream = new Stream(socket);
  expect(words(socket, SOL_SOCKET, SO_LINGER, 2)).toEqual([1, 0]);
  const within = (ms: number): number => {
    expect(stream.send(Uint8Array.of(1), 1, ms)).toBe(true);
    return option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT);
  };
  expect([250, 250.2, 0.1, Infinity].map(within)).toEqual([250, 251, 1, 0]);
  stream.end();
});

test("who goes without a word is asked after 10 s, in doubt after 1 s, three times", async () => {
  const socket = await Bun.connect({
    hostname: "127.0.0.1", port: listener.port, socket: { data() {} },
  });
  const kept = (): number[] => [option(socket, SOL_SOCKET, SO_KEEPALIVE),
    ...[TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].map((name) => option(socket, IPPROTO_TCP, name))];
  expect(kept()[0]).toBe(0);
  const stream = new Stream(socket);
  expect(kept()).toEqual([1, 10, 5, 3]);
  stream.doubt();
  expect(kept()).toEqual([1, 1, 5, 3]);
  stream.end();
});
