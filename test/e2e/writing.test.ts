import { afterAll, beforeAll, expect, test } from "bun:test";
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";
import { monotonic } from "../../src/base/os.ts";
import { until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/**
 * W1, W4, W14, W15, W19 (docs/writing-rules.md): what becomes of a write
 * when something breaks around it. The judge is the simulator's frame log.
 */
const policy = {
  allow: ["cli", "rest"], maxMode: "armed", min: 0, max: 100, minInterval: "1ms",
};
const byRule = (device: string, onLoss: object) =>
  ({ ...policy, allow: [`rule:hold_${device}`], inputMaxAge: "2s", permit: [`${device}.ready`],
    maxAge: "2s", onLoss });
const tcp = (n: number) =>
  ({ type: "modbus-tcp", host: "192.0.2.1", port: 502 + n, timeout: "300ms" });
const setpoint = { at: "holding 0", type: "int16", access: "read-write" };
const regulated = (link: string) => ({ link, groups: { fast: "100ms" }, tags: {
  temperature: { at: "input 0", type: "int16" }, ready: { at: "discrete 0", type: "bool" },
  setpoint } });

const config = {
  gateway: { id: "writing" },
  links: {
    oven: tcp(0), mixer: tcp(1), kiln: tcp(2), press: tcp(3), vat: tcp(4),
    bus: { type: "modbus-rtu", port: "/dev/bus", rs485: "adapter", baud: 115200,
      timeout: "150ms" },
  },
  devices: {
    oven: { link: "oven", groups: { fast: "100ms" }, tags: { setpoint } },
    mixer: regulated("mixer"), kiln: regulated("kiln"),
    press: { link: "press", groups: { fast: "100ms" }, tags: { setpoint } },
    // Two stations: what the rule reads can be well while what it writes is not.
    vat: { link: "vat", station: 1, groups: { fast: "100ms" }, tags: {
      temperature: { at: "input 0", type: "int16" } } },
    valve: { link: "vat", station: 2, groups: { fast: "100ms" }, tags: { setpoint } },
    drive: { link: "bus", station: 1, groups: { fast: "100ms" }, tags: { speed: setpoint } },
  },
  rules: Object.fromEntries([["mixer", "mixer"], ["kiln", "kiln"], ["vat", "valve"]].map(
    ([name, written]) => [`hold_${name}`, {
      sql: `SELECT temperature + 1 AS target FROM ${name}.fast`,
      to: [{ write: `${written}.setpoint`, from: "target" }],
    }])),
  policy: {
    "oven.setpoint": policy, "press.setpoint": policy, "drive.speed": policy,
    "mixer.setpoint": byRule("mixer", { after: "500ms", value: 7, step: "any" }),
    "kiln.setpoint": byRule("kiln", { after: "500ms", value: "hold" }),
    "valve.setpoint": { ...policy, allow: ["rule:hold_vat"], inputMaxAge: "2s",
      onLoss: { after: "5s", value: "hold" } },
  },
  api: { listen: "127.0.0.1:0" },
};
const plant = {
  ...Object.fromEntries(["oven.setpoint", "press.setpoint", "drive.speed", "mixer.setpoint",
    "kiln.setpoint", "valve.setpoint"].map((tag) => [tag, { kind: "follow", value: 10 }])),
  ...Object.fromEntries(["mixer", "kiln", "vat"].map((name) => [`${name}.temperature`,
    { kind: "walk", start: 50, min: 40, max: 60, step: 2, every: "100ms" }])),
  ...Object.fromEntries(["mixer", "kiln"].map((name) =>
    [`${name}.ready`, { kind: "constant", value: true }])),
};

/**
 * The cable to the press. Told to, it breaks under the next write: from then on it holds what it
 * was given. A connection that is reset takes back what was under way; one that is merely closed
 * does not (W14), as with a real network.
 */
class Cable {
  breakAtWrite = false;
  down = false;
  port = 0;
  readonly #server: Server;
  readonly #held = new Map<Socket, { readonly far: Socket; bytes: Buffer[] }>();

  constructor(to: number) {
    this.#server = createServer((near) => {
      const far = connect(to, "127.0.0.1");
      const held: { far: Socket; bytes: Buffer[] } = { far, bytes: [] };
      this.#held.set(near, held);
      near.on("data", (bytes: Buffer) => {
        if (this.breakAtWrite && isWrite(bytes)) this.down = true;
        if (this.down) held.bytes.push(bytes);
        else far.write(bytes);
      });
      far.on("data", (bytes: Buffer) => { if (!this.down) near.write(bytes); });
      near.on("error", () => {
        held.bytes = [];
        far.resetAndDestroy();
      });
      near.on("close", () => { if (!this.down) far.end(); });
      far.on("close", () => near.destroy()).on("error", () => near.destroy());
    });
  }

  /** A write left the gateway and has not arrived. */
  get holdsWrite(): boolean {
    return this.down;
  }

  up(): void {
    this.breakAtWrite = false;
    this.down = false;
    for (const [near, { far, bytes }] of this.#held) {
      for (const piece of bytes) far.write(piece);
      this.#held.get(near)!.bytes = [];
      if (near.destroyed) far.end();
    }
  }

  async open(): Promise<void> {
    await new Promise<void>((done) => { this.#server.listen(0, "127.0.0.1", done); });
    this.port = (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
    for (const [near, { far }] of this.#held) {
      near.destroy();
      far.destroy();
    }
  }
}

const isWrite = (bytes: Buffer): boolean => bytes[7] === 6 || bytes[7] === 16;

let site: Site;
let gateway: RunningGateway;
let cable: Cable;

const start = () => site.run(
  site.live({ press: { host: "127.0.0.1", port: cable.port } }), ["--normal"]);
const write = async (tag: string, value: number, within = "5s"): Promise<any> =>
  (await gateway.post("/write",
    { id: `t-${crypto.randomUUID()}`, tag, value, within })).body;
const audit = async (tag: string): Promise<any[]> =>
  (await gateway.get(`/audit?tag=${tag}&limit=50`)).body;
const ready = async (): Promise<void> => {
  for (const tag of ["oven.setpoint", "press.setpoint", "drive.speed", "mixer.ready",
    "kiln.ready"]) await good(gateway, tag);
};

const span_ms = 3000;
/** Sound answers of a link in `span_ms` while nothing is wrong with it. */
const usual = new Map<string, number>();

/** Requests of one poll. */
const requests = (link: string): number => (link === "mixer" || link === "kiln" ? 3 : 1);

/** Sound answers from a time until now, brought to `span_ms`. */
async function answers(links: Iterable<string>, from: number): Promise<Map<string, number>> {
  const to = monotonic();
  await until("the log", () => site.plant.frames().at(-1)!.t >= to);
  return new Map([...links].map((link) =>
    [link, site.plant.answers(link, 1, from, to) * span_ms / (to - from)]));
}

/** Must-show I: links that a trouble does not touch keep 95 % of the same run's polls before it. */
async function restKeepsPolls(links: string[], trouble: () => Promise<void>): Promise<void> {
  const from = monotonic();
  await trouble();
  await Bun.sleep(Math.max(0, from + span_ms - monotonic()));
  for (const [link, kept] of await answers(links, from)) {
    // Where a span begins between two polls makes one more or less.
    expect(kept, link).toBeGreaterThanOrEqual(0.95 * usual.get(link)! - requests(link));
  }
}

beforeAll(async () => {
  site = await Site.start(config, { "plant.json": plant });
  cable = new Cable(site.plant.links["press"]!.port as number);
  await cable.open();
  gateway = await start();
  await ready();
  const from = monotonic();
  await Bun.sleep(span_ms);
  for (const [link, n] of await answers(Object.keys(config.links), from)) usual.set(link, n);
}, 120_000);
afterAll(async () => {
  await site?.stop();
  cable?.close();
});

test("W1: in shadow nothing leaves; armed, it does", async () => {
  expect(await write("oven.setpoint", 20)).toMatchObject({ outcome: "refused",
    code: "not-armed" });
  expect(["oven", "mixer", "kiln", "press", "bus"].flatMap((l) => site.plant.writes(l)))
    .toEqual([]);
  for (const [tag, link] of [["oven.setpoint", "oven"], ["drive.speed", "bus"]] as const) {
    await gateway.arm(tag);
    expect(await write(tag, 20)).toMatchObject({ outcome: "verified", readBack: 20 });
    const [frame] = await until("frame on record", () => {
      const writes = site.plant.writes(link);
      return writes.length === 1 ? writes : null;
    });
    // W21: the bytes themselves are on record, as they were on the wire.
    expect((await audit(tag)).find((row) => row.outcome === "verified").frame).toBe(frame!.bytes);
  }
});

test("W19: the permit is lost while active: onLoss writes its value, or holds, once", async () => {
  await gateway.arm("mixer.setpoint");
  await gateway.arm("kiln.setpoint");
  for (const link of ["mixer", "kiln"]) {
    await until(`${link} written`, () => site.plant.writes(link).length > 3);
  }
  const before = monotonic();
  await restKeepsPolls(["oven", "press", "vat", "bus"], async () => {
    // A permit that cannot be read does not stop a loss; one that is FALSE does (W20).
    await site.plant.command("fault kiln silence only reads");
    await site.plant.command("set mixer.ready false");
    await until("armings ended", async () => {
      const { armed } = (await gateway.get("/health")).body.writing;
      return !armed.includes("mixer.setpoint") && !armed.includes("kiln.setpoint");
    });
  });
  await site.plant.command("clear kiln");
  await site.plant.command("set mixer.ready true");
  const at = monotonic();
  await good(gateway, "kiln.ready");
  for (const link of ["mixer", "kiln"]) {
    // What was under way when the permit went, by the last poll that saw it.
    expect(site.plant.writes(link, before + 250)).toEqual([]);
    expect(site.plant.writes(link, at)).toEqual([]);
  }
  expect((await audit("mixer.setpoint")).some((row) => row.code === "permit-false")).toBe(true);
}, 120_000);

test("W19: onLoss fires its value when the rule falls silent for another reason", async () => {
  await gateway.arm("mixer.setpoint");
  const from = monotonic();
  await until("mixer written", () => site.plant.writes("mixer", from).length > 3);
  // Out of the limits: refused, so no command is admitted any more; the permit stays TRUE.
  await restKeepsPolls(["oven", "kiln", "press", "vat", "bus"], async () => {
    await site.plant.command("set mixer.temperature 500");
    await until("arming ended", async () =>
      !(await gateway.get("/health")).body.writing.armed.includes("mixer.setpoint"));
  });
  expect((await site.plant.command("get mixer.setpoint"))["value"]).toBe(7);
  await site.plant.command("release mixer.temperature");
  await until("on record", async () =>
    (await audit("mixer.setpoint"))[0]!.origin === "onLoss" ||
    (await audit("mixer.setpoint")).some((row) => row.origin.startsWith("onLoss") &&
      row.outcome === "verified"));
}, 120_000);

/** After the cable is whole again, an ordinary write of its own shows that frames can arrive. */
async function nothingArrived(sent: number): Promise<void> {
  cable.up();
  await good(gateway, "press.setpoint");
  expect((await site.plant.command("get press.setpoint"))["value"]).toBe(10);
  // The log follows the wire within 50 ms; this answer comes after whatever was held back.
  const polls = site.plant.answers("press", 1, 0, Infinity);
  await until("more polls", () => site.plant.answers("press", 1, 0, Infinity) > polls + 5);
  expect(site.plant.writes("press").length).toBe(sent);
}

test("link down between send and delivery, then timeout, then up: never arrives", async () => {
  await gateway.arm("press.setpoint");
  cable.breakAtWrite = true;
  await restKeepsPolls(["oven", "mixer", "kiln", "vat", "bus"], async () => {
    expect(await write("press.setpoint", 33)).toMatchObject({
      outcome: "unknown", code: "answer-missing" });
    expect(cable.holdsWrite).toBe(true);
  });
  await nothingArrived(0);
}, 120_000);

test("W14: a stall past the deadline, within the timeout: the frame never arrives", async () => {
  await gateway.arm("oven.setpoint");
  const [from, before] = [monotonic(), (await site.plant.command("get oven.setpoint"))["value"]];
  await site.plant.command("fault oven stall 250ms only writes count 1");
  await restKeepsPolls(["mixer", "kiln", "press", "vat", "bus"], async () => {
    expect(await write("oven.setpoint", 34, "150ms")).toMatchObject({
      outcome: "unknown", code: "answer-missing" });
    await good(gateway, "oven.setpoint");
  });
  expect(site.plant.writes("oven", from)).toEqual([]);
  expect((await site.plant.command("get oven.setpoint"))["value"]).toBe(before);
}, 120_000);

test("W4: link down between send and delivery, then disarm, then up: never arrives", async () => {
  await gateway.arm("press.setpoint");
  cable.breakAtWrite = true;
  const asked = write("press.setpoint", 44);
  await until("the write is in the cable", () => cable.holdsWrite);
  const { code, output } = await gateway.cli("disarm", "--by", "test");
  expect(code).toBe(0);
  expect(output).toContain("nothing can leave");
  await nothingArrived(0);
  expect((await asked).outcome).toBe("unknown");
}, 120_000);

test("W4: the latch holds over a restart and is lifted only by --clear", async () => {
  expect(await gateway.stop()).toBe(0);
  gateway = await start();
  await ready();
  expect((await gateway.get("/health")).body.writing.latched).toBe(true);
  const refused = await gateway.cli("arm", "oven.setpoint", "--for", "1m", "--by", "t", "--yes");
  expect(refused.code).toBe(1);
  expect(refused.output).toContain("disarm --clear");
  expect((await gateway.cli("disarm", "--clear", "--by", "test")).code).toBe(0);
  await gateway.arm("oven.setpoint");
  expect((await write("oven.setpoint", 21)).outcome).toBe("verified");
}, 120_000);

test("killed while armed: after the restart not armed, and no frame", async () => {
  await gateway.arm("mixer.setpoint");
  const from = monotonic();
  await until("mixer written", () => site.plant.writes("mixer", from).length > 3);
  await gateway.stop("SIGKILL");
  const killed = monotonic();
  gateway = await start();
  await ready();
  expect((await gateway.get("/health")).body.writing.armed).toEqual([]);
  await until("the rule runs", async () =>
    (await gateway.get("/rules/hold_mixer")).body.rows_out > 20);
  expect(site.plant.writes("mixer", killed + 50)).toEqual([]);
}, 120_000);

test("W15: killed between send and answer: unknown, and blocks until a read settles", async () => {
  await gateway.arm("oven.setpoint");
  await site.plant.command("fault oven mute only writes count 1");
  const from = monotonic();
  const asked = write("oven.setpoint", 55).catch(() => null);
  await until("the frame left", () => site.plant.writes("oven", from).length === 1);
  await gateway.stop("SIGKILL");
  await asked;
  gateway = await start();
  const row = (await audit("oven.setpoint")).find((r) => r.asked === "55" || r.means === 55);
  expect(row).toMatchObject({ outcome: "unknown", code: "restart" });
  await ready();
  expect((await site.plant.command("get oven.setpoint"))["value"]).toBe(55);
  // A good poll has settled it: verified late, and the next command passes.
  await gateway.arm("oven.setpoint");
  expect((await write("oven.setpoint", 56)).outcome).toBe("verified");
  await until("both frames on record", () => site.plant.writes("oven", from).length === 2);
}, 120_000);

test("W15: killed in mid-write, a running rule is held back until a read settles it", async () => {
  await gateway.arm("valve.setpoint");
  const from = monotonic();
  const writes = (since: number) => site.plant.writes("vat", since);
  await until("valve written", () => writes(from).length > 3);
  await site.plant.command("fault vat/2 mute only writes count 1");
  await until("a write without answer", () => writes(from).some((f) => f.fault === "mute"));
  await gateway.stop("SIGKILL");
  const killed = monotonic();
  // What the rule reads is well, what it writes cannot be read: the outcome stays open.
  await site.plant.command("fault vat/2 silence only reads");
  gateway = await start();
  await ready();
  const why = async (): Promise<any> => (await gateway.get("/tags/valve.setpoint/why")).body;
  const last = async (): Promise<any> => (await why()).gate;
  await restKeepsPolls(["oven", "mixer", "kiln", "press", "bus"], async () => {
    await until("the rule is held back", async () => (await last())?.code === "unknown-pending");
    expect((await audit("valve.setpoint")).find((r) => r.verdict === "admitted"))
      .toMatchObject({ outcome: "unknown", code: "restart", origin: "rule:hold_vat" });
  });
  expect((await last()).code).toBe("unknown-pending");
  expect((await why()).writers).toEqual(["hold_vat.target"]);
  expect(await audit("valve.setpoint")).toContainEqual(expect.objectContaining({
    verdict: "withheld", origin: "rule:hold_vat", code: "unknown-pending" }));
  expect(writes(killed)).toEqual([]);
  await site.plant.command("clear vat");
  await good(gateway, "valve.setpoint");
  await until("settled: only not armed", async () => (await last()).code === "not-armed");
  await gateway.arm("valve.setpoint");
  await until("the rule writes again", () => writes(killed).length > 3);
  await gateway.cli("disarm", "--by", "test");
  await gateway.cli("disarm", "--clear", "--by", "test");
}, 120_000);

test("W15: an unknown outcome holds the rule back until a poll settles it", async () => {
  await gateway.arm("mixer.setpoint");
  const from = monotonic();
  await until("mixer written", () => site.plant.writes("mixer", from).length > 3);
  await site.plant.command("fault mixer mute only writes count 1");
  let muted = { t: 0 };
  await restKeepsPolls(["oven", "kiln", "press", "vat", "bus"], async () => {
    muted = await until("a write without answer", () =>
      site.plant.writes("mixer", from).find((f) => f.fault === "mute"));
    await until("the rule goes on", () => site.plant.writes("mixer", muted.t + 1).length > 3);
  });
  const frames = site.plant.frames().filter((f) => f.link === "mixer" && f.t > muted.t);
  const next = site.plant.writes("mixer", muted.t + 1)[0]!;
  // Between them the tag was polled anew, and answered.
  expect(frames.some((f) => f.dir === "out" && f.bytes !== "" && f.t < next.t)).toBe(true);
  expect((await audit("mixer.setpoint")).some((r) => r.outcome === "unknown")).toBe(true);
  await gateway.cli("disarm", "--by", "test");
  await gateway.cli("disarm", "--clear", "--by", "test");
}, 120_000);

test("link down between send and delivery, kill -9, link up: never arrives", async () => {
  await gateway.arm("press.setpoint");
  cable.breakAtWrite = true;
  const asked = write("press.setpoint", 66).catch(() => null);
  await until("the write is in the cable", () => cable.holdsWrite);
  await gateway.stop("SIGKILL");
  await asked;
  cable.up();
  gateway = await start();
  await ready();
  await nothingArrived(0);
}, 120_000);

test("W14: an answer of the bus that comes after its timeout is nobody's", async () => {
  await gateway.arm("drive.speed");
  const from = monotonic();
  await site.plant.command("fault bus delay 220ms only writes count 1");
  await restKeepsPolls(["oven", "mixer", "kiln", "press", "vat"], async () => {
    expect((await write("drive.speed", 30)).outcome).toBe("unknown");
    await good(gateway, "drive.speed");
  });
  const bus = () => site.plant.frames().filter((f) => f.link === "bus" && f.t >= from);
  const late = await until("the late answer", () =>
    bus().find((f) => f.fault === "delay" && f.dir === "out"));
  await until("polls after it", () => bus().some((f) => f.dir === "in" && f.t > late.t));
  const frames = bus();
  const asked = site.plant.writes("bus", from);
  expect(asked.length).toBe(1);
  // From the write to its timeout and one more: nothing is sent to that station.
  const next = frames.find((f) => f.dir === "in" && f.t > asked[0]!.t)!;
  expect(next.t).toBeGreaterThan(late.t);
  expect(next.t - asked[0]!.t).toBeGreaterThanOrEqual(290);
}, 120_000);

test("W4: a runtime that hangs is killed, and that is said", async () => {
  process.kill(gateway.program.pid, "SIGSTOP");
  const { code, output } = await gateway.cli("disarm", "--by", "test");
  expect(code).toBe(0);
  expect(output).toContain(`process ${gateway.program.pid} was killed`);
  await gateway.program.child.exited;
  gateway = await start();
  expect((await gateway.get("/health")).body.writing.latched).toBe(true);
}, 120_000);
