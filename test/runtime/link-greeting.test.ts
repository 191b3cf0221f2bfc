import { expect, test } from "bun:test";
import { s7 } from "../../src/driver.ts";
import { LinkRunner } from "../../src/runtime/link.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "../driver/support.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };
/** The PLC takes the connection, and refuses the slot. */
const refused = Uint8Array.of(3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 2);

test("a PLC that refuses its greeting is asked less and less, and the link says why", () => {
  const { ring, tags } = ringFor([tag("DB1.DBW0", "int16")]);
  const link = linkOf(s7, { host: "10.0.0.5", slot: 3 });
  let now = 0;
  const runner = new LinkRunner({
    name: "plc", connectTimeout: 1000, reopenWhenSilent: true, now: () => now,
    time: () => now, flags: () => 0, log, splitter: s7,
    advise: (trouble) => s7.advise(trouble, link),
    groups: [{ stream: "press.fast", device: "press", station: 1, interval: 100, ring,
      constants: [], broadcasts: [], requests: s7.plan(tags, link) }],
    route: s7.route!(link), peerChanged() {}, wake() {}, tap() {}, isDisabled: () => false,
    complete() {}, published() {},
  });
  const wire = new ScriptedWire();
  let opens = 0;
  wire.open = () => { opens += 1; };
  wire.reset = (why = "reset") => runner.closed(why);
  runner.attach(wire, (own) => s7.open(link, own));
  const openedAt: number[] = [];
  for (; now < 30_000; now += 10) {
    runner.step(now);
    if (opens === openedAt.length) continue;
    openedAt.push(now);
    runner.opened("10.0.0.5:102");
    expect(runner.peer).toBe("10.0.0.5:102 rack 0 slot 3 as basic");
    runner.step(now);
    runner.received(refused, refused.length);
    runner.step(now);
    expect(runner.state).toBe("closed");
    expect(runner.reason).toContain("refuses the connection to rack 0, slot 3");
  }
  const pauses = openedAt.slice(1).map((at, i) => at - openedAt[i]!);
  expect(pauses.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(openedAt.length).toBeLessThan(12);
});
