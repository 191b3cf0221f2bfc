import { z } from "zod";
import { Fault, limits } from "../base.ts";
import type { WriteAnswer } from "../runtime.ts";
import type { Route } from "./route.ts";

const status: Readonly<Record<WriteAnswer["outcome"], number>> = {
  verified: 200, acknowledged: 200, refused: 409, rejected: 502, unknown: 504,
};

/** Only described here: the gate reads the body itself, and its refusals are audited. */
const writeBody = z.object({
  id: z.string().describe("Names this command for ever: a second one with the same id is refused"),
  tag: z.string().describe("device.tag"),
  value: z.union([z.number(), z.boolean()])
    .describe("In engineering units; of a bool true or false, or 1 or 0"),
  unit: z.string().optional().describe("If given, it must be the tag's engineering unit"),
  within: z.string().optional().describe('It may not leave later than this after arrival: "5s"'),
  deadline: z.union([z.string(), z.number()]).optional()
    .describe("Instead of within: a time of day, ISO 8601 with zone or ms since the epoch"),
});

const proofBody = z.strictObject({
  tag: z.string(),
  value: z.union([z.number(), z.boolean()]).optional()
    .describe("Of a broadcast, which cannot be read: whose frame is shown"),
});
const armBody = z.strictObject({
  tag: z.string(), for_ms: z.number().positive(), by: z.string().min(1), proof: z.string(),
});
const proveBody = z.strictObject({
  id: z.string().min(1).max(128).describe("Names this proof for ever, as that of a write"),
  tag: z.string(), by: z.string().min(1),
  proof: z.string().describe("The hash that `POST /proof` gave"),
});
const pruneBody = z.strictObject({ before: z.number().nonnegative(), by: z.string().min(1) });
const disarmBody = z.strictObject({ by: z.string().min(1), clear: z.boolean().optional() });

function numberOf(query: URLSearchParams, name: string): number | null {
  const given = query.get(name);
  if (given === null) return null;
  const number = Number(given);
  if (given.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw new Fault("query", `${name} is a number, not "${given}"`);
}

export const writingRoutes: readonly Route[] = [
  {
    method: "POST", path: "/write", access: "token", body: writeBody,
    summary: "Write a setpoint through the gate; the answer is the outcome",
    answers: "verified or acknowledged; 409 refused with its code; 502 rejected by the device; " +
      "504 unknown",
    async handle({ runtime, body, local, from }) {
      const origin = local ? "cli" : "rest";
      const answer = await runtime.write({ origin, by: local ? "socket" : "token", from, body });
      return { status: status[answer.outcome], json: answer };
    },
    // W21: these refusals stand in the audit too.
    async refused({ runtime, local, from }, { code, message }) {
      const authenticated = code !== "not-authenticated";
      const authorised = code !== "not-authorised";
      if (authenticated && authorised && code !== "body") return;
      const by = local ? "socket" : code === "body" ? "token" : "a stranger";
      await runtime.write({
        origin: local ? "cli" : "rest", by, from, body: undefined, problem: message,
        authenticated, authorised,
      });
    },
  },
  {
    method: "POST", path: "/proof", access: "socket", body: proofBody,
    summary: "Read a tag and show its raw words in every byte order, before arming",
    answers: "Raw words, values, and the hash that `arm` wants; of a broadcast the frame of " +
      "`value`, and whom it reaches",
    async handle({ runtime, body }) {
      const { tag, value } = proofBody.parse(body);
      return { json: await runtime.proof(tag, value === undefined ? null : Number(value)) };
    },
  },
  {
    method: "POST", path: "/arm", access: "socket", body: armBody,
    summary: "Arm a tag for a while",
    answers: "Number of the arming and when it ends",
    async handle({ runtime, body }) {
      return { json: await runtime.arm(armBody.parse(body)) };
    },
  },
  {
    method: "POST", path: "/prove", access: "socket", body: proveBody,
    summary: "Write a tag's present value back unchanged, armed for that one frame, and read it",
    answers: "As of a write: the outcome",
    async handle({ runtime, body }) {
      const answer = await runtime.prove(proveBody.parse(body));
      return { status: status[answer.outcome], json: answer };
    },
  },
  {
    method: "GET", path: "/proofs", access: "read",
    summary: "Of each tag the newest proof by writing: who, when, outcome",
    answers: "A list; `present` says whether the tag still lies where it was proved",
    async handle({ runtime }) {
      return { json: await runtime.proved() };
    },
  },
  {
    method: "POST", path: "/disarm", access: "anyone", always: true, body: disarmBody,
    summary: "Stop all writing, now and over restarts; `clear` (unix socket only) lifts it",
    answers: "Once no admitted command can still leave; `trouble` says why the latch would not " +
      "outlast a restart",
    async handle({ runtime, body, local, from }) {
      const { by, clear } = disarmBody.parse(body);
      if (clear === true && !local) {
        throw new Fault("not-authorised",
          "The latch is lifted only over the unix socket on the box");
      }
      const origin = local ? "cli" : "rest";
      return { json: await runtime.disarm(
        { by, origin, from, ...(clear === true ? { clear } : {}) }) };
    },
  },
  {
    method: "POST", path: "/audit/prune", access: "socket", body: pruneBody,
    summary: "Delete rows of the audit from before a time, today's excepted",
    answers: "How many, and whether that was all: it stops after two seconds, ask again",
    async handle({ runtime, body }) {
      return { json: await runtime.prune(pruneBody.parse(body)) };
    },
  },
  {
    method: "GET", path: "/audit", access: "read",
    summary: "What was asked of the gate, decided, sent and answered",
    query: {
      tag: "device.tag", since: "ms since the epoch",
      limit: `rows at most (100; no more than ${limits.audit_rows_max})`,
    },
    answers: "Rows, newest first",
    async handle({ runtime, query }) {
      const tag = query.get("tag");
      const since = numberOf(query, "since");
      return { json: await runtime.audit({
        limit: Math.min(limits.audit_rows_max, numberOf(query, "limit") ?? 100),
        ...(tag === null ? {} : { tag }),
        ...(since === null ? {} : { since }),
      }) };
    },
  },
];
