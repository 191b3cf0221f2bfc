import { z } from "zod";
import { Fault } from "../base.ts";
import { ruleOrders } from "../runtime.ts";
import type { Route } from "./route.ts";

const orderBody = z.strictObject({ by: z.string().min(1) });

const what: Readonly<Record<(typeof ruleOrders)[number], string>> = {
  start: "Start a rule that was stopped; it goes on with the state it had",
  stop: "Stop a rule until somebody starts it, over restarts too; it keeps its state",
  restart: "Begin again now, also after a failure; it keeps its state",
  reset: "Forget a rule's state; tags that are written from it are disarmed",
};

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
  ...ruleOrders.map((order): Route => ({
    method: "POST", path: `/rules/{id}/${order}`, access: "token", body: orderBody,
    summary: what[order],
    answers: "The rule as it is then",
    async handle({ runtime, params, body }) {
      const rule = params["id"]!;
      await runtime.rule({ rule, order, by: orderBody.parse(body).by });
      return { json: (await runtime.rules()).find(({ name }) => name === rule) };
    },
  })),
];
