import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, copyFileSync, renameSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLog, eventLoop } from "../../src/base.ts";
import { fileConnector, type Connection } from "../../src/connector.ts";
import { ERROR, NULL, readCell, stateName, tagColumn, type ColumnSpec } from "../../src/ring.ts";
import { workFolder } from "../support/binary.ts";
import { Hand } from "../support/intake.ts";

/** What a file source makes of a file; that it loses nothing over a kill is test/soak/crash. */
let folder: ReturnType<typeof workFolder>;
let path: string;
let lines: string[];
let ends: (() => void)[];

beforeEach(() => {
  folder = workFolder();
  path = join(folder.path, "rows");
  lines = [];
  ends = [];
});
afterEach(() => {
  for (const end of ends) end();
  folder.remove();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

/** One life of a source over `hand`; time goes by only where an interval is tested. */
function life(hand: Hand, settings: object = {}): Connection & { end(): void } {
  let now = 0;
  const connection = fileConnector.connect("source rows", {}, {
    log: createLog("info", () => 0, (line) => lines.push(line)), gateway: "g", durable: true,
    message_bytes_max: 1, time: () => 1000 + now, now: () => now, flags: () => 0, wake: () => {},
    timers: { ...eventLoop, after: (ms, then) => eventLoop.after(1, () => {
      now += ms;
      then();
    }) },
  });
  const parsed = fileConnector.source!.parse({ file: path, format: "json", ...settings });
  const end = connection.source("rows", parsed, hand.ring, hand);
  ends.push(end);
  return Object.assign(connection, { end });
}

const write = (...numbers: number[]): void =>
  writeFileSync(path, numbers.map((n) => `{"n":${n}}\n`).join(""));
const append = (text: string): void => appendFileSync(path, text);
const marksOf = (hand: Hand): string[] => hand.messages.map(({ mark }) => mark);

/** All cells of the rows, with their states where they are not good. */
function rowsOf({ ring }: Hand): unknown[] {
  return Array.from({ length: ring.head }, (_, seq) => ring.columns.map((column) => {
    const state = ring.arena.U[column.state + (seq & ring.mask)]!;
    return state === NULL ? null : state === 0 ? readCell(ring, column, seq) : stateName(state);
  }));
}

test("rows come in order; a restart reads on behind the last that was durable", async () => {
  write(1, 2, 3);
  const first = new Hand();
  const one = life(first);
  await until(() => first.ring.head === 3);
  append('{"n":4}\n{"n":5}\n');
  await until(() => first.ring.head === 5);
  one.end();
  expect(first.values).toEqual([1, 2, 3, 4, 5]);
  // Only the first commit became durable.
  const second = new Hand(marksOf(first).slice(0, 1));
  life(second);
  append('{"n":6}\n');
  await until(() => second.ring.head >= 3);
  expect(second.values).toEqual([4, 5, 6]);
});

test("a line is taken when its end is there; at the end of a file that does not grow also without",
  async () => {
    writeFileSync(path, '{"n":1}\n{"n":');
    const hand = new Hand();
    life(hand);
    await until(() => hand.ring.head === 1);
    append("2}\n");
    await until(() => hand.ring.head === 2);
    expect(hand.values).toEqual([1, 2]);
    append('{"n":3}');
    const whole = new Hand();
    const { status } = life(whole, { follow: false });
    await until(() => status.reason !== "");
    expect(whole.values).toEqual([1, 2, 3]);
    expect(status).toMatchObject({ state: "up", reason: "read to its end: 3 rows, 0 damaged" });
  });

test("while there is no room it waits, and then goes on where it was", async () => {
  write(...Array.from({ length: 20 }, (_, i) => i + 1));
  const hand = new Hand([], undefined, 64);
  hand.open = false;
  life(hand);
  await Bun.sleep(20);
  expect(hand.ring.head).toBe(0);
  hand.admit();
  await until(() => hand.ring.head === 20);
  // At most `rows_max` in a commit.
  expect(hand.messages.map(({ end }) => end)).toEqual([8, 16, 20]);
});

test("one row an interval, by the clock and without bursts", async () => {
  write(1, 2, 3);
  const hand = new Hand();
  life(hand, { interval: "500ms", follow: false });
  await until(() => hand.ring.head === 3);
  const { arena, timeAt } = hand.ring;
  expect([0, 1, 2].map((seq) => arena.F[timeAt + seq]! - arena.F[timeAt]!)).toEqual([0, 500, 1000]);
  expect(hand.messages.map(({ end }) => end)).toEqual([1, 2, 3]);
});

test("what is damaged is counted, and the next line is as good as ever", async () => {
  const long = `{"n":"${"x".repeat(70_000)}"}`;
  writeFileSync(path, `\uFEFF{"n":1}\nno json\n\n[{"n":1},{"n":2}]\n${long}\r\n{"n":2}\r\n`);
  const hand = new Hand();
  const { status } = life(hand);
  await until(() => hand.ring.head === 2);
  expect(hand.values).toEqual([1, 2]);
  expect(status).toMatchObject({ received: 2, dropped: 3, errors: 3, state: "up" });
  expect(status.lastError).toContain("more than 65536 bytes");
  // Also behind what was left out it is known where it was.
  const again = new Hand(marksOf(hand));
  life(again);
  append('{"n":3}\n');
  await until(() => again.ring.head > 0);
  expect(again.values).toEqual([3]);
});

test("a file that is not there, or is none, is waited for", async () => {
  const hand = new Hand();
  const { status } = life(hand);
  await until(() => status.state === "down");
  expect(status.reason).toContain("no such file");
  write(7);
  await until(() => hand.ring.head === 1);
  expect(status).toMatchObject({ state: "up", reason: "" });
  const folderOf = new Hand();
  const other = life(folderOf, { file: folder.path });
  await until(() => other.status.state === "down");
  expect(other.status.reason).toContain("is no file");
});

test("a rotated file is read to its end, then the new one from its beginning", async () => {
  write(1, 2);
  const hand = new Hand();
  life(hand);
  await until(() => hand.ring.head === 2);
  renameSync(path, `${path}.1`);
  appendFileSync(`${path}.1`, '{"n":3}\n');
  writeFileSync(path, '{"n":10}\n{"n":11}\n{"n":12}\n{"n":13}\n');
  await until(() => hand.ring.head === 7);
  expect(hand.values).toEqual([1, 2, 3, 10, 11, 12, 13]);
});

test("a file that was cut or written anew begins anew; one that an editor saved goes on",
  async () => {
    write(1, 2);
    const hand = new Hand();
    life(hand);
    await until(() => hand.ring.head === 2);
    truncateSync(path);
    await Bun.sleep(20);
    append('{"n":3}\n');
    await until(() => hand.ring.head === 3);
    // In the same place, and longer than before.
    write(4, 5, 6);
    await until(() => hand.ring.head === 6);
    copyFileSync(path, `${path}.new`);
    appendFileSync(`${path}.new`, '{"n":7}\n');
    renameSync(`${path}.new`, path);
    await until(() => hand.ring.head === 7);
    expect(hand.values).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

test("from the end: only what is appended; a restart goes on where it was", async () => {
  writeFileSync(path, '{"n":1}\n{"n":2}\n{"n":');
  const hand = new Hand();
  const { status } = life(hand, { from: "end" });
  await until(() => status.state === "up");
  append('3}\n{"n":4}\n');
  await until(() => hand.ring.head === 1);
  expect(hand.values).toEqual([4]);
  append('{"n":5}\n');
  const next = new Hand(marksOf(hand).slice(0, 1));
  life(next, { from: "end" });
  await until(() => next.ring.head === 1);
  expect(next.values).toEqual([5]);
});

const typed: ColumnSpec[] = [tagColumn("n", "int64"), tagColumn("name", "text(8)"),
  tagColumn("x", "float64"), tagColumn("ok", "bool"), tagColumn("at", "time")];

test("CSV: columns by the header, types as declared, what does not fit is an error cell",
  async () => {
    writeFileSync(path, "\uFEFFat;x;n;name;ok;other\n" +
      '2026-04-01T00:00:00Z;1.5;9007199254740993;"a;""b""";true;-\r\n' +
      ";;;;;\n" +
      '10000;no;1.5;"a\nb";0;-\n' +
      "70000;1;2;far too long;x;-\n");
    const hand = new Hand([], typed);
    const { status } = life(hand, { format: "csv", time: "at" });
    await until(() => hand.ring.head === 4);
    expect(rowsOf(hand)).toEqual([
      [9007199254740993n, 'a;"b"', 1.5, true, Date.UTC(2026, 3, 1)],
      [null, "", null, null, null],
      [stateName(ERROR.type), "a\nb", stateName(ERROR.type), false, 10_000],
      [2n, stateName(ERROR.length), 1, stateName(ERROR.type), 70_000],
    ]);
    expect(hand.ring.arena.F[hand.ring.sourceAt]).toBe(Date.UTC(2026, 3, 1));
    expect(status.dropped).toBe(0);
  });

test("CSV: a quote that is not closed, and a field too many, cost their own line", async () => {
  writeFileSync(path, `n,name\n1,a\n2,"${"b\n".repeat(40_000)}3,c,d\n4,d\n`);
  const hand = new Hand([], typed.slice(0, 2), 64);
  const { status } = life(hand, { format: "csv" });
  await until(() => rowsOf(hand).some((row) => (row as unknown[])[0] === 4n));
  expect(status.lastError).toContain("3 fields, where the header has 2: n, name");
});

test("CSV: a header line is waited for; names may stand in the settings", async () => {
  writeFileSync(path, "n,na");
  const hand = new Hand([], typed.slice(0, 2));
  life(hand, { format: "csv" });
  await Bun.sleep(10);
  append("me\n1,a\n");
  await until(() => hand.ring.head === 1);
  expect(rowsOf(hand)).toEqual([[1n, "a"]]);
  writeFileSync(`${path}.plain`, "a|1\nb|2\n");
  const plain = new Hand([], typed.slice(0, 2));
  life(plain, { format: "csv", file: `${path}.plain`, header: ["name", "n"], delimiter: "|" });
  await until(() => plain.ring.head === 2);
  expect(rowsOf(plain)).toEqual([[1n, "a"], [2n, "b"]]);
});

test("CSV: a header without a declared column says so", async () => {
  writeFileSync(path, "n,nmae\n1,a\n");
  const hand = new Hand([], typed.slice(0, 2));
  const { status } = life(hand, { format: "csv" });
  await until(() => status.state === "down");
  expect(status.reason).toBe(`${path} has no column name; its header has n, nmae`);
});

test("CSV without declared columns: each field is a text, an empty one NULL", async () => {
  writeFileSync(path, "n,name,x\n1,,2.5\n");
  const field = (name: string): ColumnSpec => ({ name, kind: "dyn", slot: 16, path: [name] });
  const all: ColumnSpec = { name: "*", kind: "json", slot: 64, path: [] };
  const hand = new Hand([], [field("n"), field("name"), field("gone"), all]);
  life(hand, { format: "csv" });
  await until(() => hand.ring.head === 1);
  expect(rowsOf(hand)).toEqual([["1", null, "absent", '{"n":"1","name":null,"x":"2.5"}']]);
});
