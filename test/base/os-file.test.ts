import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  close, lockFile, monotonic, openPty, pipe, readDescriptor, Waiter, writePipe,
} from "../../src/base/os.ts";

test("W23: a lock is taken once, and given back", () => {
  const directory = mkdtempSync(join(tmpdir(), "lock-"));
  const path = join(directory, "lock");
  const release = lockFile(path);
  expect(release).not.toBeNull();
  // flock belongs to the opening, so a second one of the same process is refused like another's.
  expect(lockFile(path)).toBeNull();
  const flock = Bun.spawnSync(["flock", "-n", path, "true"]);
  expect(flock.exitCode).not.toBe(0);
  release!();
  const again = lockFile(path);
  expect(again).not.toBeNull();
  again!();
  rmSync(directory, { recursive: true });
  expect(() => lockFile(join(directory, "none", "lock"))).toThrow("there is no such file");
});

test("a pipe wakes, and a full pipe has woken already", () => {
  const [from, to] = pipe();
  const waiter = new Waiter(from, -1);
  expect(waiter.wait(0)).toBe(0);
  for (let i = 0; i < 100_000; i++) writePipe(to);
  expect(waiter.wait(monotonic() + 1000)).toBe(1);
  const into = new Uint8Array(4096);
  while (readDescriptor(from, into) > 0);
  expect(waiter.wait(0)).toBe(0);
  close(to);
  expect(waiter.wait(monotonic() + 1000)).toBe(4);
  expect(readDescriptor(from, into)).toBe(-1);
  close(from);
});

test("a wait keeps the fraction of a millisecond", () => {
  const [from, to] = pipe();
  const waiter = new Waiter(from, from);
  const waited: number[] = [];
  for (let i = 0; i < 51; i++) {
    const began = monotonic();
    waiter.wait(began + 0.4);
    waited.push(monotonic() - began);
  }
  waited.sort((a, b) => a - b);
  expect(waited[0]!).toBeGreaterThanOrEqual(0.4);
  // The median of a loaded machine; a clock of whole milliseconds would give 0 or 1.
  expect(waited[25]!).toBeLessThan(0.95);
  close(from);
  close(to);
});

test("a longer wait ends near its time once, and then on it", () => {
  const [from, to] = pipe();
  const waiter = new Waiter(from, from);
  const until = monotonic() + 20;
  expect(waiter.wait(until)).toBe(0);
  expect(monotonic()).toBeGreaterThanOrEqual(until - 0.8);
  expect(waiter.wait(until)).toBe(0);
  expect(monotonic()).toBeGreaterThanOrEqual(until);
  close(from);
  close(to);
});

test("a pty is raw: bytes come as they are, nothing is echoed", () => {
  const pty = openPty();
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  expect(pty.write(bytes, bytes.length)).toBe(256);
  const into = new Uint8Array(512);
  expect(pty.read(into)).toBe(0);
  const reader = Bun.spawnSync(["head", "-c", "256", pty.path]);
  expect(new Uint8Array(reader.stdout)).toEqual(bytes);
  expect(pty.read(into)).toBe(0);
  pty.close();
});
