import { expect, test } from "bun:test";
import { loadReal } from "./real.ts";

/** What `check` says of a device of station 0, by the real drivers. */
const policy = { allow: ["rest"], maxMode: "armed", min: 0, max: 100, readBack: "none" };
const rw = { at: "holding 9", type: "int16", access: "read-write" };

function check(change: {
  link?: object; policy?: object; tags?: object; others?: Record<string, object>;
  rules?: object; more?: Record<string, object>;
} = {}): string[] {
  const { problems } = loadReal({
    gateway: { id: "g" },
    links: { bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", broadcast: true,
      ...change.link },
      other: { type: "modbus-rtu", port: "/dev/other", rs485: "adapter" } },
    devices: {
      fans: { link: "bus", station: 0, groups: { slow: "1s" },
        tags: { speed: rw, ...change.tags } },
      fan: { link: "bus", station: 3, groups: { slow: "1s" },
        tags: change.others ?? { speed: { at: "holding 9", type: "int16" } } },
      far: { link: "other", station: 3, groups: { slow: "1s" }, tags: { speed: rw } },
    },
    policy: { "fans.speed": { ...policy, ...change.policy }, ...change.more },
    ...change.rules,
  });
  return problems.map(({ path, message }) => `${path}: ${message}`);
}
const one = (problems: string[]): string => {
  expect(problems.length, problems.join("\n")).toBe(1);
  return problems[0]!;
};

test("a broadcast that the link, the tag and the policy all name is one", () => {
  expect(check()).toEqual([]);
});

test("without the link's word station 0 is refused, with the setting's name", () => {
  expect(one(check({ link: { broadcast: false } }))).toContain('"broadcast": true');
});

test("W9: the policy says that nothing is read back, and counts nothing from a read", () => {
  expect(one(check({ policy: { readBack: undefined } })))
    .toMatch(/^policy.fans.speed.readBack: is missing.*"readBack": "none"/);
  expect(one(check({ policy: { maxStep: 5 } }))).toMatch(/^policy.fans.speed.maxStep: .*read/);
  expect(one(check({ policy: { deadband: 1 } }))).toMatch(/^policy.fans.speed.deadband: .*read/);
});

test("W9: no rule, no proof and no onLoss", () => {
  expect(one(check({ policy: { allow: ["rest", "prove"] } })))
    .toMatch(/^policy.fans.speed.allow\[1\]: .*\(W9\)/);
  expect(one(check({ policy: { onLoss: { after: "1s", value: 0 } } })))
    .toMatch(/^policy.fans.speed.onLoss: .*\(W9\)/);
  const rules = { rules: { r: { sql: "SELECT speed AS s FROM fan.slow",
    to: [{ write: "fans.speed", from: "s" }] } } };
  expect(one(check({ rules })))
    .toMatch(/^rules.r.to\[0\].write: fans.speed is a broadcast.*\(W9\)/);
});

test("a tag that is read back may not be said not to be", () => {
  expect(one(check({ more: { "far.speed": policy } }))).toMatch(/^policy.far.speed.readBack: /);
});

test("W13: no other writer of these registers at any station of the bus; other buses are", () => {
  const told = one(check({ others: { speed: rw } }));
  expect(told).toMatch(/^devices.fans.tags.speed.at: fan.speed has two writers.*\(W13\)/);
  expect(one(check({ others: { part: { ...rw, at: "holding 8", type: "float32" } } })))
    .toContain("(W13)");
  expect(one(check({ others: { bit: { ...rw, at: "holding 9.3", type: "bool" } } })))
    .toContain("(W13)");
  expect(check({ others: { beside: { ...rw, at: "holding 10" } } })).toEqual([]);
  expect(check({ others: { coil: { ...rw, at: "coil 9", type: "bool" } } })).toEqual([]);
});

test("W13: two broadcasts of one place overlap as any two tags do", () => {
  expect(one(check({ tags: { again: { ...rw, at: "400010" } } })))
    .toContain("two writable tags overlap");
});
