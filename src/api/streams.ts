import type { Route } from "./route.ts";

export const streamRoutes: readonly Route[] = [
  {
    method: "GET", path: "/streams", access: "read",
    summary: "Every stream: groups of devices, sources, rules",
    answers: "A list with columns and counts",
    async handle({ runtime }) {
      return { json: await runtime.streams() };
    },
  },
  {
    method: "GET", path: "/streams/{name}/latest", access: "read",
    summary: "Newest row of a stream",
    answers: "Values, and the quality of those that are not good; null if there is no row yet",
    async handle({ runtime, params }) {
      return { json: await runtime.latest(params["name"]!) };
    },
  },
];
