import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { decode } from "cbor-x/index-no-eval";
import { connect, type MqttClient } from "mqtt";
import { createLog, eventLoop, systemClock } from "../../src/base.ts";
import { InboundLengths } from "../../src/connector/mqtt/inbound.ts";
import { mqttConnector, type Connection, type ConnectorIo } from "../../src/connector.ts";
import {
  Arena, BAD, GOOD, Ring, UNCERTAIN, readCell, tagColumn, writeCell,
} from "../../src/ring.ts";
import { aedesBroker, mosquittoBroker, mosquittoPath, type Broker } from "./broker.ts";
import { configured } from "../support/configured.ts";

const mqtt = configured(mqttConnector);

await mqttConnector.load!();

const columns = [
  tagColumn("id", "int64"), tagColumn("value", "float64"), tagColumn("name", "text(16)"),
];
const clock = systemClock();

function ringOf(rows = 4096): Ring {
  const layout = Ring.layout("s", columns, rows);
  return Ring.create(Arena.create(layout.bytes), layout).ring;
}

function fill(ring: Ring, n: number): void {
  for (let i = 0; i < n; i++) {
    ring.claim(1);
    writeCell(ring, ring.column("id")!, ring.head, ring.head);
    writeCell(ring, ring.column("value")!, ring.head, ring.head / 2);
    writeCell(ring, ring.column("name")!, ring.head, "x", BAD.timeout);
    ring.publish(1);
  }
}

/** Waits for what must come; the test's own timeout says if it does not. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(2);
}

let lines: string[];
let wakes: number;
const io: ConnectorIo = {
  log: createLog("info", () => clock.time(), (line) => lines.push(line)),
  gateway: "g1", message_bytes_max: 100_000, timers: eventLoop, durable: false,
  time: () => clock.time(), now: () => clock.now(), flags: () => 0, wake: () => { wakes++; },
};

const brokers: [string, () => Promise<Broker>][] = [["aedes", () => aedesBroker()]];
if (mosquittoPath !== null) brokers.push(["mosquitto", mosquittoBroker]);

describe.each(brokers)("MQTT through %s", (_name, create) => {
  let broker: Broker;
  let connection: Connection;
  let peer: MqttClient;
  let heard: { topic: string; payload: Buffer; retain: boolean }[];

  beforeEach(async () => {
    lines = [];
    heard = [];
    wakes = 0;
    broker = await create();
    await broker.start();
    connection = mqtt.connect("broker", { host: "127.0.0.1", port: broker.port }, io);
    peer = connect({ protocol: "mqtt", host: "127.0.0.1", port: broker.port, reconnectPeriod: 20 });
    peer.on("message", (topic, payload, { retain }) => heard.push({ topic, payload, retain }));
    peer.on("error", () => undefined);
    await peer.subscribeAsync("out/#", { qos: 1 });
    await until(() => connection.status.state === "up");
  });
  afterEach(async () => {
    await connection.close();
    await peer.endAsync(true);
    await broker.stop();
  });

  /** Subscriptions are in place once a message comes through. */
  async function ready(ring: Ring, topic: string): Promise<void> {
    for (let tries = 0; ring.head === 0; tries++) {
      // So seldom that none of before is still under way.
      if (tries % 20 === 0) await peer.publishAsync(topic, "{}");
      await Bun.sleep(10);
    }
    const { received } = connection.status;
    await Bun.sleep(20);
    if (received !== connection.status.received) await ready(ring, topic);
  }

  test("messages become rows; malformed ones are counted and the rest goes on", async () => {
    const ring = ringOf();
    connection.source("orders", { topic: "in/{gateway}/+/#" }, ring, null);
    await ready(ring, "in/g1/a");
    const first = ring.head;
    await peer.publishAsync("in/g1/a", '{"id":7,"value":1.5,"name":"ü","more":[1]}');
    await peer.publishAsync("in/g1/b/c", '{"id":7,');
    await peer.publishAsync("in/g2/a", '{"id":8}');
    await peer.publishAsync("in/g1/a", '[{"value":"x"},{"value":2}]');
    await until(() => ring.head - first === 3);
    const { status } = connection;
    expect([status.dropped, status.errors]).toEqual([1, 1]);
    expect(status.lastError).toStartWith("orders: No JSON: at byte 8");
    expect(status.received).toBe(ring.head);
    expect(readCell(ring, ring.column("id")!, first)).toBe(7n);
    expect(readCell(ring, ring.column("name")!, first)).toBe("ü");
    expect(readCell(ring, ring.column("value")!, first + 2)).toBe(2);
    expect(wakes).toBeGreaterThan(0);
  });

  test("a ring with room for it gets what each message says of itself", async () => {
    const layout = Ring.layout("s", [columns[1]!, { name: "$meta", kind: "dyn", slot: 256 }], 64);
    const { ring } = Ring.create(Arena.create(layout.bytes), layout);
    connection.source("any", { topic: "tell/#" }, ring, null);
    await ready(ring, "tell/a");
    const { head } = ring;
    await peer.publishAsync("tell/b/c", '{"value":1}', { qos: 0 });
    await until(() => ring.head === head + 1);
    expect(readCell(ring, ring.column("$meta")!, head))
      .toBe('{"topic":"tell/b/c","qos":0,"messageId":0}');
  });

  test("retained messages: uncertain by default, good or skipped if so configured", async () => {
    for (const n of ["a", "b", "c"]) {
      await peer.publishAsync(`keep/${n}`, '{"value":1}', { retain: true, qos: 1 });
    }
    const [a, b, c] = [ringOf(), ringOf(), ringOf()];
    connection.source("a", { topic: "keep/a" }, a, null);
    connection.source("b", { topic: "keep/b", retained: "good" }, b, null);
    connection.source("c", { topic: "keep/c", retained: "skip" }, c, null);
    await until(() => a.head === 1 && b.head === 1);
    const state = (ring: Ring, seq: number): number =>
      ring.arena.U[ring.column("value")!.state + seq]!;
    expect(state(a, 0)).toBe(UNCERTAIN.source);
    expect(state(b, 0)).toBe(GOOD);
    await peer.publishAsync("keep/c", '{"value":2}');
    await peer.publishAsync("keep/a", '{"value":2}');
    await until(() => a.head === 2 && c.head === 1);
    expect(state(a, 1)).toBe(GOOD);
    expect(readCell(c, c.column("value")!, 0)).toBe(2);
  });

  test("rows become messages, in order, JSON at qos 0", async () => {
    const ring = ringOf();
    fill(ring, 500);
    const sink = connection.sink("plant", { topic: "out/{gateway}/{rule}" }, ring, "hold");
    expect(sink.drain(0, 500)).toBe(500);
    await until(() => heard.length === 500);
    expect(heard[0]!.topic).toBe("out/g1/hold");
    heard.forEach(({ payload }, i) =>
      expect(payload.toString()).toBe(`{"id":${i},"value":${i / 2},"name":null}`));
    expect(connection.status.sent).toBe(500);
  });

  test("rows of all sizes, also past the steps of the length field", async () => {
    const layout = Ring.layout("s", [tagColumn("text", "text(20000)")], 64);
    const { ring } = Ring.create(Arena.create(layout.bytes), layout);
    const sizes = [0, 1, 90, 120, 130, 20_000, 3, 16_000, 16_384, 60, 19_999, 5_000];
    for (const size of sizes) {
      ring.claim(1);
      writeCell(ring, ring.columns[0]!, ring.head, "x".repeat(size));
      ring.publish(1);
    }
    const sink = connection.sink("plant", { topic: "out/size" }, ring, "r");
    expect(sink.drain(0, ring.head)).toBe(sizes.length);
    await until(() => heard.length === sizes.length);
    const rows = heard.map(({ payload }) => JSON.parse(payload.toString()) as { text: string });
    expect(rows.map(({ text }) => text.length)).toEqual(sizes);
  });

  test("CBOR at qos 1, kept by the broker, with the quality of what is not good", async () => {
    const ring = ringOf();
    fill(ring, 3);
    const settings = { topic: "out/c", format: "cbor", qos: 1, retain: true, quality: true };
    const sink = connection.sink("plant", settings, ring, "hold");
    expect(sink.drain(0, 3)).toBe(3);
    await until(() => heard.length === 3 && connection.status.sent === 3);
    expect(decode(heard[2]!.payload)).toEqual(
      { id: 2, value: 1, name: null, quality: { name: "bad:timeout" } });
    const late = connect({ protocol: "mqtt", host: "127.0.0.1", port: broker.port });
    const kept = new Promise<boolean>((done) =>
      late.on("message", (_topic, _payload, { retain }) => done(retain)));
    await late.subscribeAsync("out/c");
    expect(await kept).toBe(true);
    await late.endAsync();
  });

  test("at qos 1 a bounded window is under way, and all rows arrive in order", async () => {
    const ring = ringOf();
    fill(ring, 3000);
    const sink = connection.sink("plant", { topic: "out/q", qos: 1 }, ring, "r");
    let cursor = sink.drain(0, 3000);
    expect(cursor).toBe(256);
    while (cursor < 3000) {
      const before = wakes;
      cursor = sink.drain(cursor, 3000);
      if (cursor < 3000) await until(() => wakes > before);
    }
    await until(() => heard.length === 3000 && connection.status.sent === 3000);
    heard.forEach(({ payload }, i) => expect(payload.toString()).toStartWith(`{"id":${i},`));
  });

  test("the broker goes and comes back: rows wait in their ring, sources go on", async () => {
    const [input, output] = [ringOf(), ringOf()];
    connection.source("orders", { topic: "in" }, input, null);
    const sink = connection.sink("plant", { topic: "out/r" }, output, "r");
    fill(output, 10);
    await ready(input, "in");
    await broker.stop();
    await until(() => connection.status.state === "down");
    expect(connection.status.reason).not.toBe("");
    expect(sink.drain(0, 10)).toBe(0);
    const before = wakes;
    await broker.start();
    await until(() => connection.status.state === "up" && peer.connected);
    expect(wakes).toBeGreaterThan(before);
    expect(connection.status.reason).toBe("");
    const head = input.head;
    await peer.subscribeAsync("out/#");
    expect(sink.drain(0, 10)).toBe(10);
    await until(() => heard.length === 10);
    while (input.head === head) {
      await peer.publishAsync("in", "{}");
      await Bun.sleep(10);
    }
    expect(lines.some((line) => line.includes("broker is away"))).toBe(true);
  });

  test("commands come as text with their flags, answers go out", async () => {
    await peer.publishAsync("cmd/g1/write", "old", { retain: true, qos: 1 });
    const got: [string, boolean][] = [];
    const answer = connection.commands!("cmd/{gateway}/write", ({ text, retained }) => {
      got.push([text, retained]);
    });
    await until(() => got.length === 1);
    await peer.publishAsync("cmd/g1/write", '{"id":"a"}', { qos: 1 });
    await until(() => got.length === 2);
    expect(got).toEqual([["old", true], ['{"id":"a"}', false]]);
    answer("out/{gateway}/answer", "verified");
    await until(() => heard.length === 1);
    expect([heard[0]!.topic, heard[0]!.payload.toString()]).toEqual(["out/g1/answer", "verified"]);
  });
});

describe("a message that is too long", () => {
  test("ends the connection before it is there, with its reason; the next is taken", async () => {
    lines = [];
    const broker = await aedesBroker();
    await broker.start();
    const settings = { host: "127.0.0.1", port: broker.port };
    const connection = mqtt.connect("broker", settings, io);
    const peer = connect({ protocol: "mqtt", ...settings });
    const got: number[] = [];
    connection.commands!("cmd", ({ text }) => got.push(text.length));
    const heard = async (length: number): Promise<void> => {
      while (!got.includes(length)) {
        await peer.publishAsync("cmd", "x".repeat(length));
        await Bun.sleep(20);
      }
    };
    await heard(99_000);
    await peer.publishAsync("cmd", "x".repeat(3_000_000), { qos: 1 });
    await until(() => connection.status.state === "down");
    expect(connection.status.reason)
      .toMatch(/^a message of 30000\d\d bytes; at most 100000 are taken$/);
    expect([connection.status.dropped, connection.status.errors]).toEqual([1, 1]);
    await heard(98_000);
    expect(Math.max(...got)).toBe(99_000);
    await peer.endAsync(true);
    await connection.close();
    await broker.stop();
  });

  test("is seen however its bytes are cut; lengths at every step of the field are not", () => {
    const packet = (length: number): number[] => {
      const head = [0x30];
      for (let left = length; ; left >>>= 7) {
        head.push(left > 127 ? (left & 127) | 128 : left);
        if (left <= 127) return [...head, ...new Array<number>(length).fill(0xff)];
      }
    };
    const sound = [0, 1, 127, 128, 16383, 16384, 65536].flatMap(packet);
    for (const size of [1, 2, 3, 7, 1000, 1e9]) {
      const lengths = new InboundLengths(65536);
      const take = (bytes: readonly number[]): number => {
        let found = 0;
        for (let at = 0; at < bytes.length && found === 0; at += size) {
          found = lengths.take(Uint8Array.from(bytes.slice(at, at + size)));
        }
        return found;
      };
      expect(take(sound)).toBe(0);
      expect(take(packet(65537))).toBe(65537);
    }
    expect(new InboundLengths(65536).take(Uint8Array.of(0x30, 255, 255, 255, 255, 255)))
      .toBe(2 ** 28);
  });
});

describe("a broker that is not there, or does not want us", () => {
  beforeEach(() => {
    lines = [];
    wakes = 0;
  });

  test("down with a reason, up when it comes", async () => {
    const broker = await aedesBroker();
    const settings = { host: "127.0.0.1", port: broker.port };
    const connection = mqtt.connect("broker", settings, io);
    expect(connection.status.state).toBe("connecting");
    await until(() => connection.status.state === "down");
    expect(connection.status.reason).toContain("ECONNREFUSED");
    await broker.start();
    await until(() => connection.status.state === "up");
    await connection.close();
    await broker.stop();
  });

  test("a wrong password is a reason, and is tried again", async () => {
    const broker = await aedesBroker("right");
    await broker.start();
    const settings = { host: "127.0.0.1", port: broker.port, username: "u", password: "wrong" };
    const connection = mqtt.connect("broker", settings, io);
    await until(() => connection.status.errors >= 2);
    expect(connection.status.state).toBe("down");
    expect(connection.status.reason).toContain("Connection refused");
    await connection.close();
    await broker.stop();
  });

  test("a broker that acknowledges nothing does not hold up the end", async () => {
    const broker = await aedesBroker();
    await broker.start();
    broker.mute();
    const settings = { host: "127.0.0.1", port: broker.port };
    const connection = mqtt.connect("broker", settings, io);
    await until(() => connection.status.state === "up");
    const ring = ringOf();
    fill(ring, 3);
    expect(connection.sink("plant", { topic: "x", qos: 1 }, ring, "r").drain(0, 3)).toBe(3);
    await connection.close();
    expect([connection.status.sent, connection.status.dropped]).toEqual([0, 3]);
    await broker.stop();
  });

  test("answers without a broker are dropped and counted", async () => {
    const broker = await aedesBroker();
    const settings = { host: "127.0.0.1", port: broker.port };
    const connection = mqtt.connect("broker", settings, io);
    connection.commands!("c", () => undefined)("out", "x");
    expect(connection.status.dropped).toBe(1);
    await connection.close();
  });
});
