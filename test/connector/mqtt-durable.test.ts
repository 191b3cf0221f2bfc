import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect, type MqttClient } from "mqtt";
import { createLog, eventLoop, systemClock } from "../../src/base.ts";
import { mqttConnector, type Connection } from "../../src/connector.ts";
import { Hand } from "../support/intake.ts";
import { mosquittoBroker, mosquittoPath, type Broker } from "./broker.ts";
import { configured } from "../support/configured.ts";

const mqtt = configured(mqttConnector);

await mqttConnector.load!();

/** Rows of qos 1 against a broker that keeps a session and sends again. */
const clock = systemClock();
let lines: string[];
let broker: Broker;
let peer: MqttClient;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(2);
}

/** One life of the gateway, ended without a word. */
async function life(hand: Hand): Promise<Connection & { die(): Promise<void> }> {
  const subscribed = lines.length;
  const connection = mqtt.connect("b", { host: "127.0.0.1", port: broker.port }, {
    log: createLog("info", () => clock.time(), (line) => lines.push(line)), gateway: "g",
    message_bytes_max: 10_000, timers: eventLoop, durable: true,
    time: () => clock.time(), now: () => clock.now(), flags: () => 0, wake: () => {},
  });
  const end = connection.source("rows", { topic: "in", qos: 1 }, hand.ring, hand);
  expect(end).toBeFunction();
  await until(() => lines.slice(subscribed).some((line) => line.includes("subscribed to in")));
  return Object.assign(connection, { die: () => connection.close() });
}

/** Long enough for the broker to have what was acknowledged: it tells nobody. */
const acknowledged = (): Promise<void> => Bun.sleep(300);

const send = async (...values: unknown[]): Promise<void> => {
  for (const n of values) await peer.publishAsync("in", JSON.stringify({ n }), { qos: 1 });
};

describe.skipIf(mosquittoPath === null)("MQTT at qos 1", () => {
  beforeEach(async () => {
    lines = [];
    broker = await mosquittoBroker();
    await broker.start();
    peer = connect({ protocol: "mqtt", host: "127.0.0.1", port: broker.port });
    await until(() => peer.connected);
  });
  afterEach(async () => {
    await peer.endAsync(true);
    await broker.stop();
  });

  test("what is not durable comes again; what is, is known again and acknowledged", async () => {
    const first = new Hand();
    const one = await life(first);
    await send(1, 2, 3, 4);
    await until(() => first.messages.length === 4);
    // 1 is acknowledged; 2 is durable, but its acknowledgement is lost; 3 and 4 are neither.
    first.messages[0]!.durable();
    await acknowledged();
    await one.die();
    await send(5);
    const second = new Hand(first.messages.slice(0, 2).map(({ mark }) => mark));
    const two = await life(second);
    await until(() => second.messages.length === 3);
    expect(second.values).toEqual([3, 4, 5]);
    for (const { durable } of second.messages) durable();
    await acknowledged();
    await two.die();
    // All of them have been acknowledged.
    const third = new Hand();
    const three = await life(third);
    await send(6);
    await until(() => third.messages.length === 1);
    expect(third.values).toEqual([6]);
    await three.die();
  });

  test("equal messages are two, unless the broker says that it sends one again", async () => {
    const hand = new Hand();
    const connection = await life(hand);
    await send(7, 7, 7);
    await until(() => hand.messages.length === 3);
    expect(hand.values).toEqual([7, 7, 7]);
    expect(new Set(hand.messages.map(({ mark }) => mark)).size).toBe(3);
    await connection.die();
  });

  test("while there is no room messages wait, and then come in order", async () => {
    const hand = new Hand();
    const connection = await life(hand);
    hand.open = false;
    await send(1, 2, 3);
    await Bun.sleep(50);
    expect(hand.messages.length).toBe(0);
    hand.admit();
    await until(() => hand.messages.length === 3);
    expect(hand.values).toEqual([1, 2, 3]);
    await connection.die();
  });

  test("a message of no rows, or of too many, is acknowledged and counted", async () => {
    const hand = new Hand();
    const connection = await life(hand);
    await peer.publishAsync("in", "no json", { qos: 1 });
    await peer.publishAsync("in", JSON.stringify(Array(9).fill({ n: 1 })), { qos: 1 });
    await send(2);
    await until(() => hand.messages.length === 3);
    expect(hand.values).toEqual([2]);
    expect(connection.status).toMatchObject({ dropped: 2, received: 1 });
    expect(connection.status.lastError).toContain("more than 8 rows");
    await connection.die();
  });
});
