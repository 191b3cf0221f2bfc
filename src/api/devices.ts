import { z } from "zod";
import { duration, Fault, limits } from "../base.ts";
import type { Route } from "./route.ts";

const byBody = z.strictObject({ by: z.string().min(1) });
const forceBody = z.strictObject({
  value: z.union([z.number(), z.boolean(), z.string()]),
  for: z.string().describe(`How long, at most ${limits.force_minutes_max} minutes: "10m"`),
  by: z.string().min(1),
});

function forceTime(text: string): number {
  const ms = duration(text);
  if (ms !== null && ms > 0 && ms <= limits.force_minutes_max * 60_000) return ms;
  throw new Fault("body", `for: a time of at most ${limits.force_minutes_max} minutes, such as ` +
    `"10m", not "${text}"`);
}

function attention(kind: "disable" | "enable", summary: string, answers: string): Route {
  return {
    method: "POST", path: `/devices/{name}/${kind}`, access: "token", body: byBody, summary,
    answers,
    async handle({ runtime, params, body }) {
      await runtime.override({ kind, device: params["name"]!, by: byBody.parse(body).by });
      return { json: {} };
    },
  };
}

export const deviceRoutes: readonly Route[] = [
  {
    method: "GET", path: "/devices", access: "read",
    summary: "Every device with its tags, newest values, qualities and ages",
    answers: "A list",
    async handle({ runtime }) {
      return { json: await runtime.devices() };
    },
  },
  {
    method: "GET", path: "/devices/{name}", access: "read",
    summary: "One device",
    answers: "The device; 404 if there is none of this name",
    async handle({ runtime, params }) {
      return { json: await runtime.device(params["name"]!) };
    },
  },
  {
    method: "GET", path: "/tags/{id}", access: "read",
    summary: "Newest value of one tag, by device.tag",
    answers: "Value, quality, time and age",
    async handle({ runtime, params }) {
      return { json: await runtime.tag(params["id"]!) };
    },
  },
  attention("disable",
    "Leave a device alone: it is asked nothing and sent nothing until somebody enables it",
    "Nothing more; its tags are bad:disabled, and disarmed"),
  attention("enable", "Ask a device again that was disabled", "Nothing more"),
  {
    method: "POST", path: "/tags/{id}/force", access: "token", body: forceBody,
    summary: "Put a value in the place of what the device says, for a while; it writes nothing",
    answers: "Nothing more; the quality is uncertain:forced, which reaches no machine",
    async handle({ runtime, params, body }) {
      const { value, for: time, by } = forceBody.parse(body);
      await runtime.override({
        kind: "force", tag: params["id"]!, value, for_ms: forceTime(time), by,
      });
      return { json: {} };
    },
  },
  {
    method: "POST", path: "/tags/{id}/unforce", access: "token", body: byBody,
    summary: "Show again what the device says",
    answers: "Nothing more",
    async handle({ runtime, params, body }) {
      await runtime.override({ kind: "unforce", tag: params["id"]!, by: byBody.parse(body).by });
      return { json: {} };
    },
  },
  {
    method: "GET", path: "/tags/{id}/why", access: "read",
    summary: "Why a tag has the value and quality it has, from device to gate",
    answers: "Link, last frame, reason, rules that read it, the gate's last decision, hashes",
    async handle({ runtime, params }) {
      return { json: await runtime.why(params["id"]!) };
    },
  },
];
