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

function option(socket: Socket, level: number, name: number): number {
  const [value, length] = [new Int32Array(1), Uint32Array.of(4)];
  const { fd } = socket as unknown as { fd: number };
  if (getsockopt(fd, level, name, value, length) !== 0) throw new Error(`option ${name}`);
  return value[0]!;
}

const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
afterAll(() => {
  listener.stop(true);
  close();
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
