import { expect, test } from "bun:test";
import {
  DONE, newCounters, type Client, type ClientDone, type DriverTag,
} from "../../src/driver.ts";
import { BAD, GOOD } from "../../src/ring.ts";
import { ClientPort, ClientRows } from "../../src/runtime/client-port.ts";
import { Frames } from "../../src/runtime/frames.ts";
import { ringFor, tag } from "../driver/support.ts";

/** A group of one tag, whose device a person may have left alone. */
function group() {
  const { ring, tags } = ringFor([tag("ns=1;s=Level", "float32", { id: "tank.level" })]);
  const device = { isDisabled: false };
  const rows = new ClientRows({ stream: "tank.fast", device: "tank", station: 1, interval: 100,
    tags: tags as never, constants: [], broadcasts: [], history: false }, ring, {
    history: null, flags: () => 0, now: () => 0, isDisabled: () => device.isDisabled,
    complete() {} });
  const [column] = ring.columns;
  const tell = (value: number): void => {
    const row = rows.begin(0, NaN) & ring.mask;
    ring.arena.F[column!.payload + row] = value;
    ring.arena.U[column!.state + row] = GOOD;
    rows.publish();
  };
  /** A message without values: all is as it was. */
  const repeat = (): void => {
    rows.begin(0, NaN);
    rows.publish();
  };
  const newest = (): unknown[] => {
    const row = (ring.head - 1) & ring.mask;
    return [ring.arena.F[column!.payload + row], ring.arena.U[column!.state + row]];
  };
  return { rows, device, tell, repeat, newest };
}

test("what was told last comes back after a bad row, unless it was forgotten", () => {
  const { rows, tell, repeat, newest } = group();
  tell(7);
  rows.spoil(0, BAD.disconnected);
  expect(newest()).toEqual([7, BAD.disconnected]);
  repeat();
  expect(newest()).toEqual([7, GOOD]);
  rows.forget();
  repeat();
  expect(newest()).toEqual([7, BAD.initial]);
});

test("what was made before a bad row does not look young behind it", () => {
  const { rows, newest } = group();
  const tell = (time: number, value: number): void => {
    const { ring } = rows;
    const row = rows.begin(time, NaN) & ring.mask;
    ring.arena.F[ring.columns[0]!.payload + row] = value;
    ring.arena.U[ring.columns[0]!.state + row] = GOOD;
    rows.publish();
  };
  rows.spoil(1000, BAD.disconnected);
  tell(900, 7);
  expect(newest()).toEqual([7, BAD.disconnected]);
  tell(1001, 7);
  expect(newest()).toEqual([7, GOOD]);
});

test("the time of rows never goes back", () => {
  const { rows } = group();
  const { ring } = rows;
  const times = [1000, 900, 1100].map((time) => {
    const row = rows.begin(time, NaN) & ring.mask;
    rows.publish();
    return ring.arena.F[ring.timeAt + row];
  });
  rows.spoil(1050, BAD.disconnected);
  expect([...times, ring.arena.F[ring.timeAt + ((ring.head - 1) & ring.mask)]])
    .toEqual([1000, 1000, 1100, 1100]);
});

test("rows of a device that is left alone say so, and what came meanwhile comes back", () => {
  const { device, rows, tell, repeat, newest } = group();
  tell(7);
  device.isDisabled = true;
  tell(8);
  expect(newest()).toEqual([8, BAD.disabled]);
  rows.spoil(0, BAD.disconnected);
  expect(newest()).toEqual([8, BAD.disabled]);
  device.isDisabled = false;
  repeat();
  expect(newest()).toEqual([8, GOOD]);
});

test("W11: the last look of a write, and of a device that is left alone", () => {
  const one = tag("ns=1;s=Set", "float32", { id: "tank.set", writable: true });
  const device = { isDisabled: false };
  const asked: string[] = [];
  const client = {
    state: "open", reason: "", peer: "p", opens: 1, counters: newCounters(), lag_ms: () => 0,
    step: () => Infinity, giveUpWrite() {}, close() {},
    read: (_tag: DriverTag, _raw: Uint8Array, notAfter: number, done: ClientDone) => {
      asked.push(`read until ${notAfter}`);
      done(DONE, 0, true, NaN, null);
    },
    write: (_tag: DriverTag, _raw: Uint8Array, notAfter: number, last: () => number | null) => {
      asked.push(`write by ${notAfter} until ${last()}`);
    },
  } satisfies Client;
  const port = new ClientPort({ name: "ua", type: "opcua", client, rows: [], frames: new Frames(),
    now: () => 0, isDisabled: () => device.isDisabled });
  const results: number[] = [];
  const all = (until: number | null): void => {
    port.read(one, new Uint8Array(4), 400, (result) => results.push(result));
    port.write(one, new Uint8Array(4), { arming: 1, notAfter: 500, streams: new Set(),
      last: () => until }, () => {});
  };
  all(Infinity);
  all(null);
  device.isDisabled = true;
  all(Infinity);
  expect(asked).toEqual(["read until 400", "write by 500 until 500", "read until 400",
    "write by 500 until null", "write by 500 until null"]);
  expect(results).toEqual([DONE, DONE, BAD.disabled]);
});
