import { Fault } from "../base.ts";
import type { Route } from "./route.ts";

export const ruleRoutes: readonly Route[] = [
  {
    method: "GET", path: "/rules", access: "read",
    summary: "Every rule: state, rows in and out, errors, losses",
    answers: "A list",
    async handle({ runtime }) {
      return { json: await runtime.rules() };
    },
  },
  {
    method: "GET", path: "/rules/{id}", access: "read",
    summary: "One rule",
    answers: "The rule; 404 if there is none of this name",
    async handle({ runtime, params }) {
      const rule = (await runtime.rules()).find((r) => r.name === params["id"]);
      if (rule === undefined) throw new Fault("unknown-rule", `There is no rule ${params["id"]}`);
      return { json: rule };
    },
  },
  {
    method: "GET", path: "/rules/{id}/explain", access: "read",
    summary: "Plan, bytes and generated code of a rule",
    answers: "Text",
    async handle({ runtime, params }) {
      return { text: await runtime.explain(params["id"]!), type: "text/plain; charset=utf-8" };
    },
  },
];
