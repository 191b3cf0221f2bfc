import { afterAll, beforeAll, expect, test } from "bun:test";
import { binary, Program, until } from "../support/binary.ts";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** A web service as a stream, in the compiled binary, beside a machine that is polled. */
let mode: "good" | "hangs" | "fails" = "good";
let asked = 0;
const server = Bun.serve({ hostname: "127.0.0.1", port: 0, async fetch(request) {
  asked += 1;
  if (request.headers.get("x-api-key") !== "a secret of the MES") {
    return new Response("who is it?", { status: 401 });
  }
  if (mode === "hangs") await Bun.sleep(60_000);
  if (mode === "fails") return new Response("", { status: 500 });
  return Response.json([{ job: null }, { job: asked, recipe: { name: "bread" } }]);
} });

const orders = { type: "http", url: `http://127.0.0.1:${server.port}/orders`,
  headers: { "X-Api-Key": "env:MES_KEY" }, interval: "100ms", timeout: "300ms" };
const config = {
  gateway: { id: "web" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1", timeout: "2s" } },
  devices: { oven: { link: "oven", groups: { fast: "20ms" }, tags: {
    program: { at: "input 0", type: "int16" } } } },
  sources: {
    typed: { ...orders, columns: { job: "int64" } },
    open: orders,
  },
  rules: {
    counted: { sql: "SELECT count(*) AS n, count(job) AS good FROM typed" },
    named: { sql: "SELECT job, recipe->name AS name FROM open" },
  },
  api: { listen: "127.0.0.1:0" },
};

let site: Site;
let gateway: RunningGateway;
beforeAll(async () => {
  process.env["MES_KEY"] = "a secret of the MES";
  site = await Site.start(config, { "plant.json": {} });
  gateway = await site.run(site.live());
  await good(gateway, "oven.program");
}, 120_000);
afterAll(async () => {
  delete process.env["MES_KEY"];
  await site?.stop();
  await server.stop(true);
});

const latest = async (stream: string): Promise<any> =>
  (await gateway.get(`/streams/${stream}/latest`)).body;
const source = async (name: string): Promise<any> => (await gateway.get("/streams")).body
  .find((stream: { name: string }) => stream.name === name).source;
/** Polls of the machine in a second. */
const polled = async (): Promise<number> => {
  const polls = async (): Promise<number> => (await gateway.get("/links")).body
    .find(({ name }: { name: string }) => name === "oven").polls[0].polls;
  const before = await polls();
  await Bun.sleep(1000);
  return await polls() - before;
};

test("answers become rows, with declared columns and without", async () => {
  await until("rows", async () => (await latest("counted"))?.values.n >= 4);
  const { n, good: numbers } = (await latest("counted")).values;
  expect(numbers).toBe(n / 2);
  const named = await until("an order", async () => {
    const row = await latest("named");
    return row?.values.name === "bread" ? row : null;
  });
  expect(named.values.job).toBeGreaterThan(0);
  expect(await source("typed")).toMatchObject({ state: "open", errors: 0, dropped: 0 });
});

test.each(["hangs", "fails"] as const)("a service that %s costs no poll, and is told of",
  async (trouble) => {
    const usual = await polled();
    mode = trouble;
    const why = trouble === "hangs" ? "no answer within 300 ms" : "/orders answers 500";
    await until("told of", async () => (await gateway.get("/health")).body.troubles
      .includes(`source typed: ${trouble === "hangs" ? why : `${orders.url} answers 500`}`));
    expect(await polled()).toBeGreaterThan(usual / 2);
    expect(await source("typed")).toMatchObject({ state: "down" });
    expect((await source("typed")).reason).toContain(why);
    expect((await source("typed")).errors).toBeGreaterThan(1);
    mode = "good";
    await until("well again", async () => (await gateway.get("/health")).body.status === "ok");
    const { n } = (await latest("counted")).values;
    await until("rows again", async () => (await latest("counted")).values.n > n);
  }, 120_000);

test("check refuses what is wrong with a source of a web service, shows no secret", async () => {
  const check = async (settings: object): Promise<string> => {
    const file = site.live({}, { sources: { typed: { ...orders, ...settings } }, rules: {} });
    const program = new Program([await binary(), "check", file]);
    await program.child.exited;
    await program.stop();
    return program.output;
  };
  expect(await check({ url: "ftp://mes/orders" })).toContain("expected http:// or https://");
  expect(await check({ body: "{}" })).toContain('body: only "method": "POST" has one');
  expect(await check({ interval: "1ms" })).toContain("interval: expected a duration from 100ms");
  expect(await check({ headers: { "X Line": "7" } })).toContain("expected the name of a header");
  expect(await check({ chagedOnly: true })).toContain('did you mean "changedOnly"?');
  const plain = await check({ headers: { Authorization: "Bearer 12345" } });
  expect(plain).toContain("headers.Authorization: a secret does not stand in the configuration");
  expect(plain).not.toContain("12345");
});
