import type { Route } from "./route.ts";

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
];
