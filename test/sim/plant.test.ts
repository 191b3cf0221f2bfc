import { describe, expect, test } from "bun:test";
import { Plant, readPlant, simulated } from "../../src/sim.ts";
import { modbusRtu, modbusTcp } from "../../src/driver.ts";
import { testGateway } from "./gateway.ts";

const parts = simulated(testGateway(), [modbusTcp, modbusRtu]);
const tags = parts.flatMap((part) => part.signals);

function plant(json: unknown, seed = 1): Plant {
  const { behaviours, problems } = readPlant(JSON.stringify(json), "plant.json", tags);
  expect(problems).toEqual([]);
  return new Plant(tags, behaviours, seed);
}

const vessel = {
  "press.temperature": {
    kind: "vessel", start: 20, valve: "press.heater", gain: 1, ambient: 20, tau: "8s",
    door: "press.door_closed", doorLoss: 0.5, noise: 0.05,
  },
  "press.heater": { kind: "follow", value: 40 },
  "press.door_closed": { kind: "constant", value: true },
};

describe("vessel", () => {
  test("goes to ambient + gain × valve by its time constant", () => {
    const p = plant(vessel);
    p.step(8000);
    // 1 − 1/e of the way after one time constant.
    expect(p.truth("press.temperature")).toBeCloseTo(20 + 40 * (1 - Math.exp(-1)), 6);
    p.step(100_000);
    expect(p.truth("press.temperature")).toBeCloseTo(60, 3);
  });

  test("an open door costs its share", () => {
    const p = plant(vessel);
    p.hold("press.door_closed", 0);
    p.step(100_000);
    expect(p.truth("press.temperature")).toBeCloseTo(20 + 40 / 1.5, 3);
    p.release("press.door_closed");
    p.step(100_000);
    expect(p.truth("press.temperature")).toBeCloseTo(60, 3);
  });

  test("the valve is what was written, between 0 and 100", () => {
    const p = plant(vessel);
    expect(p.write("press.heater", 400)).toBe(true);
    expect(p.value("press.heater")).toBe(400);
    p.step(100_000);
    expect(p.truth("press.temperature")).toBeCloseTo(120, 3);
  });

  test("noise has the deviation that was asked for, and an end", () => {
    const p = plant(vessel);
    const off: number[] = [];
    for (let i = 0; i < 20_000; i++) {
      p.step(10);
      off.push(p.value("press.temperature") - p.truth("press.temperature"));
    }
    const mean = off.reduce((a, b) => a + b, 0) / off.length;
    const sigma = Math.sqrt(off.reduce((a, b) => a + (b - mean) ** 2, 0) / off.length);
    expect(Math.abs(mean)).toBeLessThan(0.002);
    expect(sigma).toBeGreaterThan(0.047);
    expect(sigma).toBeLessThan(0.053);
    expect(Math.max(...off.map(Math.abs))).toBeLessThan(0.05 * 3.5);
  });
});

describe("the path of the plant", () => {
  const moving = {
    ...vessel,
    "m-1.power": { kind: "walk", start: 100, min: 0, max: 200, step: 10, every: "100ms" },
    "m-2.power": { kind: "counter", of: "m-1.power", rate: 2 },
  };
  const path = (seed: number, readers: boolean): number[] => {
    const p = plant(moving, seed);
    const values: number[] = [];
    for (let i = 0; i < 100; i++) {
      p.step(100);
      if (readers) for (const { id } of tags) p.value(id);
      values.push(p.value("press.temperature"), p.value("m-1.power"), p.value("m-2.power"));
    }
    return values;
  };

  test("is the same for the same seed, however often it is read", () => {
    expect(path(7, true)).toEqual(path(7, false));
    expect(path(7, false)).not.toEqual(path(8, false));
  });

  test("is the same however its steps are cut", () => {
    const [a, b] = [plant(moving), plant(moving)];
    a.step(5000);
    for (let now = 0; now <= 5000; now += 13) b.advance(now);
    b.advance(5000);
    for (const { id } of tags) expect(b.value(id)).toBe(a.value(id));
  });

  test("a counter integrates another tag and wraps", () => {
    const p = plant({
      "m-1.power": { kind: "constant", value: 10 },
      "m-2.power": { kind: "counter", of: "m-1.power", rate: 0.5, wrap: 20 },
    });
    p.step(3000);
    expect(p.value("m-2.power")).toBeCloseTo(15, 6);
    p.step(2000);
    expect(p.value("m-2.power")).toBeCloseTo(5, 6);
  });

  test("after a long stop it does not make up for all of it", () => {
    const p = plant(moving);
    p.advance(3_600_000_000);
    expect(p.time).toBe(3_600_000_000);
  });
});

test("waves", () => {
  const p = plant({
    "m-1.power": { kind: "saw", min: 0, max: 10, period: "10s" },
    "m-2.power": { kind: "square", min: 1, max: 2, period: "10s" },
    "press.pressure": { kind: "sine", min: 2, max: 4, period: "10s" },
    "press.door_closed": { kind: "door", opens: "2s", every: "10s", after: "4s" },
  });
  const at = (time: number): number[] => {
    p.advance(time);
    return ["m-1.power", "m-2.power", "press.pressure", "press.door_closed"]
      .map((id) => p.value(id));
  };
  expect(at(0)).toEqual([0, 2, 3, 1]);
  expect(at(2500)).toEqual([2.5, 2, 4, 1]);
  expect(at(5000).map((v) => Math.round(v * 1e9) / 1e9)).toEqual([5, 1, 3, 0]);
  expect(at(6500)[3]).toBe(1);
  expect(at(14_500)[3]).toBe(0);
});

describe("tags that plant.json does not name", () => {
  const p = plant({});
  test("writable ones hold what is written", () => {
    expect(p.value("press.heater")).toBe(0);
    expect(p.write("press.heater", 12.5)).toBe(true);
    expect(p.value("press.heater")).toBe(12.5);
  });
  test("bools are false, numbers swing where their unit says", () => {
    expect(p.value("press.door_closed")).toBe(0);
    const pressures = Array.from({ length: 70 }, () => (p.step(1000), p.value("press.pressure")));
    expect(Math.min(...pressures)).toBeGreaterThanOrEqual(1);
    expect(Math.max(...pressures)).toBeLessThanOrEqual(6);
    expect(Math.max(...pressures) - Math.min(...pressures)).toBeGreaterThan(4);
  });
  test("neighbours are not in step", () => {
    expect(p.value("m-1.power")).not.toBe(p.value("m-2.power"));
  });
  test("what does not follow refuses a write", () => {
    expect(p.write("press.pressure", 3)).toBe(false);
  });
});

describe("plant.json that is wrong", () => {
  const problem = (text: string) => readPlant(text, "plant.json", tags).problems[0]!;
  test("JSON", () => {
    expect(problem(`{ "press.heater": { "kind": "follow" "value": 1 } }`))
      .toMatchObject({ line: 1, message: "expected a comma before this" });
  });
  test("an unknown tag, with the one that was meant", () => {
    expect(problem(`{\n  "press.temprature": { "kind": "constant", "value": 1 } }`))
      .toMatchObject({ line: 2, nearest: "press.temperature" });
  });
  test("an unknown kind", () => {
    expect(problem(`{ "press.heater": { "kind": "folow" } }`))
      .toMatchObject({ path: "press.heater.kind", nearest: "follow", value: `"folow"` });
  });
  test("an unknown key", () => {
    expect(problem(`{ "press.heater": { "kind": "follow", "vaule": 3 } }`))
      .toMatchObject({ path: "press.heater.vaule", nearest: "value" });
  });
  test("a time without unit", () => {
    expect(problem(`{ "press.heater": { "kind": "saw", "min": 0, "max": 1, "period": "5" } }`))
      .toMatchObject({ path: "press.heater.period", message: expect.stringContaining("unit") });
  });
  test("a key that is missing", () => {
    expect(problem(`{ "press.heater": { "kind": "constant" } }`))
      .toMatchObject({ path: "press.heater.value", message: expect.stringContaining("number") });
  });
  test("a reference to no tag", () => {
    const text = JSON.stringify({
      "press.temperature": { ...vessel["press.temperature"], valve: "press.heat" },
    });
    expect(problem(text))
      .toMatchObject({ path: "press.temperature.valve", nearest: "press.heater" });
  });
  test("not an object", () => {
    expect(problem("[]").message).toContain("device.tag");
  });
});
