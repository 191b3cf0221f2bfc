import { afterAll, beforeAll, expect, test } from "bun:test";
import type { RunningGateway } from "../support/gateway.ts";
import { good, Site } from "../support/plant.ts";

/** W21: what is refused to somebody outside stands in the audit, also if it is no command. */
const config = {
  gateway: { id: "refused" },
  links: { oven: { type: "modbus-tcp", host: "192.0.2.1" } },
  devices: { oven: { link: "oven", groups: { fast: "50ms" }, tags: {
    setpoint: { at: "holding 0", type: "int16", access: "read-write" } } } },
  policy: { "oven.setpoint": { allow: ["rest", "cli"], maxMode: "armed", min: 0, max: 100 } },
};

const api = { listen: "127.0.0.1:0", token: "env:TOKEN" };

let site: Site;
let gateway: RunningGateway;
let url: string;
beforeAll(async () => {
  site = await Site.start(config);
  gateway = await site.run(site.live({}, { api }), [], { TOKEN: "secret" });
  url = /http:\/\/127\.0\.0\.1:\d+/.exec(gateway.program.output)![0];
  await good(gateway, "oven.setpoint");
}, 120_000);
afterAll(() => site?.stop());

const post = async (body: string, token: string | null): Promise<number> => (await fetch(
  `${url}/write`, { method: "POST", body, headers: { "content-type": "application/json",
    ...(token === null ? {} : { authorization: `Bearer ${token}` }) } })).status;

const command = { id: "r-1", tag: "oven.setpoint", value: 500, within: "2s" };

test("strangers and junk are one row a code and source, commands one each", async () => {
  expect(await post(JSON.stringify(command), null)).toBe(401);
  expect(await post("{", "wrong")).toBe(401);
  expect(await post(`{ ${"x".repeat(5000)}`, "secret")).toBe(400);
  expect(await post("[]", "secret")).toBe(409);
  expect(await post(JSON.stringify(command), "secret")).toBe(409);
  // Its id is answered, so that the sender knows which of his it was, and not used up.
  const junk = await gateway.post("/write", { ...command, id: "r-2", junk: 1 });
  expect(junk.body).toMatchObject({ id: "r-2", outcome: "refused", code: "malformed" });
  expect((await gateway.post("/write", { ...command, id: "r-2" })).body.code).toBe("out-of-range");

  const rows = (await gateway.get("/audit")).body as any[];
  const short = rows.map(({ verdict, origin, who, source, code, id, count }) =>
    [verdict, origin, who, source, code, id, count].join(" ")).sort();
  expect(short).toEqual([
    "refused cli socket socket out-of-range r-2 1",
    "refused rest token 127.0.0.1 out-of-range r-1 1",
    "withheld cli socket socket malformed  1",
    "withheld rest a stranger 127.0.0.1 not-authenticated  2",
    "withheld rest token 127.0.0.1 malformed  2",
  ]);
  expect(Math.max(...rows.map(({ sentence }) => sentence.length))).toBeLessThanOrEqual(256);
}, 120_000);
