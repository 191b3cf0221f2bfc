import { Fault } from "../base.ts";
import { worstStations } from "../runtime.ts";
import type { Route } from "./route.ts";

const worst_stations = 10;

export const healthRoutes: readonly Route[] = [
  {
    method: "GET", path: "/health", access: "anyone", always: true,
    summary: "Is it well, and if not, what is wrong",
    answers: "Status, hashes, arming, troubles in words; 503 in safe mode or with a rejected " +
      "configuration",
    async handle({ runtime }) {
      const health = await runtime.health();
      const well = health.status === "ok" || health.status === "degraded";
      return { status: well ? 200 : 503, json: health };
    },
  },
  {
    method: "GET", path: "/links", access: "read",
    summary: "Every link: state, counters, polls, stations",
    answers: "A list",
    async handle({ runtime }) {
      return { json: await runtime.links() };
    },
  },
  {
    method: "GET", path: "/stations", access: "read",
    summary: "The stations of which the largest share of requests went wrong, the worst first",
    answers: `A list of at most ${worst_stations}`,
    async handle({ runtime }) {
      return { json: worstStations(await runtime.links(), worst_stations) };
    },
  },
  {
    method: "GET", path: "/links/{name}/frames", access: "read",
    summary: "What passes on a link to equipment, in hexadecimal and in words",
    query: { after: "number of the last piece that was seen (default 0)" },
    answers: "A list of the newest pieces; they are kept from the first question on, for 5 s " +
      "after the last",
    async handle({ runtime, params, query }) {
      const after = Number(query.get("after") ?? 0);
      if (!Number.isSafeInteger(after) || after < 0) {
        throw new Fault("query", `after=${query.get("after")}: a whole number from 0 on`);
      }
      return { json: await runtime.frames(params["name"]!, after) };
    },
  },
];
