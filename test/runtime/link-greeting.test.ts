import { describe, expect, test } from "bun:test";
import { ethernetIp, s7, type Driver, type DriverTag } from "../../src/driver.ts";
import { LinkRunner } from "../../src/runtime/link.ts";
import { viewOf } from "../../src/runtime/port.ts";
import { linkOf, ringFor, ScriptedWire, tag } from "../driver/support.ts";

/** A link to a device that the test plays; its values are all this one, null = it has none. */
function start(driver: Driver, settings: object, asked: DriverTag[], value: number | null = null) {
  const { ring, tags } = ringFor(asked);
  const link = linkOf(driver, { host: "10.0.0.5", ...settings });
  const clock = { now: 0 };
  const lines: string[] = [];
  const note = (_: string, text: string): void => { lines.push(text); };
  const runner = new LinkRunner({
    name: "plc", connectTimeout: 1000, reopenWhenSilent: true, now: () => clock.now,
    time: () => clock.now, flags: () => 0, splitter: driver,
    log: { debug() {}, info: note, warn: note, error: note },
    advise: (trouble) => driver.advise(trouble, link),
    groups: [{ stream: "press.fast", device: "press", station: 1, interval: 100, ring,
      constants: [], broadcasts: [], requests: driver.plan(tags, link) }],
    route: driver.route!(link), pathEnded() {}, wake() {}, tap() {}, isDisabled: () => false,
    complete() {}, published() {},
  });
  const wire = new ScriptedWire();
  let opens = 0;
  wire.open = () => { opens += 1; };
  wire.reset = (why = "reset") => runner.closed(why);
  runner.attach(wire, (own) => driver.open(link, own));
  const server = driver.serve([], link, { value: () => value, written: () => false });
  /** The device answers what was sent last. */
  const serve = (): void => {
    server.receive(wire.last, wire.last.length, clock.now, {
      frame() {}, reply: (bytes, n) => runner.received(bytes.slice(0, n), n),
    });
  };
  return { runner, wire, clock, lines, serve, tags, get opens() { return opens; } };
}

/** Each time the link is opened the device takes the connection and does `then`. */
function pauses(plc: ReturnType<typeof start>, port: number, then: () => void): number[] {
  const openedAt: number[] = [];
  for (const { runner, clock } = plc; clock.now < 30_000; clock.now += 10) {
    runner.step(clock.now);
    if (plc.opens === openedAt.length) continue;
    openedAt.push(clock.now);
    runner.opened(`10.0.0.5:${port}`);
    then();
  }
  return openedAt.slice(1).map((at, i) => at - openedAt[i]!);
}

test("a PLC that refuses its greeting is asked less and less, and the link says why", () => {
  const plc = start(s7, { slot: 3 }, [tag("DB1.DBW0", "int16")]);
  const { runner, clock } = plc;
  const refused = Uint8Array.of(3, 0, 0, 11, 6, 0x80, 0, 1, 0, 0, 2);
  const waits = pauses(plc, 102, () => {
    expect(runner.peer).toBe("10.0.0.5:102 rack 0 slot 3 as basic");
    runner.step(clock.now);
    runner.received(refused, refused.length);
    runner.step(clock.now);
    expect(runner.state).toBe("closed");
    expect(runner.reason).toContain("refuses the connection to rack 0, slot 3");
  });
  expect(waits.slice(0, 4)).toEqual([100, 200, 400, 800]);
  expect(waits.length).toBeLessThan(11);
});

test("a link that has answered and is lost is tried again as soon as at first", () => {
  const plc = start(s7, {}, [tag("DB1.DBW0", "int16")], 7);
  const { runner, clock, wire, serve } = plc;
  /** ms until it is opened again. */
  const lost = (): number => {
    runner.closed("lost");
    const [from, before] = [clock.now, plc.opens];
    for (; plc.opens === before; clock.now += 10) runner.step(clock.now);
    return clock.now - 10 - from;
  };
  runner.step(0);
  expect([lost(), lost(), lost()]).toEqual([100, 200, 400]);
  runner.opened("10.0.0.5:102");
  for (let served = 0; served < 3; served++) {
    runner.step(clock.now);
    expect(wire.sent.length).toBe(served + 1);
    serve();
  }
  runner.step(clock.now);
  expect(runner.state).toBe("open");
  expect(lost()).toBe(100);
});

describe.each([
  [s7, "DB1.DBW0", /greeting is not answered: is 102 the port of an S7 PLC.*rack 0, slot 1\?/],
  [ethernetIp, "Temp", /greeting is not answered: is 44818 the port of EtherNet\/IP/],
] as const)("$type", (driver, at, says) => {
  test("a connection whose greeting is not answered is not open, and no fault of a station", () => {
    const plc = start(driver, {}, [tag(at, "int16")]);
    const { runner, clock, lines } = plc;
    const states = new Set<string>();
    const waits = pauses(plc, 1, () => {
      runner.step(clock.now);
      states.add(runner.state);
      expect(runner.reason).toContain("connected to 10.0.0.5:1");
      expect(runner.reason).toContain("not greeted back yet");
      expect(runner.reason).toMatch(plc.opens > 1 ? says : /greeted/);
    });
    expect([...states]).toEqual(["opening"]);
    expect(runner.opens).toBe(0);
    expect(waits.length).toBeGreaterThan(3);
    expect(waits.at(-1)!).toBeGreaterThan(waits[0]! * 2);
    expect(lines).toEqual([expect.stringMatching(says)]);
    expect(runner.stationViews(clock.now)[0]!.failures).toBe(0);
  });

  test("it is open as soon as it greets back", () => {
    const { runner, clock, serve } = start(driver, {}, [tag(at, "int16")]);
    runner.step(clock.now);
    runner.opened("10.0.0.5:1");
    runner.step(clock.now);
    for (let i = 0; i < 3 && runner.state !== "open"; i++) {
      expect(runner.state).toBe("opening");
      serve();
    }
    expect([runner.state, runner.opens]).toEqual(["open", 1]);
  });

  test("each refused tag has a line of the log, the first ten, and words of its own", () => {
    const asked = Array.from({ length: 14 }, (_, i) => (driver === s7
      ? tag(`DB${i + 1}.DBW0`, "int16") : tag(`Nobody${String.fromCharCode(65 + i)}`, "int16")));
    const { runner, clock, serve, wire, lines, tags } = start(driver, {}, asked);
    runner.step(clock.now);
    runner.opened("10.0.0.5:1");
    for (let served = 0; clock.now < 1000; clock.now += 10) {
      runner.step(clock.now);
      for (; served < wire.sent.length; served++) serve();
    }
    const { refusals } = viewOf(runner, driver.type, clock.now);
    for (const one of tags) expect(refusals![one.id]).toStartWith(`${one.at}: `);
    expect(Object.keys(refusals!).length).toBe(14);
    const told = lines.filter((line) => /^plc: press\.\w+: /.test(line));
    expect(told).toEqual(tags.slice(0, 10).map(({ id }) => `plc: ${id}: ${refusals![id]}`));
  });
});
