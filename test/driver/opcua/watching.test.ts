import { afterAll, afterEach, beforeAll, expect, test } from "bun:test";
import { createLog } from "../../../src/base.ts";
import type { Link } from "../../../src/config.ts";
import { opcua, type Client } from "../../../src/driver.ts";
import { BAD, GOOD, type Ring } from "../../../src/ring.ts";
import { ClientRows } from "../../../src/runtime/client-port.ts";
import { until, workFolder } from "../../support/binary.ts";
import { ringFor, tag } from "../support.ts";
import { PlantProcess } from "./process.ts";
import { freePort } from "../../support/port.ts";

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
  readonly said: string[] = [];
  readonly client: Client;
  readonly ring: Ring;
  readonly rows: ClientRows;
  readonly #timer: ReturnType<typeof setInterval>;

  constructor() {
    const { ring, tags } = ringFor([tag("ns=1;s=Level", "float32")]);
    const time = (): number => performance.now();
    this.ring = ring;
    this.rows = new ClientRows({ stream: "d.fast", device: "d", station: 1, interval: 100,
      tags: tags as never, constants: [], broadcasts: [], history: false }, ring, {
      history: null, flags: () => 0, now: time, isDisabled: () => this.isDisabled, complete() {} });
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

  /** Rows that count, of those that the next half second brings. */
  async published(): Promise<number> {
    const before = this.rows.published;
    await Bun.sleep(500);
    return this.rows.published - before;
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
    watching = new Watching();
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
    expect(await watching.published()).toBeGreaterThan(1);
  }, 30_000);

test.each(["BadTimeout", "BadShutdown"])(
  "a subscription that the server says is over (%s): the link is made anew at once",
  async (status) => {
    watching = new Watching();
    await until("a good row", () => watching.isGood());
    await plant.ask(`over ${status}`);
    await until("the link fails", () => watching.client.state !== "open", 2000);
    expect(watching.client.reason)
      .toStartWith(`d.fast: the server ended the subscription: ${status}`);
    await until("it is back, with good rows", () => watching.client.opens === 2 &&
      watching.isGood());
    expect(await watching.published()).toBeGreaterThan(1);
  }, 30_000);

test("a status that is none to worry about ends nothing", async () => {
  watching = new Watching();
  await until("a good row", () => watching.isGood());
  await plant.ask("over GoodSubscriptionTransferred");
  expect(await watching.published()).toBeGreaterThan(1);
  expect([watching.client.state, watching.client.opens]).toEqual(["open", 1]);
}, 30_000);
