import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/**
 * An answer that comes when its window has ended by the clock: the poll began in the window, so its
 * row belongs to it. Each window is given once, with all of its rows.
 */
const windows = 5;
const sums = "SELECT window_start() AS at, count(*) AS n, sum(x) AS total";
const tumbling = "GROUP BY TUMBLINGWINDOW(ss, 1)";
/** Each with the rows that a window of it has. */
const counted = {
  tcp: { rows: 10, sql: `${sums} FROM press.fast ${tumbling}` },
  bus: { rows: 10, sql: `${sums} FROM meter.fast ${tumbling}` },
  hops: { rows: 20, sql: `${sums} FROM press.fast GROUP BY HOPPINGWINDOW(ss, 2, 1)` },
  through: { rows: 10, sql: `${sums} FROM passed ${tumbling}` },
  both: { rows: 20, sql: `${sums} FROM *.fast ${tumbling}` },
};
type Name = keyof typeof counted;
const names = Object.keys(counted) as Name[];
const device = (link: string) => ({ link, station: 1, groups: { fast: "100ms" },
  tags: { x: { at: "holding 0", type: "int16", group: "fast" } } });

for (const profile of ["generic-512mb", "generic-1gb"]) {
  describe(profile, () => {
    let site: Site;
    let gateway: RunningGateway;
    let from = 0;
    const found = (name: Name): { at: number; n: number; total: number | null }[] =>
      gateway.program.output.slice(from).split("\n")
        .flatMap((line) => line.match(` lines ${name}: ({.*}) time=`)?.[1] ?? [])
        .map((row) => JSON.parse(row));
    beforeAll(async () => {
      site = await Site.start({
        gateway: { id: "open", profile },
        links: { "plc-1": { type: "modbus-tcp", host: "192.0.2.1" },
          "bus-1": { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200 } },
        devices: { press: device("plc-1"), meter: device("bus-1") },
        rules: { passed: { sql: "SELECT x FROM press.fast WHERE x > 5" },
          ...Object.fromEntries(names.map((name) =>
            [name, { sql: counted[name].sql, to: ["lines"] }])) },
        sinks: { lines: { type: "log", rowsPerSecond: 100 } },
        api: { listen: "127.0.0.1:0" },
      }, { "plant.json": { "press.x": { kind: "constant", value: 10 },
        "meter.x": { kind: "constant", value: 10 } } });
      gateway = await site.run();
      await good(gateway, "press.x");
      await good(gateway, "meter.x");
      await site.plant.command("fault plc-1 delay 96ms");
      await site.plant.command("fault bus-1 delay 85ms");
      // Windows of before the delay, and those that it cut in two, are none of ours.
      await Bun.sleep(3000);
      from = gateway.program.output.length;
      await until("windows", () =>
        names.every((name) => found(name).length > windows), 60_000);
    }, 120_000);
    afterAll(() => site?.stop());

    for (const name of names) {
      test(`${name}: each window once, with all of its rows`, async () => {
        const all = found(name).slice(0, windows), first = all[0]!.at;
        expect(all.map(({ at }) => at)).toEqual(all.map((_, i) => first + 1000 * i));
        for (const { n, total } of all) expect(total).toBe(10 * n);
        // A poll begins up to some ms late: its row may be one of the next window.
        const rows = all.reduce((sum, { n }) => sum + n, 0), { rows: each } = counted[name];
        expect(Math.abs(rows - windows * each)).toBeLessThanOrEqual(each / 5);
        expect((await gateway.get(`/rules/${name}`)).body.late).toBe(0);
      });
    }

    test("silence of a device holds windows no longer than its polls take", async () => {
      await site.plant.command("clear plc-1");
      await site.plant.command("fault plc-1 silence for 8s");
      from = gateway.program.output.length;
      await until("windows without a value", () =>
        found("tcp").filter(({ total }) => total === null).length > 1 &&
        found("both").length > 3, 60_000);
    }, 120_000);
  });
}
