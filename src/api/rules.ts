import { z } from "zod";
import { duration, Fault, limits } from "../base.ts";
import { ruleOrders } from "../runtime.ts";
import type { Route } from "./route.ts";

const orderBody = z.strictObject({ by: z.string().min(1) });

const tryBody = z.strictObject({
  sql: z.string().min(1),
  rows: z.record(z.string(), z.array(z.record(z.string(), z.unknown()))).optional()
    .describe("Rows by stream; without them, those that come. $time of a row is its time"),
  every: z.string().default("1s").describe("Between two given rows that do not say"),
  for: z.string().default("10s").describe("How long rows that come are waited for, at most 50s"),
  limit: z.int().min(1).max(limits.try_rows_max).default(20).describe("Rows of the answer"),
});

function timeOf(text: string, what: string, most: number): number {
  const ms = duration(text);
  if (ms !== null && ms > 0 && ms <= most) return ms;
  throw new Fault("body", `${what} is a time of at most ${most} ms, such as "10s", not "${text}"`);
}

const day_ms = 86_400_000;

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
  {
    method: "POST", path: "/try", access: "token", body: tryBody, exact: true,
    summary: "Try a rule before it is saved, with given rows or with those that come",
    answers: "The rows it gives, and why it ended; nothing is written anywhere",
    async handle({ runtime, body }) {
      const { sql, rows, every, for: time, limit } = tryBody.parse(body);
      const given = Object.values(rows ?? {}).reduce((sum, list) => sum + list.length, 0);
      if (given > 10 * limits.try_rows_max) {
        throw new Fault("body", `at most ${10 * limits.try_rows_max} rows are given, not ${given}`);
      }
      return { json: await runtime.try({
        sql, rows: rows ?? null, every_ms: timeOf(every, "every", day_ms),
        for_ms: timeOf(time, "for", limits.try_ms_max), limit,
      }) };
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
