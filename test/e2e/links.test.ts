import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { monotonic } from "../../src/base/os.ts";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/**
 * Must-show I, everything that goes wrong between us and a device. Each fault has a link of its
 * own with two stations; the faults strike at the same time, station 1 only, and the frame log
 * says how station 2 and the untouched links fared meanwhile.
 */
interface Trouble {
  readonly link: string;
  readonly fault: string;
  /** One of these must be what the tag's quality says. */
  readonly quality: RegExp;
  /** Station 2 of the same link is not struck, and must not suffer. */
  readonly neighbour: boolean;
}

const span_ms = 4000;
const troubles: readonly Trouble[] = [
  { link: "tcp-silent", fault: "/1 silence", quality: /bad:timeout/, neighbour: true },
  { link: "tcp-unplugged", fault: ` disconnect for ${span_ms}ms`, quality: /bad:disconnected/,
    neighbour: false },
  { link: "tcp-exception", fault: "/1 exception 4", quality: /bad:exception/, neighbour: true },
  { link: "tcp-station", fault: "/1 wrong-station", quality: /bad:garbled/, neighbour: true },
  { link: "tcp-garbage", fault: "/1 garbage", quality: /bad:(garbled|disconnected)/,
    neighbour: false },
  { link: "tcp-half", fault: "/1 half", quality: /bad:(garbled|disconnected)/, neighbour: false },
  { link: "bus-silent", fault: "/1 silence", quality: /bad:timeout/, neighbour: true },
  { link: "bus-unplugged", fault: ` disconnect for ${span_ms}ms`, quality: /bad:timeout/,
    neighbour: false },
  { link: "bus-station", fault: "/1 wrong-station", quality: /bad:(garbled|timeout)/,
    neighbour: true },
  { link: "bus-exception", fault: "/1 exception 6", quality: /bad:exception/, neighbour: true },
  { link: "bus-crc", fault: "/1 wrong-crc", quality: /bad:(garbled|timeout)/, neighbour: true },
  { link: "bus-half", fault: "/1 half", quality: /bad:(garbled|timeout)/, neighbour: true },
  { link: "bus-garbage", fault: "/1 garbage", quality: /bad:(garbled|timeout)/, neighbour: true },
  { link: "bus-master", fault: ` other-master 100ms for ${span_ms}ms`,
    quality: /bad:(garbled|disconnected|timeout)/, neighbour: false },
];
const untouched = ["tcp-well", "bus-well"];
const names = [...troubles.map(({ link }) => link), ...untouched];

const config = {
  gateway: { id: "links" },
  types: { meter: { groups: { fast: "250ms" },
    tags: { power: { at: "input 0", type: "float32" } } } },
  links: Object.fromEntries(names.map((name) => [name, name.startsWith("bus")
    ? { type: "modbus-rtu", port: `/dev/${name}`, rs485: "adapter", baud: 115200, timeout: "60ms" }
    : { type: "modbus-tcp", host: "192.0.2.1", port: 502 + names.indexOf(name),
        timeout: "60ms" }])),
  devices: Object.fromEntries(names.flatMap((link) => [1, 2].map((station) =>
    [`${link}-${station}`, { use: "meter", link, station }]))),
  rules: {},
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
const seen = new Map<string, Set<string>>();
const reasons = new Map<string, string>();
let struck = 0;

beforeAll(async () => {
  site = await Site.start(config);
  gateway = await site.run();
  for (const name of names) for (const n of [1, 2]) await good(gateway, `${name}-${n}.power`);
  await Bun.sleep(span_ms);
  struck = monotonic();
  for (const { link, fault } of troubles) {
    await site.plant.command(`fault ${link}${fault}${fault.includes(" for ") ? "" :
      ` for ${span_ms}ms`}`);
    seen.set(link, new Set());
  }
  while (monotonic() < struck + span_ms) {
    const devices = (await gateway.get("/devices")).body as
      { name: string; tags: { quality: string }[] }[];
    for (const { link } of troubles) {
      seen.get(link)!.add(devices.find((d) => d.name === `${link}-1`)!.tags[0]!.quality);
      if ([...seen.get(link)!].join() === "good" || reasons.has(link)) continue;
      const why = (await gateway.get(`/tags/${link}-1.power/why`)).body;
      if (why.tag.quality !== "good") reasons.set(link, `${why.tag.quality}: ${why.reason}`);
    }
    await Bun.sleep(50);
  }
}, 60_000);
afterAll(() => site?.stop());

/**
 * 95 % of the polls that a station had in the same span before the fault. Where a span begins
 * between two polls makes one more or less.
 */
function expectKept(link: string, station: number): void {
  const before = site.plant.answers(link, station, struck - span_ms, struck);
  expect(site.plant.answers(link, station, struck, struck + span_ms), link)
    .toBeGreaterThanOrEqual(0.95 * before - 1);
}

for (const { link, fault, quality, neighbour } of troubles) {
  describe(`${link}:${fault}`, () => {
    test("quality carries the reason, and so does `why`", () => {
      expect([...seen.get(link)!].join(" ")).toMatch(quality);
      expect(reasons.get(link)).toMatch(/^bad:\S+: ./);
    });
    if (neighbour) {
      test("the other station of the link keeps its polls", () => {
        expectKept(link, 2);
      });
    }
    test("comes back by itself", async () => {
      for (const n of [1, 2]) await good(gateway, `${link}-${n}.power`, 20_000);
    }, 25_000);
  });
}

test("untouched links keep their polls", () => {
  for (const link of untouched) {
    for (const station of [1, 2]) expectKept(link, station);
  }
});

test("nothing was written", () => {
  const frames = names.flatMap((link) => site.plant.writes(link));
  expect(frames).toEqual([]);
});

test("an answer after its timeout is counted, and taken for no other request's", async () => {
  await good(gateway, "bus-silent-1.power");
  const from = monotonic();
  const counters = async () => ((await gateway.get("/links")).body as
    { name: string; counters: { stray: number } }[]).find((l) => l.name === "bus-silent")!.counters;
  const { stray } = await counters();
  await site.plant.command("set bus-silent-1.power 11");
  await site.plant.command("set bus-silent-2.power 22");
  await good(gateway, "bus-silent-2.power");
  // Timeout 60 ms: the answer comes within the silence that is kept after it.
  await site.plant.command("fault bus-silent/1 delay 90ms count 2");
  await until("the late answer was counted", async () => (await counters()).stray > stray);
  const late = site.plant.frames().filter((f) => f.link === "bus-silent" && f.t >= from &&
    f.dir === "out" && f.fault === "delay");
  expect(late.length).toBeGreaterThanOrEqual(1);
  // Between the request and its late answer plus silence nothing was asked of that station.
  for (const answer of late) {
    const asked = site.plant.frames().filter((f) => f.link === "bus-silent" && f.dir === "in" &&
      f.bytes.startsWith("01") && f.t > answer.t - 85 && f.t < answer.t);
    expect(asked).toEqual([]);
  }
  await good(gateway, "bus-silent-1.power");
  const values = (await Promise.all([1, 2].map((n) =>
    gateway.get(`/tags/bus-silent-${n}.power`)))).map(({ body }) => body.value);
  expect(values).toEqual([11, 22]);
}, 20_000);
