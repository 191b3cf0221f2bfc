import type { Route } from "./route.ts";

export const tableRoutes: readonly Route[] = [
  {
    method: "GET", path: "/tables", access: "read",
    summary: "Every table that rows are looked up in: whether it answers, and what was asked",
    answers: "A list; a table that rules of two threads use stands in it twice",
    async handle({ runtime }) {
      return { json: await runtime.tables() };
    },
  },
];
