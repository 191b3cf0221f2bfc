import { afterAll, beforeAll, expect, test } from "bun:test";
import type { LinkView } from "../../src/runtime.ts";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/**
 * Issue 5, D: one dead station of 32 on a bus, one of 8 behind a converter, where each wait for it
 * costs the connection, and one dead link of 10. Polls are counted against
 * each other and not against the clock, so that a busy machine slows all of them alike; beside bus
 * and converter stands one of each without a dead station.
 */
const links = Array.from({ length: 10 }, (_, i) => `line-${i}`);
const stations = Array.from({ length: 32 }, (_, i) => i + 1);
const dead = { link: "line-3", station: 7 };
const behind = stations.slice(0, 8);
/** Polls of the stream that others are counted by. */
const counted = 20;
const converter = { type: "modbus-tcp", host: "192.0.2.1", framing: "rtu", timeout: "300ms" };
const bus = { type: "modbus-rtu", rs485: "adapter", baud: 115200, timeout: "300ms" };

const config = {
  gateway: { id: "neighbours" },
  links: {
    ...Object.fromEntries(links.map((link, i) =>
      [link, { type: "modbus-tcp", host: "192.0.2.1", port: 502 + i, timeout: "500ms" }])),
    converter: { ...converter, port: 600 }, "converter-well": { ...converter, port: 601 },
    bus: { ...bus, port: "/dev/bus" }, "bus-well": { ...bus, port: "/dev/well" },
  },
  types: {
    drive: { groups: { all: "250ms" }, tags: { speed: { at: "input 0", type: "float32" } } },
    meter: { groups: { all: "500ms" }, tags: { power: { at: "input 0", type: "float32" } } },
  },
  devices: {
    ...Object.fromEntries(links.map((link) => [`on-${link}`, { use: "drive", link }])),
    "c-{1..8}": { use: "meter", link: "converter", station: "{n}" },
    "cw-{1..8}": { use: "meter", link: "converter-well", station: "{n}" },
    "m-{1..32}": { use: "meter", link: "bus", station: "{n}" },
    "mw-{1..32}": { use: "meter", link: "bus-well", station: "{n}" },
  },
  rules: {},
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  site = await Site.start(config);
  gateway = await site.run();
  for (const link of links) await good(gateway, `on-${link}.speed`);
  for (const station of stations) {
    for (const name of ["m", "mw"]) await good(gateway, `${name}-${station}.power`);
  }
  for (const station of behind) {
    for (const name of ["c", "cw"]) await good(gateway, `${name}-${station}.power`);
  }
  await site.plant.command(`fault ${dead.link}/1 silence for 10m`);
  await site.plant.command(`fault bus/${dead.station} silence for 10m`);
  await site.plant.command(`fault converter/${dead.station} silence for 10m`);
  const bad = async (tag: string): Promise<boolean> =>
    (await gateway.get(`/tags/${tag}`)).body.quality.startsWith("bad:");
  await until("the faults", async () =>
    await bad(`on-${dead.link}.speed`) && await bad(`m-${dead.station}.power`) &&
    await bad(`c-${dead.station}.power`));
}, 120_000);
afterAll(() => site?.stop());

/** Good polls by stream. */
async function polls(): Promise<Map<string, number>> {
  const { body } = await gateway.get<LinkView[]>("/links");
  return new Map(body.flatMap((link) => link.polls.map((poll) =>
    [poll.stream, poll.polls - poll.failed] as const)));
}

/** How many each stream made while `by` made `counted`. */
async function made(by: string): Promise<Map<string, number>> {
  const from = await polls();
  const to = await until(`${counted} polls of ${by}`, async () => {
    const now = await polls();
    return now.get(by)! - from.get(by)! >= counted ? now : null;
  }, 60_000);
  return new Map([...to].map(([stream, n]) => [stream, n - from.get(stream)!]));
}

test("one dead link of ten: the others keep all of their polls", async () => {
  const rows = await made("on-line-0.all");
  for (const link of links) {
    const n = rows.get(`on-${link}.all`)!;
    if (link === dead.link) expect(n, link).toBe(0);
    // One more or less lies between the two looks.
    else expect(Math.abs(n - rows.get("on-line-0.all")!), link).toBeLessThanOrEqual(1);
  }
}, 120_000);

test("one dead station of a bus or behind a converter: the others keep 95 %", async () => {
  const rows = await made("on-line-0.all");
  const of = (device: string): number => rows.get(`${device}.all`)!;
  for (const [name, all] of [["m", stations], ["c", behind]] as const) {
    const due = all.reduce((sum, n) => sum + of(`${name}w-${n}`), 0) / all.length;
    expect(due).toBeGreaterThan(2);
    for (const n of all) {
      if (n === dead.station) expect(of(`${name}-${n}`), `${name}-${n}`).toBe(0);
      // One more or less lies between the two looks.
      else expect(of(`${name}-${n}`), `${name}-${n}`).toBeGreaterThanOrEqual(0.95 * due - 1);
    }
  }
}, 120_000);
