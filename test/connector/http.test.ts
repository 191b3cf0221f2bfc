import { afterEach, expect, test } from "bun:test";
import { createLog, eventLoop } from "../../src/base.ts";
import { httpConnector, type Connection } from "../../src/connector.ts";
import { Arena, readCell, Ring, tagColumn } from "../../src/ring.ts";
import { configured } from "../support/configured.ts";

/** What an http source asks, when, and what it makes of answers; time goes by as timers are due. */
let open: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of open.reverse()) await close();
  open = [];
});

interface Asked { readonly path: string; readonly method: string; readonly body: string;
  readonly headers: Headers }

function serve(answer: (asked: Asked, n: number) => Response | Promise<Response>) {
  const asked: Asked[] = [];
  const server = Bun.serve({ hostname: "127.0.0.1", port: 0, async fetch(request) {
    const { pathname, search } = new URL(request.url);
    const one = { path: pathname + search, method: request.method, headers: request.headers,
      body: await request.text() };
    return answer(one, asked.push(one));
  } });
  open.push(() => server.stop(true));
  return { asked, url: `http://127.0.0.1:${server.port}` };
}

/** Of its own time 1,000,000 at the start; a pause ends at once, and it is that much later. */
function poll(settings: object): Connection & { ring: Ring; times: number[]; end(): void } {
  let now = 0;
  const times: number[] = [];
  const { ring } = Ring.create(Arena.create(1 << 16),
    Ring.layout("rows", [tagColumn("n", "int64")], 16));
  const connection = configured(httpConnector).connect("source rows", {}, {
    log: createLog("error", () => 0, () => undefined), gateway: "g", durable: false,
    message_bytes_max: 1000, time: () => 1e6 + now, now: () => now, flags: () => 0, wake: () => {
      times.push(ring.arena.F[ring.timeAt + ((ring.head - 1) & ring.mask)]!);
    },
    timers: { ...eventLoop, after(ms, then) {
      // Patience with an answer is real, pauses between two polls are not.
      if (ms === patience_ms) return eventLoop.after(100, then);
      return eventLoop.after(1, () => {
        now += ms;
        then();
      });
    } },
  });
  const all = { interval: "10s", timeout: "5s", ...settings };
  const end = connection.source("rows", all, ring, null);
  open.push(() => connection.close());
  return Object.assign(connection, { ring, times, end });
}
const patience_ms = 5000;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await Bun.sleep(1);
}

test("it is asked at a fixed rate, and a row is as old as its question", async () => {
  const { asked, url } = serve((_, n) => Response.json({ n }));
  const { ring, times } = poll({ url });
  await until(() => ring.head >= 3);
  expect(asked.length).toBeGreaterThanOrEqual(3);
  expect(times.slice(0, 3)).toEqual([1e6, 1e6 + 10_000, 1e6 + 20_000]);
});

test("headers, token, method, body; the time of the question and of the last answer", async () => {
  const { asked, url } = serve((_, n) =>
    (n === 2 ? new Response("busy", { status: 503 }) : Response.json([])));
  poll({ url: `${url}/rows?to={time}&from={since}`, method: "POST", body: '{"since":{since}}',
    token: "secret", headers: { "X-Line": "7" } });
  await until(() => asked.length >= 4);
  expect(asked.slice(0, 4).map(({ path, body }) => [path, body])).toEqual([
    ["/rows?to=1000000&from=0", '{"since":0}'],
    ["/rows?to=1010000&from=1000000", '{"since":1000000}'],
    // What was not answered is asked for again.
    ["/rows?to=1020000&from=1000000", '{"since":1000000}'],
    ["/rows?to=1030000&from=1020000", '{"since":1020000}'],
  ]);
  const { method, headers } = asked[0]!;
  expect([method, headers.get("authorization"), headers.get("x-line"), headers.get("accept")])
    .toEqual(["POST", "Bearer secret", "7", "application/json"]);
});

test("changedOnly: an answer that is the same as the one before makes no rows", async () => {
  const { asked, url } = serve((_, n) => Response.json({ n: n < 4 ? 1 : n < 6 ? 2 : 1 }));
  const { ring } = poll({ url, changedOnly: true });
  await until(() => asked.length >= 8);
  const values = Array.from({ length: ring.head }, (_, i) => readCell(ring, ring.columns[0]!, i));
  expect(values).toEqual([1n, 2n, 1n]);
});

const wrong: [string, (n: number) => Response | Promise<Response>, string][] = [
  ["an error of the service", () => new Response("", { status: 500 }), "/x answers 500"],
  ["no such address", () => new Response("", { status: 404 }), "answers 404"],
  ["an answer that does not come", () => new Promise<Response>(() => undefined),
    "no answer within 5000 ms"],
  ["an answer that is too long", () => new Response("x".repeat(1001)), "more than 1000 bytes"],
];
test.each(wrong)("%s is told of and counted, and mends", async (_what, answer, why) => {
  const { url } = serve((_asked, n) => (n === 1 ? answer(n) : Response.json({ n })));
  const { ring, status } = poll({ url: `${url}/x?key=hidden` });
  await until(() => status.state === "down");
  expect(status.reason).toContain(why);
  expect(status.reason).not.toContain("hidden");
  await until(() => ring.head > 0);
  expect(status).toMatchObject({ state: "up", errors: 1, reason: "" });
});

test("more rows than the stream can take are refused as a whole, and counted", async () => {
  const rows = (n: number) => Response.json(Array.from({ length: n }, (_, i) => ({ n: i })));
  const { url } = serve((_, n) => rows(n === 1 ? 9 : 8));
  const { ring, status } = poll({ url });
  await until(() => ring.head > 0);
  expect(status).toMatchObject({ dropped: 1, errors: 1 });
  expect(status.lastError).toContain("more than 8 rows");
});
