import { describe, expect, test } from "bun:test";
import { Fault } from "../../src/base.ts";
import { modbusRtu, modbusTcp } from "../../src/driver.ts";
import { Simulation, type FrameRecord } from "../../src/sim.ts";
import { testGateway } from "./gateway.ts";

const bytes = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(" ", ""), "hex"));
const text = (b: Uint8Array): string => Buffer.from(b).toString("hex");

/** The simulation with its wires in memory; `sent` is what left since it was last asked. */
function world(behaviours: Record<string, unknown> = {}) {
  const log: FrameRecord[] = [];
  const out: { link: string; connection: number; bytes: string }[] = [];
  const closed: number[] = [];
  const sim = new Simulation({
    gateway: testGateway(), drivers: [modbusTcp, modbusRtu], seed: 1, speed: 1, now: 0,
    behaviours: { "press.heater": { kind: "follow", value: 40 }, ...behaviours } as never,
    out: (link) => ({
      send: (connection, b) => { out.push({ link, connection, bytes: text(b) }); },
      close: (connection) => { closed.push(connection); },
    }),
    record: (record) => { log.push(record); },
  });
  sim.link("plc-1").open(1, 0);
  sim.link("bus-1").open(1, 0);
  return {
    sim, log, closed,
    ask(link: string, request: string, now = 0): string[] {
      sim.link(link).receive(1, bytes(request), now);
      return this.sent();
    },
    sent: (): string[] => out.splice(0).map((o) => o.bytes),
  };
}

// Read holding 10..11 of station 1; 40.0 as float32 is 42 20 00 00.
const readHeater = "0001 0000 0006 01 03 000a 0002";
const heaterIs40 = "000100000007010304" + "42200000";
// FC16: holding 10..11 = 50.0 (42 48 00 00).
const writeHeater = "0002 0000 000b 01 10 000a 0002 04 4248 0000";
// Read input 0..1 of station 1 on the bus; the CRC is from the worked examples of many manuals.
const readMeter = "01 04 0000 0002 71cb";

test("devices answer with the plant's values, and writes change it", () => {
  const w = world();
  expect(w.ask("plc-1", readHeater)).toEqual([heaterIs40]);
  expect(w.ask("plc-1", writeHeater)).toEqual(["000200000006" + "0110000a0002"]);
  expect(w.sim.plant.value("press.heater")).toBe(50);
});

test("every frame is recorded as it was on the wire", () => {
  const w = world();
  w.ask("plc-1", readHeater, 12.5);
  expect(w.log.slice(-2)).toEqual([
    { t: 12.5, link: "plc-1", connection: 1, dir: "in", fault: null, valid: true,
      bytes: readHeater.replaceAll(" ", "") },
    { t: 12.5, link: "plc-1", connection: 1, dir: "out", fault: null, valid: true,
      bytes: heaterIs40 },
  ]);
});

test("a frame with a wrong CRC is recorded as such and not answered", () => {
  const w = world();
  expect(w.ask("bus-1", "01 04 0000 0002 71cc", 5)).toEqual([]);
  w.sim.step(500);
  expect(w.log.at(-1)).toMatchObject({ dir: "in", valid: false, bytes: "01040000000271cc" });
});

describe("faults", () => {
  const answered = (fault: string, request: string, link = "plc-1") => {
    const w = world();
    w.sim.command(`fault ${link} ${fault}`, 0);
    return { w, sent: w.ask(link, request) };
  };
  const heater = (w: ReturnType<typeof world>): number => w.sim.plant.value("press.heater");

  test("silence: not done, not answered, both recorded", () => {
    const { w, sent } = answered("silence", writeHeater);
    expect(sent).toEqual([]);
    expect(heater(w)).toBe(40);
    expect(w.log.slice(-2)).toMatchObject([
      { dir: "in", fault: "silence" }, { dir: "out", fault: "silence", bytes: "" },
    ]);
  });
  test("mute: done, not answered", () => {
    const { w, sent } = answered("mute", writeHeater);
    expect(sent).toEqual([]);
    expect(heater(w)).toBe(50);
  });
  test("exception: not done", () => {
    const { w, sent } = answered("exception 6", writeHeater);
    expect(sent).toEqual(["000200000003" + "019006"]);
    expect(heater(w)).toBe(40);
  });
  test("exception on a bus has its CRC", () => {
    // 01 84 02: CRC c2 c1, as the serial line guide's readers know it.
    expect(answered("exception 2", readMeter, "bus-1").sent).toEqual(["018402c2c1"]);
  });
  test("wrong CRC, wrong transaction", () => {
    const good = world().ask("bus-1", readMeter)[0]!;
    const bad = answered("wrong-crc", readMeter, "bus-1").sent[0]!;
    expect(bad.slice(0, -2)).toBe(good.slice(0, -2));
    expect(bad).not.toBe(good);
    expect(answered("wrong-crc", readHeater).sent[0]!.slice(0, 4)).not.toBe("0001");
  });
  test("wrong station", () => {
    expect(answered("wrong-station", readHeater).sent).toEqual(["00010000000702030442200000"]);
    const bus = answered("wrong-station", readMeter, "bus-1").sent[0]!;
    expect(bus.startsWith("020404")).toBe(true);
  });
  test("half", () => {
    expect(answered("half", readHeater).sent).toEqual([heaterIs40.slice(0, 12)]);
  });
  test("garbage instead, noise before", () => {
    const garbage = answered("garbage", readHeater).sent[0]!;
    expect(garbage.length).toBeGreaterThan(0);
    expect(garbage).not.toContain(heaterIs40);
    const noise = answered("noise", readHeater).sent[0]!;
    expect(noise.endsWith(heaterIs40)).toBe(true);
    expect(noise.length).toBeGreaterThan(heaterIs40.length);
  });
  test("delay", () => {
    const { w, sent } = answered("delay 300ms", readHeater);
    expect(sent).toEqual([]);
    expect(w.sim.step(299)).toBe(300);
    expect(w.sent()).toEqual([]);
    w.sim.step(300);
    expect(w.sent()).toEqual([heaterIs40]);
    expect(w.log.at(-1)).toMatchObject({ t: 300, dir: "out", fault: "delay" });
  });
  test("disconnect once, in place of the answer", () => {
    const { w, sent } = answered("disconnect", readHeater);
    expect(sent).toEqual([]);
    expect(w.closed).toEqual([1]);
    w.sim.link("plc-1").closed(1, true, 1);
    w.sim.link("plc-1").open(2, 2);
    expect(w.sim.link("plc-1").isCut(2)).toBe(false);
  });
  test("disconnect for a time cuts at once", () => {
    const w = world();
    w.sim.command("fault bus-1 disconnect for 1s", 0);
    expect(w.sim.link("bus-1").isCut(999)).toBe(true);
    expect(w.ask("bus-1", readMeter, 999)).toEqual([]);
    expect(w.sim.link("bus-1").isCut(1000)).toBe(false);
    expect(w.ask("bus-1", readMeter, 1000)).toHaveLength(1);
  });
  test("another master talks on the bus", () => {
    const w = world();
    w.sim.command("fault bus-1 other-master 100ms for 150ms", 0);
    for (let now = 0; now < 400; now += 5) w.sim.step(now);
    const sent = w.sent();
    expect(sent).toHaveLength(4);
    expect(sent[0]!.startsWith("f603")).toBe(true);
    expect(sent[1]!.startsWith("f60302")).toBe(true);
    expect(w.log.filter((r) => r.fault === "other-master")).toHaveLength(4);
  });

  describe("stall", () => {
    const stalled = () => {
      const w = world();
      w.sim.command("fault plc-1 stall 2s only writes count 1", 0);
      expect(w.ask("plc-1", writeHeater, 100)).toEqual([]);
      w.sim.step(2099);
      expect(heater(w)).toBe(40);
      return w;
    };
    test("bytes arrive late", () => {
      const w = stalled();
      w.sim.step(2100);
      expect(heater(w)).toBe(50);
      expect(w.sent()).toHaveLength(1);
    });
    test("a reset takes them back", () => {
      const w = stalled();
      w.sim.link("plc-1").closed(1, true, 2099);
      w.sim.step(5000);
      expect(heater(w)).toBe(40);
    });
    test("a mere close does not: the frame outlives its connection", () => {
      const w = stalled();
      w.sim.link("plc-1").closed(1, false, 2099);
      expect(heater(w)).toBe(50);
      expect(w.sent()).toEqual([]);
    });
    test("what follows on the connection stays behind", () => {
      const w = stalled();
      expect(w.ask("plc-1", readHeater, 2099)).toEqual([]);
      w.sim.step(2100);
      expect(w.sent()).toEqual(["000200000006" + "0110000a0002", "00010000000701030442480000"]);
    });
  });

  test("count, station, reads or writes, clear", () => {
    const w = world();
    w.sim.command("fault bus-1/2 silence", 0);
    w.sim.command("fault plc-1 silence only writes count 1", 0);
    expect(w.ask("bus-1", readMeter)).toHaveLength(1);
    expect(w.ask("plc-1", readHeater)).toHaveLength(1);
    expect(w.ask("plc-1", writeHeater)).toHaveLength(0);
    expect(w.ask("plc-1", writeHeater)).toHaveLength(1);
    expect(w.sim.command("clear bus-1", 0)).toEqual({ cleared: 1 });
    expect(w.sim.command("status", 0)).toMatchObject({ faults: [] });
  });
  test("chance", () => {
    const w = world();
    w.sim.command("fault plc-1 silence chance 0.3", 0);
    let lost = 0;
    for (let i = 0; i < 1000; i++) lost += w.ask("plc-1", readHeater).length === 0 ? 1 : 0;
    expect(lost).toBeGreaterThan(240);
    expect(lost).toBeLessThan(360);
  });
  test("over after its time", () => {
    const w = world();
    w.sim.command("fault plc-1 silence for 1s", 0);
    expect(w.ask("plc-1", readHeater, 999)).toHaveLength(0);
    expect(w.ask("plc-1", readHeater, 1000)).toHaveLength(1);
  });
});

describe("commands", () => {
  test("set, get, release", () => {
    const w = world({ "press.pressure": { kind: "constant", value: 5, noise: 0 } });
    w.sim.command("set press.pressure 3", 0);
    expect(w.sim.command("get press.pressure", 0)).toEqual({ value: 3, truth: 3 });
    w.sim.command("release press.pressure", 0);
    expect(w.sim.command("get press.pressure", 0)).toEqual({ value: 5, truth: 5 });
    w.sim.command("set press.pressure 4 for 2s", 1000);
    expect(w.sim.command("get press.pressure", 2999)).toMatchObject({ value: 4 });
    expect(w.sim.command("get press.pressure", 3000)).toMatchObject({ value: 5 });
  });
  test.each([
    ["fault plc-2 silence", "plc-1 was meant"],
    ["fault bus-1/9 silence", "no station 9"],
    ["fault plc-1 other-master", "needs a bus"],
    ["clear broker", "no simulated link"],
    ["get press.temprature", "press.temperature was meant"],
  ])("%s is refused", (line, sentence) => {
    const run = (): unknown => world().sim.command(line, 0);
    expect(run).toThrow(Fault);
    expect(run).toThrow(sentence);
  });
});
