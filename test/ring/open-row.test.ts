import { expect, test } from "bun:test";
import { Arena, Bridge, OpenRow, Ring, tagColumn } from "../../src/ring.ts";

test("a row is open from its begin until it is there, also for another thread", () => {
  const arena = Arena.create(1024);
  const row = OpenRow.create(arena, "press.fast");
  const other = OpenRow.attach(Arena.attach(arena.buffer), row.at);
  expect(other.since).toBe(Infinity);
  expect(row.begin(0, () => 500)).toBe(500);
  expect(other.since).toBe(500);
  // The first waits for its carrier, the next has begun: which time is the older nobody tells.
  row.begin(1, () => 600);
  expect(other.since).toBe(-Infinity);
  row.end(1);
  expect(other.since).toBe(600);
  row.end(2);
  expect(other.since).toBe(Infinity);
  row.begin(2, () => 700);
  row.reset(0);
  expect(other.since).toBe(Infinity);
});

test("who looks before the poll has read its clock sees that it has begun", () => {
  const row = OpenRow.create(Arena.create(1024), "press.fast");
  row.begin(0, () => 500);
  row.end(1);
  row.begin(1, () => {
    expect(row.since).toBeLessThanOrEqual(500);
    return 600;
  });
});

test("sequences run over the int32 wrap", () => {
  const row = OpenRow.create(Arena.create(1024), "press.fast");
  row.end(0x7fffffff);
  row.begin(0x7fffffff, () => 1);
  expect(row.since).toBe(1);
  row.end(-0x80000000);
  expect(row.since).toBe(Infinity);
});

test("a bridge tells of the oldest row that is to come over it", () => {
  const layout = Ring.layout("press.fast", [tagColumn("x", "float64")], 4);
  const arena = Arena.create(8192);
  const [remote, local] = [Ring.create(arena, layout).ring, Ring.create(arena, layout).ring];
  remote.open = OpenRow.create(arena, "press.fast");
  const bridge = new Bridge(remote, local);
  const begin = (time: number): void => {
    remote.claim(1);
    const row = remote.head & remote.mask;
    arena.F[remote.timeAt + row] = remote.open!.begin(remote.head, () => time);
  };
  const end = (): void => {
    remote.publish(1);
    remote.open!.end(remote.head);
  };
  expect(bridge.openSince).toBe(Infinity);
  begin(100);
  expect(bridge.openSince).toBe(100);
  end();
  expect(bridge.openSince).toBe(100);
  begin(200);
  expect(bridge.openSince).toBe(100);
  bridge.step(4);
  expect(bridge.openSince).toBe(200);
  end();
  for (let time = 300; time <= 600; time += 100) {
    begin(time);
    end();
  }
  // Lapped: the oldest that is left is known after the next step.
  expect(bridge.openSince).toBe(-Infinity);
  while (bridge.lag() > 0) bridge.step(4);
  expect(bridge.openSince).toBe(Infinity);
});
