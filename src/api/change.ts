import { z } from "zod";
import { duration, Fault, limits } from "../base.ts";
import type { ConfigTexts } from "../runtime.ts";
import type { Route } from "./route.ts";

/** A configuration as JSON text: what is escaped takes two. From the network less is taken. */
const document_bytes_max = 2 * limits.config_bytes_max;

const document = z.union([z.string(), z.record(z.string(), z.unknown())]);

const planBody = z.strictObject({
  config: document.describe("The whole configuration, as text or as an object"),
  policy: document.optional().describe("The write policy, if the configuration names a file"),
  name: z.string().optional().describe("What problems call the file"),
});
const applyBody = planBody.extend({
  by: z.string().min(1),
  confirm: z.string().optional()
    .describe('It is taken back after so long unless /confirm comes: "5m"'),
});
const confirmBody = z.strictObject({ by: z.string().min(1), back: z.boolean().optional() });

/** A text is taken to the letter, comments and all: it becomes the file. */
function textsOf({ config, policy }: z.output<typeof planBody>): ConfigTexts {
  const text = (given: z.output<typeof document>): string =>
    (typeof given === "string" ? given : `${JSON.stringify(given, null, 2)}\n`);
  return { config: text(config), policy: policy === undefined ? "" : text(policy) };
}

function confirmMs(given: string | undefined): number | null {
  if (given === undefined) return null;
  const ms = duration(given);
  if (ms !== null && ms >= 1000 && ms <= 86_400_000) return ms;
  throw new Fault("body", `confirm is a time from 1s to 1d, such as "5m", not "${given}"`);
}

export const changeRoutes: readonly Route[] = [
  {
    method: "POST", path: "/plan", access: "token", body: planBody,
    body_bytes_max: document_bytes_max,
    summary: "What another configuration would do to what runs; nothing is changed",
    answers: "What begins, ends and restarts, gaps, state that is lost, tags that are disarmed, " +
      "load and memory; 409 with its problems if it is wrong",
    async handle({ runtime, body }) {
      const parsed = planBody.parse(body);
      return { json: await runtime.plan({ texts: textsOf(parsed), name: parsed.name ?? null }) };
    },
  },
  {
    method: "POST", path: "/apply", access: "token", body: applyBody,
    body_bytes_max: document_bytes_max,
    summary: "Change to another configuration while everything that it does not touch goes on",
    answers: "The plan, and until when it waits for a confirmation; 409 if it is wrong or needs " +
      "a restart: then nothing has changed",
    async handle({ runtime, body }) {
      const { by, confirm, ...rest } = applyBody.parse(body);
      return { json: await runtime.apply({
        texts: textsOf(rest), name: rest.name ?? null, by, confirm_ms: confirmMs(confirm),
      }) };
    },
  },
  {
    method: "POST", path: "/confirm", access: "token", body: confirmBody,
    summary: "An applied change stays; `back` takes it back now",
    answers: "Once it is so",
    async handle({ runtime, body }) {
      const { by, back } = confirmBody.parse(body);
      await runtime.confirm({ by, ...(back === true ? { back } : {}) });
      return { json: { confirmed: back !== true } };
    },
  },
];
