import { afterAll, expect, test } from "bun:test";
import type { Socket } from "bun";
import { Stream } from "../../src/driver/wire/stream.ts";
import {
  IPPROTO_TCP, option, SO_KEEPALIVE, SO_LINGER, SOL_SOCKET, TCP_KEEPCNT, TCP_KEEPIDLE,
  TCP_KEEPINTVL, TCP_USER_TIMEOUT,
} from "../support/socket.ts";

const fdOf = (socket: Socket): number => (socket as unknown as { fd: number }).fd;

const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
afterAll(() => void listener.stop(true));

test("W14: no byte outlives the socket, nor a write its deadline by more than a ms", async () => {
  const socket = await Bun.connect({
    hostname: "127.0.0.1", port: listener.port, socket: { data() {} },
  });
  const stream = new Stream(socket);
  expect(option(fdOf(socket), SOL_SOCKET, SO_LINGER, 2)).toEqual([1, 0]);
  const within = (ms: number): number => {
    expect(stream.send(Uint8Array.of(1), 1, ms)).toBe(true);
    return option(fdOf(socket), IPPROTO_TCP, TCP_USER_TIMEOUT)[0]!;
  };
  expect([250, 250.2, 0.1, Infinity].map(within)).toEqual([250, 251, 1, 0]);
  stream.end();
});

test("who goes without a word is asked after 10 s, in doubt after 1 s, three times", async () => {
  const socket = await Bun.connect({
    hostname: "127.0.0.1", port: listener.port, socket: { data() {} },
  });
  const fd = fdOf(socket);
  const kept = (): number[] => [...option(fd, SOL_SOCKET, SO_KEEPALIVE),
    ...[TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT].flatMap((name) => option(fd, IPPROTO_TCP, name))];
  expect(kept()[0]).toBe(0);
  const stream = new Stream(socket);
  expect(kept()).toEqual([1, 10, 5, 3]);
  stream.doubt();
  expect(kept()).toEqual([1, 1, 5, 3]);
  stream.end();
});
