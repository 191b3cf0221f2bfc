import { afterEach, describe, expect, test } from "bun:test";
import { appendFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "mqtt";
import { createLog, eventLoop, systemClock } from "../../src/base.ts";
import {
  fileConnector, httpConnector, mqttConnector, type Connection, type Connector,
} from "../../src/connector.ts";
import { readCell, tagColumn } from "../../src/ring.ts";
import { aedesBroker } from "../connector/broker.ts";
import { workFolder } from "../support/binary.ts";
import { configured } from "../support/configured.ts";
import { Hand } from "../support/intake.ts";
import { freePort } from "../support/port.ts";

await mqttConnector.load!();

/** What every source must do, over the real system; more of each is in test/connector. */
interface System {
  readonly connector: Connector;
  readonly link: object;
  readonly settings: object;
  /** It can wait: what is not durable comes again. */
  readonly waits: boolean;
  /** Gives a message to whoever asks, or sends it. */
  give(message: string): void | Promise<unknown>;
  gone(on: boolean): void | Promise<unknown>;
  close(): void | Promise<unknown>;
}

function file(format: "json" | "csv"): () => System {
  return () => {
    const folder = workFolder();
    const path = join(folder.path, "rows");
    writeFileSync(path, format === "csv" ? "n,name\n" : "");
    return {
      connector: fileConnector, link: {}, waits: true,
      settings: { file: path, format, poll: "10ms" },
      give(message) {
        const { n, name } = message.startsWith("{") ? JSON.parse(message) : { n: "a,b,", name: "" };
        appendFileSync(path, format === "csv" ? `${n},${name}\n` : `${message}\n`);
      },
      // Its folder may be on a stick that somebody pulls.
      gone: (on) => (on ? renameSync(path, `${path}.away`) : renameSync(`${path}.away`, path)),
      close: () => folder.remove(),
    };
  };
}

async function http(): Promise<System> {
  let answer = "[]";
  const serve = (port: number) => Bun.serve({ hostname: "127.0.0.1", port, fetch: () => {
    const now = answer;
    answer = "[]";
    return new Response(now);
  } });
  const port = await freePort();
  let server: ReturnType<typeof serve> | null = serve(port);
  return {
    connector: httpConnector, link: {}, waits: false,
    settings: { url: `http://127.0.0.1:${port}/rows`, interval: "100ms", timeout: "1s" },
    async give(message) {
      answer = message;
      while (answer === message) await Bun.sleep(2);
    },
    async gone(on) {
      await server?.stop(true);
      server = on ? null : serve(port);
    },
    close: () => server?.stop(true),
  };
}

async function mqtt(): Promise<System> {
  const broker = await aedesBroker();
  await broker.start();
  const peer = connect({ protocol: "mqtt", host: "127.0.0.1", port: broker.port });
  return {
    connector: mqttConnector, link: { host: "127.0.0.1", port: broker.port }, waits: false,
    settings: { topic: "in" },
    give: (message) => peer.publishAsync("in", message, { qos: 1 }),
    async gone(on) {
      if (on) return broker.stop();
      const before = broker.subscriptions;
      await broker.start();
      await until(() => broker.subscriptions > before);
    },
    async close() {
      await peer.endAsync(true);
      await broker.stop();
    },
  };
}

const systems: [string, () => System | Promise<System>][] = [
  ["file, JSON", file("json")], ["file, CSV", file("csv")], ["http", http], ["mqtt", mqtt],
];

const columns = [tagColumn("n", "int64"), tagColumn("name", "text(8)")];
let open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.reverse()) await close();
  open = [];
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(2);
}

interface Running { readonly system: System; readonly hand: Hand; readonly connection: Connection;
  end(): void }

async function start(make: () => System | Promise<System>): Promise<Running> {
  const system = await make();
  const clock = systemClock();
  const hand = new Hand([], columns, 64);
  const lines: string[] = [];
  const connection = configured(system.connector).connect("c", system.link, {
    log: createLog("info", () => clock.time(), (line) => lines.push(line)), gateway: "g",
    timers: eventLoop, durable: system.waits, message_bytes_max: 1000,
    time: () => clock.time(), now: () => clock.now(), flags: () => 0, wake: () => {},
  });
  const end = connection.source("rows", system.settings, hand.ring, system.waits ? hand : null);
  open.push(() => system.close(), () => connection.close());
  await until(() => connection.status.state === "up");
  if (system.connector === mqttConnector) await until(() => lines.join().includes("subscribed"));
  return { system, hand, connection, end };
}

const rowsOf = ({ ring }: Hand): unknown[] => Array.from({ length: ring.head }, (_, seq) =>
  ring.columns.map((column) => readCell(ring, column, seq)));
const row = (n: number): string => `{"n":${n},"name":"r${n}"}`;

describe.each(systems)("a source of %s", (_name, make) => {
  test("rows come in order, with their columns and their time", async () => {
    const { system, hand, connection } = await start(make);
    const before = Date.now() - 1;
    for (const n of [1, 2, 3]) await system.give(row(n));
    await until(() => hand.ring.head === 3);
    expect(rowsOf(hand)).toEqual([[1n, "r1"], [2n, "r2"], [3n, "r3"]]);
    expect(connection.status).toMatchObject({ state: "up", received: 3, dropped: 0, errors: 0 });
    const { arena, timeAt } = hand.ring;
    for (const seq of [0, 1, 2]) expect(arena.F[timeAt + seq]!).toBeGreaterThan(before - 200);
  });

  test("a damaged message is counted with its reason; the next is as good as ever", async () => {
    const { system, hand, connection } = await start(make);
    await system.give("no message");
    await until(() => connection.status.dropped === 1);
    await system.give(row(1));
    await until(() => hand.ring.head === 1);
    expect(connection.status).toMatchObject({ state: "up", received: 1, dropped: 1, errors: 1 });
    expect(connection.status.lastError).toStartWith("rows: ");
  });

  test("its system goes, is told of with a reason, and comes back", async () => {
    const { system, hand, connection } = await start(make);
    await system.give(row(1));
    await until(() => hand.ring.head === 1);
    await system.gone(true);
    // Of a file that was renamed nobody knows yet whether another one follows.
    if (!system.waits) {
      await until(() => connection.status.state === "down");
      expect(connection.status.reason).not.toBe("");
    }
    await system.gone(false);
    await until(() => connection.status.state === "up");
    await system.give(row(2));
    await until(() => hand.ring.head === 2);
    expect(rowsOf(hand).at(-1)).toEqual([2n, "r2"]);
  });

  test("after its end nothing comes any more", async () => {
    const { system, hand, end } = await start(make);
    await system.give(row(1));
    await until(() => hand.ring.head === 1);
    end();
    if (system.connector !== httpConnector) await system.give(row(2));
    await Bun.sleep(150);
    expect(hand.ring.head).toBe(1);
  });
});
