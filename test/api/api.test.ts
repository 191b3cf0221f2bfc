import { afterAll, afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { routes, startApi, type Api } from "../../src/api.ts";
import { createLog, limits } from "../../src/base.ts";
import { workFolder } from "../support/binary.ts";
import { FakeRuntime } from "./runtime.ts";

const folder = workFolder();
afterAll(() => folder.remove());
const socket = join(folder.path, "tagwerk.sock");
const secret = "a-token";
let runtime: FakeRuntime;
let api: Api;

function start(settings: { token?: string | null; listen?: string } = {}): void {
  runtime = new FakeRuntime();
  api = startApi({
    runtime, listen: settings.listen ?? "127.0.0.1", port: 0, socket, version: "0.1.0",
    token: settings.token === undefined ? secret : settings.token,
    log: createLog("error", () => 0, () => {}),
  });
}

beforeEach(() => start());
afterEach(() => api.stop());

interface Asked {
  readonly body?: unknown;
  readonly raw?: string;
  readonly token?: string;
  readonly type?: string;
  readonly method?: string;
  readonly local?: boolean;
}

async function ask(path: string, asked: Asked = {}): Promise<{ status: number; body: any }> {
  const posting = asked.body !== undefined || asked.raw !== undefined;
  const port = new URL(api.url).port;
  const response = await fetch(asked.local ? `http://tagwerk${path}`
    : `http://127.0.0.1:${port}${path}`, {
    method: asked.method ?? (posting ? "POST" : "GET"),
    ...(posting ? { body: asked.raw ?? JSON.stringify(asked.body) } : {}),
    ...(asked.local ? { unix: socket } : {}),
    headers: {
      ...(posting ? { "content-type": asked.type ?? "application/json" } : {}),
      ...(asked.token === undefined ? {} : { authorization: `Bearer ${asked.token}` }),
    },
  });
  const text = await response.text();
  const json = (response.headers.get("content-type") ?? "").startsWith("application/json");
  return { status: response.status, body: json ? JSON.parse(text) : text };
}

/** A path with its parameters filled in, and a body where one is wanted. */
function calling(route: (typeof routes)[number]): [string, Asked] {
  const path = route.path.replace("{id}", route.path.startsWith("/rules") ? "hold" : "press.level")
    .replace("{name}", route.path.startsWith("/devices") ? "press" : "press.fast");
  const bodies: Record<string, unknown> = {
    "/write": { id: "1", tag: "press.level", value: 1, within: "1s" },
    "/proof": { tag: "press.level" },
    "/arm": { tag: "press.level", for_ms: 1000, by: "anna", proof: "h" },
    "/prove": { id: "p-1", tag: "press.level", by: "anna", proof: "h" },
    "/disarm": { by: "anna" }, "/audit/prune": { before: 1, by: "anna" },
    "/plan": { config: {} }, "/try": { sql: "SELECT 1" },
    "/apply": { config: "{}", by: "anna" }, "/confirm": { by: "anna" },
    "/tags/{id}/force": { value: 1, for: "1m", by: "anna" },
    "/alarms/{id}/ack": { by: "anna" }, "/alarms/{id}/shelve": { by: "anna", for_ms: 1000 },
  };
  const body = bodies[route.path] ?? { by: "anna" };
  return [path, route.method === "POST" ? { body } : {}];
}

describe("who may call", () => {
  for (const route of routes) {
    const [path, asked] = calling(route);
    const name = `${route.method} ${route.path}`;

    test(`${name} over the socket needs no token`, async () => {
      expect((await ask(path, { ...asked, local: true })).status).toBe(200);
    });

    test(`${name} on loopback: ${route.access}`, async () => {
      const wrong = route.access === "anyone" ? 200 : route.access === "socket" ? 403 : 401;
      expect((await ask(path, asked)).status).toBe(wrong);
      expect((await ask(path, { ...asked, token: "a-toke" })).status).toBe(wrong);
      const right = route.access === "socket" ? 403 : 200;
      expect((await ask(path, { ...asked, token: secret })).status).toBe(right);
    });
  }

  test("W17: without a token configured, reading is free and writing is not possible", async () => {
    await api.stop();
    start({ token: null });
    expect((await ask("/devices")).status).toBe(200);
    for (const token of ["", "null", secret]) {
      const { status, body } = await ask("/write", { body: { id: "1" }, token });
      expect([status, body.error.code]).toEqual([403, "not-authorised"]);
    }
    expect(runtime.asked.map(({ given }) => given)).toEqual(Array.from({ length: 3 }, () =>
      expect.objectContaining({ origin: "rest", authorised: false, body: undefined })));
  });

  test("elsewhere than on loopback only /health is free, and disarm wants the token", async () => {
    await api.stop();
    start({ listen: "0.0.0.0" });
    expect((await ask("/health")).status).toBe(200);
    expect((await ask("/disarm", { body: { by: "anna" } })).status).toBe(401);
    expect((await ask("/disarm", { body: { by: "anna" }, token: secret })).status).toBe(200);
  });

  test("the socket is its owner's alone (mode 0600), and gone after stop", async () => {
    expect((statSync(socket).mode & 0o777).toString(8)).toBe("600");
    await api.stop();
    expect(() => statSync(socket)).toThrow();
    start();
  });
});

describe("writing", () => {
  const write = { id: "shift-7-041", tag: "press.level", value: 62, within: "2s" };

  test("the body reaches the gate as it came, with origin and caller", async () => {
    await ask("/write", { body: write, token: secret });
    await ask("/write", { body: write, local: true });
    const given = runtime.asked.map(({ given }) => given as Record<string, unknown>);
    expect(given[0]).toMatchObject({ origin: "rest", from: "127.0.0.1", body: write });
    expect(given[1]).toMatchObject({ origin: "cli", from: "socket", body: write });
  });

  test.each([
    ["verified", 200], ["acknowledged", 200], ["refused", 409], ["rejected", 502],
    ["unknown", 504],
  ] as const)("outcome %s is status %d", async (outcome, status) => {
    runtime.outcome = outcome;
    const answer = await ask("/write", { body: write, token: secret });
    expect([answer.status, answer.body.outcome]).toEqual([status, outcome]);
  });

  test("a body that the gate must refuse itself comes to it, so that it is audited", async () => {
    await ask("/write", { body: { value: "62" }, token: secret });
    expect(runtime.asked).toHaveLength(1);
  });

  test("W21: who may not write, and a body that is no JSON, come on record", async () => {
    await ask("/write", { body: write });
    await ask("/write", { body: write, token: "wrong" });
    await ask("/write", { raw: "{", token: secret });
    await ask("/write", { raw: "{}", type: "text/plain", token: secret });
    await ask("/write", { raw: "{", local: true });
    await ask("/arm", { body: {} });
    await ask("/disarm", { raw: "{" });
    const given = runtime.asked.map(({ given }) => given as Record<string, unknown>);
    const stranger = { origin: "rest", by: "a stranger", from: "127.0.0.1", authenticated: false };
    const unread = { origin: "rest", by: "token", authenticated: true, authorised: true,
      body: undefined };
    expect(given).toEqual([stranger, stranger,
      { ...unread, problem: expect.stringContaining("The body is no JSON") },
      { ...unread, problem: expect.stringContaining("text/plain") },
      { ...unread, origin: "cli", by: "socket" }].map((part) => expect.objectContaining(part)));
  });

  test("a body's mistakes are told in words; a misspelt question is refused", async () => {
    const said = async (path: string, body?: unknown): Promise<[number, string]> => {
      const { status, body: answer } = await ask(path, body === undefined ? {} : { body });
      return [status, answer.error?.message ?? ""];
    };
    expect(await said("/disarm", {})).toEqual([400, "by: is missing, a text"]);
    expect(await said("/disarm", { by: 5 })).toEqual([400, "by: expected a text"]);
    expect(await said("/disarm", { by: "" })).toEqual([400, "by: is too small, or empty"]);
    expect(await said("/disarm", { by: "a", of: 1 })).toEqual([400, "the body: unknown key of"]);
    expect(await said("/audit?limt=5")).toEqual([400, "/audit knows no limt; did you mean limit?"]);
    expect((await ask("/audit?limit=5", { token: secret })).status).toBe(200);
    expect((await said("/health?probe=1"))[0]).toBe(200);
  });

  test("W4: the latch is set from anywhere and lifted only over the socket", async () => {
    expect((await ask("/disarm", { body: { by: "anna" } })).status).toBe(200);
    const { status, body } = await ask("/disarm", { body: { by: "anna", clear: true } });
    expect([status, body.error.code]).toEqual([403, "not-authorised"]);
    expect((await ask("/disarm", { body: { by: "anna", clear: true }, local: true })).status)
      .toBe(200);
    expect(runtime.asked.map(({ given }) => given))
      .toEqual([{ by: "anna", origin: "rest", from: "127.0.0.1" },
        { by: "anna", origin: "cli", from: "socket", clear: true }]);
  });

  test("W1: arming from the network is refused, whatever it says", async () => {
    const body = { tag: "press.level", for_ms: 1, by: "x", proof: "h" };
    expect((await ask("/arm", { body, token: secret })).status).toBe(403);
    expect(runtime.asked).toEqual([]);
  });
});

describe("what is no request", () => {
  test.each([
    ["no JSON", { raw: "{" }, 400, "body"],
    ["a form, as a page in a browser could send it", { raw: "{}", type: "text/plain" }, 400,
      "body"],
    ["an arming without a name", { body: { tag: "t", for_ms: 1, by: "", proof: "h" } }, 400,
      "body"],
    ["an arming for less than nothing", { body: { tag: "t", for_ms: -1, by: "a", proof: "h" } },
      400, "body"],
    ["a key that nobody knows", { body: { tag: "t", for_ms: 1, by: "a", proof: "h", mode: 1 } },
      400, "body"],
  ])("%s", async (_name, asked, status, code) => {
    const answer = await ask("/arm", { ...asked, local: true });
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
    expect(runtime.asked).toEqual([]);
  });

  test.each([
    ["/nothing", "GET", 404, "unknown-path"],
    ["/rules/none", "GET", 404, "unknown-rule"],
    ["/streams/none/latest", "GET", 404, "unknown-stream"],
    ["/tags/%", "GET", 404, "unknown-tag"],
    ["/devices", "DELETE", 405, "unknown-method"],
    ["/audit?limit=many", "GET", 400, "query"],
    ["/audit?since=-1", "GET", 400, "query"],
  ])("%s %s", async (path, method, status, code) => {
    const answer = await ask(path, { method, token: secret });
    expect([answer.status, answer.body.error.code]).toEqual([status, code]);
  });

  test("a body past its limit never reaches the runtime", async () => {
    const raw = JSON.stringify({ tag: "x".repeat(limits.body_bytes_max) });
    for (const local of [true, false]) {
      const { status, body } = await ask(local ? "/proof" : "/disarm", { raw, local });
      expect([status, body.error.code]).toEqual([413, "body-too-long"]);
    }
    // Whoever does not say how long it will be is cut off.
    const endless = new ReadableStream({
      pull: (stream) => stream.enqueue(new Uint8Array(limits.body_bytes_max >> 2).fill(32)),
    });
    const response = await fetch(`${api.url}disarm`, { method: "POST", body: endless,
      headers: { "content-type": "application/json" } });
    expect([response.status, (await response.json() as any).error.code])
      .toEqual([413, "body-too-long"]);
    expect(runtime.asked).toEqual([]);
  });

  test("an error of ours is a 500 with its reason, and the next request is answered", async () => {
    runtime.devices = async () => { throw new Error("planted"); };
    const answer = await ask("/devices", { token: secret });
    expect([answer.status, answer.body.error.code]).toEqual([500, "internal"]);
    expect((await ask("/rules", { token: secret })).status).toBe(200);
  });
});

test("/audit hands on tag, time and a bounded number of rows", async () => {
  await ask("/audit?tag=press.level&since=17&limit=999999", { token: secret });
  expect(runtime.asked[0]!.given)
    .toEqual({ tag: "press.level", since: 17, limit: limits.audit_rows_max });
});

test.each([
  ["ok", 200], ["degraded", 200], ["safe-mode", 503], ["config-rejected", 503],
] as const)("/health: %s is %d", async (status, wanted) => {
  runtime.status = status;
  expect((await ask("/health")).status).toBe(wanted);
});

/** Prometheus text format 0.0.4: the lines, by the grammar of its description. */
function samples(text: string): Map<string, number> {
  expect(text).toEndWith("\n");
  const types = new Map<string, string>();
  const found = new Map<string, number>();
  for (const line of text.trimEnd().split("\n")) {
    const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line);
    if (type !== null) {
      expect(types.has(type[1]!)).toBe(false);
      types.set(type[1]!, type[2]!);
    } else if (!line.startsWith("# HELP ")) {
      const label = String.raw`[a-zA-Z_]\w*="(?:[^"\\]|\\["\\n])*"`;
      const sample = new RegExp(
        String.raw`^([a-zA-Z_:][\w:]*)(\{${label}(?:,${label})*\})? (-?[\d.e+-]+)$`).exec(line);
      expect(sample, line).not.toBeNull();
      const type = types.get(sample![1]!.replace(/_(bucket|count)$/, ""));
      expect(type, line).toBeDefined();
      if (type === "counter") expect(sample![1]).toEndWith("_total");
      expect(found.has(sample![1]! + (sample![2] ?? "")), line).toBe(false);
      found.set(sample![1]! + (sample![2] ?? ""), Number(sample![3]));
    }
  }
  return found;
}

test("/metrics is Prometheus text, whatever a link is called", async () => {
  const { body } = await ask("/metrics", { token: secret });
  const found = samples(body as string);
  expect(found.get("tagwerk_up")).toBe(1);
  expect(found.get("tagwerk_uptime_seconds")).toBe(1.5);
  expect(found.get('tagwerk_link_requests_total{link="plc-1"}')).toBe(7);
  expect(found.get('tagwerk_link_round_trip_seconds{link="plc-1"}')).toBe(0.002);
  expect(found.get('tagwerk_link_timeouts_total{link="odd \\"name\\"\\\\\\n"}')).toBe(3);
  expect(found.get('tagwerk_rule_rows_in_total{rule="hold"}')).toBe(5);
  expect(found.get('tagwerk_turn_seconds_bucket{role="all",le="0.002"}')).toBe(11);
  expect(found.get('tagwerk_turn_seconds_bucket{role="all",le="+Inf"}')).toBe(12);
});

test("/openapi.json describes each route, its parameters, its body and who may call", async () => {
  const { status, body } = await ask("/openapi.json");
  expect(status).toBe(200);
  expect(body.openapi).toMatch(/^3\.1\.\d$/);
  expect(body.info).toEqual({ title: "Tagwerk", version: "0.1.0" });
  const described = Object.entries<Record<string, any>>(body.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })));
  expect(described).toHaveLength(routes.length);
  for (const route of routes) {
    const operation = body.paths[route.path][route.method.toLowerCase()];
    expect(operation.summary).toBe(route.summary);
    expect(operation.responses["200"].description).toBe(route.answers);
    const inPath = operation.parameters.filter((p: any) => p.in === "path");
    expect(inPath.map((p: any) => `{${p.name}}`)).toEqual(route.path.match(/\{\w+\}/g) ?? []);
    for (const parameter of inPath) expect(parameter.required).toBe(true);
    expect(operation.requestBody === undefined).toBe(route.body === undefined);
    if (route.access === "token") {
      const [name] = Object.keys(operation.security[0]);
      expect(body.components.securitySchemes[name!]).toEqual({ type: "http", scheme: "bearer" });
    }
  }
  const { schema } = body.paths["/write"].post.requestBody.content["application/json"];
  expect(Object.keys(schema.properties)).toEqual(["id", "tag", "value", "unit", "within",
    "deadline"]);
});

test("docs/rest.md has each route, in order, with what it says of itself", () => {
  const page = readFileSync(join(import.meta.dir, "../../docs/rest.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(GET|POST) (\S+)` \| (.+?) \| (.+?) \| (\w+) \|$/gm)]
    .map((match) => match.slice(1));
  expect(rows).toEqual(routes.map(({ method, path, summary, answers, access }) =>
    [method, path, summary, answers, access]));
});
