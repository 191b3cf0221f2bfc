import { expect, test } from "bun:test";
import { telegramTcp } from "../../src/driver.ts";
import { BAD, GOOD } from "../../src/ring.ts";
import { LinkRunner } from "../../src/runtime/link.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "../driver/support.ts";

/** A scale that sends its weight by itself, on a link that knows nothing else. */
function scale() {
  const link = linkOf(telegramTcp,
    { host: "a", port: 1, telegrams: { w: { match: "W ([0-9]+)" } } });
  const { ring, tags } = ringFor([tag("w match 1", "int32", { id: "scale.weight" })]);
  const state = { disabled: false };
  const runner = new LinkRunner({
    name: "scale", connectTimeout: 3000, reopenWhenSilent: true, now: () => 1000,
    time: () => 1000, flags: () => 0, log: { debug() {}, info() {}, warn() {}, error() {} },
    splitter: telegramTcp, pathEnded() {}, wake() {}, advise: () => null, tap() {},
    isDisabled: () => state.disabled, complete() {}, published() {},
    groups: [{ stream: "scale.g", device: "scale", station: 1, interval: 1000, ring,
      constants: [], broadcasts: [], requests: telegramTcp.plan(tags, link) }],
  });
  const wire = new ScriptedWire();
  runner.attach(wire, (own) => telegramTcp.open(link, own));
  runner.step(1000);
  runner.opened("10.0.0.5:1");
  const says = (text: string): void => {
    const bytes = new TextEncoder().encode(text);
    runner.received(bytes, bytes.length);
  };
  /** Value and state of each row. */
  const rows = (): unknown[] => Array.from({ length: ring.head }, (_, row) => {
    const [column] = ring.columns;
    return [ring.arena.F[column!.payload + row], ring.arena.U[column!.state + row]];
  });
  return { runner, wire, ring, state, says, rows };
}

test("each telegram is a row, and nothing is asked", () => {
  const { runner, wire, ring, says, rows } = scale();
  says("W 7\r\nW 8\r\n");
  runner.step(1e6);
  expect([rows(), wire.sent]).toEqual([[[7, GOOD], [8, GOOD]], []]);
  // A telegram has no time of its own.
  expect(ring.arena.F[ring.sourceAt]).toBeNaN();
});

test("a lost link is one row that says so, with the last value known", () => {
  const { runner, says, rows } = scale();
  says("W 7\r\n");
  runner.closed("connection lost");
  runner.step(1e6);
  expect(rows()).toEqual([[7, GOOD], [7, BAD.disconnected]]);
});

test("what a device says that is left alone is not taken", () => {
  const { state, says, rows } = scale();
  says("W 7\r\n");
  state.disabled = true;
  says("W 9\r\n");
  expect(rows()).toEqual([[7, GOOD], [7, BAD.disabled]]);
});
