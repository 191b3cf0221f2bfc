import { z } from "zod";
import { limits } from "../base.ts";
import type { Route } from "./route.ts";

const by = z.string().min(1).max(64).describe("Who; it stands in the audit");
const ackBody = z.strictObject({ by });
const shelveBody = z.strictObject({
  by,
  for_ms: z.number().min(0).max(limits.shelve_ms_max)
    .describe("So long; 0 takes it off the shelf"),
});

export const alarmRoutes: readonly Route[] = [
  {
    method: "GET", path: "/alarms", access: "read",
    summary: "Every alarm of the rules, each key by itself",
    answers: "A list: name, rule, state (ISA-18.2), since when",
    async handle({ runtime }) {
      return { json: await runtime.alarms() };
    },
  },
  {
    method: "POST", path: "/alarms/{id}/ack", access: "token", body: ackBody,
    summary: "Acknowledge an alarm, NAME or NAME.KEY",
    answers: "The alarm; 404 if there is none of this name, 409 if it has nothing to acknowledge",
    async handle({ runtime, params, body, local, from }) {
      return { json: await runtime.operate({
        ...ackBody.parse(body), alarm: params["id"]!, act: "ack", for_ms: 0,
        origin: local ? "cli" : "rest", from,
      }) };
    },
  },
  {
    method: "POST", path: "/alarms/{id}/shelve", access: "token", body: shelveBody,
    summary: "Put an alarm on the shelf for a while, or take it off",
    answers: "The alarm; 404 if there is none of this name",
    async handle({ runtime, params, body, local, from }) {
      const { by, for_ms } = shelveBody.parse(body);
      return { json: await runtime.operate({
        by, for_ms, alarm: params["id"]!, act: for_ms > 0 ? "shelve" : "unshelve",
        origin: local ? "cli" : "rest", from,
      }) };
    },
  },
];
