import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { Decoder, Encoder } from "cbor-x/index-no-eval";
import mqtt, { type MqttClient } from "mqtt";
import { aedesBroker } from "../connector/broker.ts";
import { until, workFolder } from "../support/binary.ts";
import { RunningGateway } from "../support/gateway.ts";

/** Values of every type through the binary: MQTT in, SQL, MQTT out, in JSON and in CBOR. */
const folder = workFolder();
let broker: Awaited<ReturnType<typeof aedesBroker>>;
let gateway: RunningGateway;
let client: MqttClient;
const found: Record<string, Buffer[]> = {};

const mqttOf = (topic: string, more: object = {}): object =>
  ({ type: "mqtt", link: "broker", topic, ...more });

beforeAll(async () => {
  broker = await aedesBroker();
  await broker.start();
  client = await mqtt.connectAsync({ host: "127.0.0.1", port: broker.port });
  await client.subscribeAsync("out/#", { qos: 1 });
  client.on("message", (topic, payload) => (found[topic] ??= []).push(payload));
  const declared = "(id BIGINT, raw BYTEA, at DATETIME, line STRING DEFAULT 'A', " +
    "motor STRUCT(id BIGINT, curve ARRAY(FLOAT)))";
  folder.write("gateway.json", {
    gateway: { id: "types" },
    links: { broker: { type: "mqtt", host: "127.0.0.1", port: broker.port } },
    sources: {
      in_json: `CREATE STREAM in_json ${declared} WITH (DATASOURCE="in/json", ` +
        `TIMESTAMP_FORMAT="dd.MM.yyyy HH:mm:ss", EXTRA='{"timeZone":"Europe/Berlin"}')`,
      in_cbor: `CREATE STREAM in_cbor ${declared} WITH (DATASOURCE="in/cbor", FORMAT="CBOR")`,
      strict: 'CREATE STREAM strict (id BIGINT) WITH (DATASOURCE="in/strict", ' +
        'STRICT_VALIDATION="true")',
      open: mqttOf("in/open"),
    },
    rules: Object.fromEntries([
      ...["in_json", "in_cbor"].map((name) => [name.replace("in_", "by_"), {
        to: ["json", "cbor"],
        sql: "SELECT id + 1 AS next, id % 10 AS digit, cast(id, 'string') AS text, raw, line, " +
          `at, year(at) AS year, motor->id AS part, motor->curve[1] AS point, motor FROM ${name}`,
      }]),
      ["quiet", { sql: "SELECT count(*) AS n FROM strict GROUP BY TUMBLINGWINDOW(ms, 200)",
        emptyWindows: true, to: ["json"] }],
      ["listed", { sql: "SELECT count(*) AS n FROM strict GROUP BY TUMBLINGWINDOW(ms, 200)",
        emptyWindows: "[]", to: ["json", "cbor", "full"] }],
      ["strictly", { sql: "SELECT id FROM strict", to: ["json"] }],
      ["openly", { sql: "SELECT id, id = 9007199254740993 AS same FROM open", to: ["json"] }],
    ]),
    sinks: {
      json: mqttOf("out/{rule}/json", { quality: true }),
      cbor: mqttOf("out/{rule}/cbor", { format: "cbor" }),
      full: mqttOf("out/{rule}/full", { qos: 1, omitIfEmpty: true }),
    },
    api: { listen: "127.0.0.1:0" },
  });
  gateway = await RunningGateway.start(join(folder.path, "gateway.json"),
    join(folder.path, "store"));
  await until("all sources listen", () => ["json", "cbor", "strict", "open"].every((topic) =>
    gateway.program.output.includes(`subscribed to in/${topic}`)));
}, 120_000);
afterAll(async () => {
  await gateway?.stop();
  await client?.endAsync();
  await broker?.stop();
  folder.remove();
});

const text = (topic: string, n = 0): string => found[topic]![n]!.toString();
const noon = Date.parse("2026-01-31T11:00:00Z");

test("64-bit integers, bytes, times, structures and defaults come through JSON whole", async () => {
  await client.publishAsync("in/json", '{"id":9223372036854775806,"raw":"AQID","line":"B",' +
    '"at":"31.01.2026 12:00:00","motor":{"curve":[1,2.5],"id":-9007199254740993,"x":0}}');
  await client.publishAsync("in/json", '{"id":1.5,"raw":"!","at":"soon","motor":3}');
  await until("both rows", () => found["out/by_json/json"]?.length === 2);
  expect(text("out/by_json/json")).toBe('{"next":9223372036854775807,"digit":6,' +
    '"text":"9223372036854775806","raw":"AQID","line":"B",' + `"at":${noon},"year":2026,` +
    '"part":-9007199254740993,"point":2.5,"motor":{"id":-9007199254740993,"curve":[1,2.5]}}');
  expect(JSON.parse(text("out/by_json/json", 1))).toEqual({ next: null, digit: null, text: null,
    raw: null, line: "A", at: null, year: null, part: null, point: null, motor: null,
    quality: { next: "error:type", digit: "error:type", text: "error:type", raw: "error:parse",
      line: "uncertain:substituted", at: "error:parse", year: "error:parse", part: "error:type",
      point: "error:type", motor: "error:type" } });
}, 120_000);

test("and through CBOR, which tells them apart", async () => {
  const message = { id: 9223372036854775806n, raw: Uint8Array.of(1, 2, 3), at: new Date(noon),
    line: "C", motor: { id: 5, curve: [1, 2.5] } };
  const encoder = new Encoder({ useRecords: false, tagUint8Array: false });
  await client.publishAsync("in/cbor", Buffer.from(encoder.encode(message)));
  await until("the row", () => found["out/by_cbor/cbor"]?.length === 1);
  expect(new Decoder({ useRecords: false }).decode(found["out/by_cbor/cbor"]![0]!)).toEqual({
    next: 9223372036854775807n, digit: 6, text: "9223372036854775806", raw: Buffer.of(1, 2, 3),
    line: "C", at: noon, year: 2026, part: 5, point: 2.5, motor: { id: 5, curve: [1, 2.5] } });
}, 120_000);

test("a strict source refuses what does not fit, and says how often and why", async () => {
  for (const message of ['{"id":"x"}', "{}", '[{"id":null},{"id":2}]', '{"id":3}']) {
    await client.publishAsync("in/strict", message);
  }
  await until("the good rows", () => found["out/strictly/json"]?.length === 2);
  expect([text("out/strictly/json"), text("out/strictly/json", 1)])
    .toEqual(['{"id":2}', '{"id":3}']);
  const { body } = await gateway.get<any[]>("/links");
  expect(body.find(({ name }) => name === "broker")).toMatchObject({
    counters: { dropped: 3, errors: 3 }, lastError: "strict: row refused: id is null",
  });
}, 120_000);

test("without a declared type a whole number past 2^53 keeps its digits", async () => {
  await client.publishAsync("in/open", '{"id":9007199254740993}');
  await client.publishAsync("in/open", '{"id":9007199254740992}');
  await until("both", () => found["out/openly/json"]?.length === 2);
  expect([text("out/openly/json"), text("out/openly/json", 1)]).toEqual([
    '{"id":9007199254740993,"same":true}', '{"id":9007199254740992,"same":false}']);
}, 120_000);

test("windows without a row are told of where a rule asks for it", async () => {
  const quiet = (): string[] => (found["out/quiet/json"] ?? []).map(String);
  const silence = '{"n":null,"quality":{"n":"null"}}';
  const sum = (): number => quiet().reduce((n, row) => n + (JSON.parse(row).n ?? 0), 0);
  // The two good rows of before have been counted.
  await until("silence", () => sum() === 2 && quiet().at(-1) === silence);
  const before = quiet().length;
  await client.publishAsync("in/strict", '[{"id":1},{"id":2}]');
  await until("rows, and silence again", () => quiet().length > before + 2 &&
    quiet().at(-1) === silence);
  const rows = quiet().slice(before).filter((row) => row !== silence);
  // Two rows of one message are of one window.
  expect(rows).toEqual(['{"n":2}']);
}, 120_000);

test("an empty list where eKuiper sends one, and a sink that leaves it out", async () => {
  const rows = (sink: string): string[] =>
    (found[`out/listed/${sink}`] ?? []).map((bytes) => bytes.toString("hex"));
  const hex = (text: string): string => Buffer.from(text).toString("hex");
  const before = rows("json").length, full = rows("full").length;
  await client.publishAsync("in/strict", '[{"id":1},{"id":2},{"id":3}]');
  const counted = hex('{"n":3}');
  await until("rows, and nothing again", () => rows("json").slice(before).includes(counted) &&
    rows("json").at(-1) === hex("[]") && rows("cbor").at(-1) === "80");
  await until("the rows at qos 1", () => rows("full").length > full);
  expect(rows("full").slice(full)).toEqual([counted]);
  expect(new Set(rows("json").slice(before))).toEqual(new Set([counted, hex("[]")]));
}, 120_000);
