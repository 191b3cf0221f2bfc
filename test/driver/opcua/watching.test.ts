import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createLog } from "../../../src/base.ts";
import type { Link } from "../../../src/config.ts";
import { opcua, type Client } from "../../../src/driver.ts";
import { BAD, GOOD, readCell, type Ring } from "../../../src/ring.ts";
import { ClientRows } from "../../../src/runtime/client-port.ts";
import { until, workFolder } from "../../support/binary.ts";
import { ringFor, tag } from "../support.ts";
import { freePort } from "../../support/port.ts";
import { Cable, PlantProcess } from "./process.ts";

/** A link by itself, with one group of one tag, and a server in another process. */
const folder = workFolder();
const port = await freePort();
let plant: PlantProcess;

beforeAll(async () => {
  plant = await PlantProcess.start(port);
  await opcua.load(folder.path);
}, 60_000);

afterAll(async () => {
  await plant?.stop();
  folder.remove();
});

/** One link from its beginning to its end. */
class Watching {
  isDisabled = false;
  /** The value of each row, null = it is not good; and of each row of history. */
  readonly seen: unknown[] = [];
  /** ms that each row was old when it came. */
  readonly ages: number[] = [];
  readonly overtaken: unknown[] = [];
  readonly said: string[] = [];
  readonly client: Client;
  readonly ring: Ring;
  readonly rows: ClientRows;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor(port: number) {
    const time = (): number => performance.now();
    const rowsFor = (stream: string, seen: unknown[], history: ClientRows | null): ClientRows => {
      const { ring, tags } = ringFor([tag("ns=1;s=Level", "float32")]);
      return new ClientRows({ stream, device: "d", station: 1, interval: 100,
        tags: tags as never, constants: [], broadcasts: [], history: false }, ring, {
        history, flags: () => 0, now: time, isDisabled: () => this.isDisabled,
        complete: (rows, seq) => {
          seen.push(rows.arena.U[rows.columns[0]!.state + (seq & rows.mask)] === GOOD
            ? readCell(rows, rows.columns[0]!, seq) : null);
          this.ages.push(time() - rows.arena.F[rows.timeAt + (seq & rows.mask)]!);
        } });
    };
    this.rows = rowsFor("d.fast", this.seen, rowsFor("d.fast.history", this.overtaken, null));
    this.ring = this.rows.ring;
    const link: Link = { name: "ua", type: "opcua",
      settings: opcua.settings.parse({ host: "127.0.0.1", port, security: "None" }) };
    this.client = opcua.open(link, {
      groups: [this.rows], directory: folder.path, now: time, time, wake() {}, tap() {},
      log: createLog("info", time, (line) => void this.said.push(line)), peerChanged() {},
    });
    this.#timer = setInterval(() => this.client.step(time()), 10);
  }

  get state(): number {
    const { ring } = this;
    return ring.arena.U[ring.columns[0]!.state + ((ring.head - 1) & ring.mask)]!;
  }

  isGood(): boolean {
    return this.client.state === "open" && this.rows.published > 0 && this.state === GOOD;
  }

  /** More rows that count come. */
  async goesOn(): Promise<void> {
    const before = this.rows.published;
    await until("rows go on", () => this.rows.published > before + 1);
  }

  end(): void {
    clearInterval(this.#timer);
    this.client.close();
  }
}

let watching: Watching;
afterEach(() => watching.end());

test("a group that cannot be watched when its device is enabled ends the link, which comes back",
  async () => {
    watching = new Watching(port);
    await until("a good row", () => watching.isGood());
    watching.isDisabled = true;
    await until("the device rests", () => watching.state === BAD.disabled);
    await plant.ask("refuse");
    watching.isDisabled = false;
    await until("the link fails", () => watching.client.opens === 1 &&
      watching.client.state !== "open");
    expect(watching.client.reason).toMatch(/^d\.fast: .*BadTooManyOperations/);
    await until("it is back, with good rows", () => watching.client.opens === 2 &&
      watching.isGood());
    await watching.goesOn();
  }, 30_000);

test.each(["BadTimeout", "BadShutdown"])(
  "a subscription that the server says is over (%s): the link is made anew at once",
  async (status) => {
    watching = new Watching(port);
    await until("a good row", () => watching.isGood());
    await plant.ask(`over ${status}`);
    await until("the link fails", () => watching.client.state !== "open", 2000);
    expect(watching.client.reason)
      .toStartWith(`d.fast: the server ended the subscription: ${status}`);
    await until("it is back, with good rows", () => watching.client.opens === 2 &&
      watching.isGood());
    await watching.goesOn();
  }, 30_000);

test("a link that was open is tried again as soon as at first, however long nobody had answered",
  async () => {
    const later = await freePort();
    watching = new Watching(later);
    await Bun.sleep(2000);
    expect(watching.client.opens).toBe(0);
    using _cable = new Cable(port, "127.0.0.1", later);
    await until("a good row", () => watching.isGood());
    await plant.ask("over BadShutdown");
    await until("the link fails", () => watching.client.state !== "open", 2000);
    // After as many failures it would be 3.2 s.
    await until("it is back", () => watching.client.opens === 2, 2000);
  }, 30_000);

test("a status that is none to worry about ends nothing", async () => {
  watching = new Watching(port);
  await until("a good row", () => watching.isGood());
  await plant.ask("over GoodSubscriptionTransferred");
  await watching.goesOn();
  expect([watching.client.state, watching.client.opens]).toEqual(["open", 1]);
}, 30_000);

test("values that waited on their way are as old as they are, over a connection that stayed",
  async () => {
    using cable = new Cable(port);
    await watchOver(cable);
    await watching.goesOn();
    const before = watching.seen.length;
    cable.stall();
    const began = performance.now();
    const setAt: number[] = [];
    for (const value of [2, 3, 4]) {
      await Bun.sleep(700);
      await plant.ask(`set Level ${value}`);
      setAt.push(performance.now());
    }
    await Bun.sleep(900);
    const stalled = performance.now() - began;
    cable.flow();
    const arrived = performance.now();
    await until("the values", () => watching.seen.includes(4));
    await watching.goesOn();
    expect(watching.client.opens).toBe(1);
    // Told within an interval of 100 ms; half a second for a busy machine. The last one holds.
    for (const [i, value] of [2, 3].entries()) {
      const age = watching.ages[watching.seen.indexOf(value, before)]!;
      expect(age - (arrived - setAt[i]!)).toBeWithin(-500, 500);
    }
    expect(watching.ages.at(-1)).toBeLessThan(stalled / 2);
  }, 30_000);

/** What of Level the server says while the cable is cut, by a message each; then it is lost. */
async function outage(cable: Cable, ...values: number[]): Promise<void> {
  cable.cut = true;
  for (const value of values) {
    await plant.ask(`set Level ${value}`);
    await Bun.sleep(300);
  }
  watching.seen.splice(0);
  cable.drop();
  await until("the loss", () => watching.client.state !== "open", 5000);
  cable.mend();
}

async function watchOver(cable: Cable): Promise<void> {
  await plant.ask("set Level 1");
  watching = new Watching(cable.port);
  await until("the value", () => watching.isGood() && watching.seen.at(-1) === 1);
  // A message without values: the number that it has is that of the next one.
  await Bun.sleep(300);
}

test("a lost connection: the newest value that the server kept is a row, the others are history",
  async () => {
    using cable = new Cable(port);
    await watchOver(cable);
    await outage(cable, 2, 3, 4);
    await until("it is back", () => watching.client.opens === 2 && watching.isGood());
    expect(watching.seen.filter((value) => value !== null)[0]).toBe(4);
    expect(watching.overtaken).toEqual([2, 3]);
    expect(watching.said.join()).not.toContain("closed");
    await plant.ask("set Level 5");
    await until("it goes on", () => watching.seen.at(-1) === 5);
    expect(new Set(watching.seen)).toEqual(new Set([null, 4, 5]));
  }, 30_000);

test.each([["leaves a message out", "skip"], ["sends two of them in the wrong order", "swap"]])(
  "a server that %s: all is made anew, and no value of before stays good", async (_, verb) => {
    await plant.ask("set Level 1");
    watching = new Watching(port);
    await until("the value", () => watching.isGood() && watching.seen.at(-1) === 1);
    await plant.ask(verb);
    for (const value of [2, 3]) {
      await plant.ask(`set Level ${value}`);
      await Bun.sleep(250);
    }
    await until("it is made anew", () => watching.client.opens === 2 && watching.isGood(), 10_000);
    expect(watching.said.join()).toMatch(/the server's messages are not whole: \d+ follows \d+/);
    await until("the value of now", () => watching.seen.at(-1) === 3);
  }, 30_000);

test.each([["forgets what it told", "forgetTold", "has lost what it told meanwhile"],
  ["forgets the session, as after a restart", "forget", "has forgotten the session"],
  ["answers as if it had told nothing (asyncua)", "empty", "does not say what it kept for us"],
])("a server that %s: all is made anew, at once, and nothing of before is good",
  async (_, verb, why) => {
    using cable = new Cable(port);
    await watchOver(cable);
    await plant.ask(verb);
    await outage(cable, 2, 3, 4);
    await until("it is back", () => watching.isGood(), 5000);
    await plant.ask("full");
    expect(watching.said.join()).toMatch(new RegExp(`closed: (d.fast: )?the server ${why}`));
    expect(watching.seen.filter((value) => value !== null && value !== 4)).toEqual([]);
    expect(watching.client.counters.requests).toBeLessThan(50);
  }, 30_000);
