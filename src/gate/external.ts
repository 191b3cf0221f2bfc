import { duration, nearest } from "../base.ts";
import { refuse, type Refusal } from "./codes.ts";
import type { Command } from "./command.ts";

/** What the transport knows of a command from outside (W17). */
export interface Arrival {
  readonly origin: "rest" | "mqtt" | "cli";
  /** Token name, topic, user of the socket. */
  readonly by: string;
  /** Address the request came from. */
  readonly from: string;
  readonly authenticated: boolean;
  readonly authorised: boolean;
  readonly retained: boolean;
  /** The transport says that this is a repetition. */
  readonly duplicate: boolean;
  /** `new` the first time that an id is claimed, for ever (the audit's `claim`). */
  claim(id: string): "new" | "known" | "unknown";
  /** Monotonic ms and engine time of arrival. */
  readonly now: number;
  readonly time: number;
}

const keys = ["id", "tag", "value", "unit", "deadline", "within"];
/** Longest id, tag or unit that is taken: they stand in each audit row. */
const command_text_max = 128;

/**
 * Reads `{"id", "tag", "value", "unit"?, "deadline" | "within"}`. `deadline` is a time of day:
 * text by ISO 8601 with zone, or milliseconds since the epoch. `within` counts from arrival
 * (`"2s"`): not on MQTT, where a broker may have held the message for hours. What is missing is
 * left to the gate to refuse, in its order; only what cannot be read at all is refused here.
 */
export function parseCommand(body: unknown, arrival: Arrival): Command | Refusal {
  const fields = asObject(body);
  if (typeof fields === "string") return refuse("malformed", { problem: fields });
  const when = deadlineOf(fields, arrival);
  if (typeof when === "string") return refuse("malformed", { problem: when });
  const texts = ["id", "tag", "unit"].map((key) => textOf(fields, key));
  const wrong = texts.find((text) => text.problem !== null);
  if (wrong !== undefined) return refuse("malformed", { problem: wrong.problem });
  const [id, tag, unit] = texts.map((text) => text.value);
  if (!tag) return refuse("malformed", { problem: "tag is missing" });
  if (!("value" in fields)) return refuse("malformed", { problem: "value is missing" });
  const { origin, by, from, authenticated, authorised, retained, duplicate, now } = arrival;
  // An id is used up by whoever proved who they are; a stranger cannot spend somebody else's.
  const claim = !id || !authenticated || retained ? "new" : arrival.claim(id);
  return {
    id: id ?? "", origin, by, from, tag, value: plain(fields["value"]), unit: unit ?? null,
    authenticated, authorised, inputs: null, row: null, ...when, receivedAt: now, retained,
    seen: duplicate || claim === "known", ...(claim === "unknown" ? { idUnknown: true } : {}),
  };
}

/** The id of a message that is no command otherwise, so that its sender can match the answer. */
export function legibleId(body: unknown): string | null {
  const fields = asFields(body);
  return fields === null ? null : textOf(fields, "id").value || null;
}

function asFields(body: unknown): Record<string, unknown> | null {
  return typeof body !== "object" || body === null || Array.isArray(body)
    ? null : body as Record<string, unknown>;
}

function asObject(body: unknown): Record<string, unknown> | string {
  const fields = asFields(body);
  if (fields === null) return "it is not a JSON object";
  for (const key of Object.keys(fields)) {
    if (keys.includes(key)) continue;
    const near = nearest(key, keys);
    return `unknown key ${key.slice(0, command_text_max)}` + (near ? `, is it ${near}?` : "");
  }
  return fields;
}

function textOf(
  fields: Record<string, unknown>, key: string,
): { value: string | undefined; problem: string | null } {
  const value = fields[key];
  if (value === undefined) return { value, problem: null };
  if (typeof value !== "string") return { value: undefined, problem: `${key} is not a text` };
  if (value.length <= command_text_max) return { value, problem: null };
  return { value: undefined, problem: `${key} is longer than ${command_text_max} characters` };
}

/** No tag takes a list or an object: what was in it is not carried through threads and records. */
function plain(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Array.isArray(value) ? [] : {};
}

type Deadline = Pick<Command, "notAfter" | "byWallClock">;

function deadlineOf(fields: Record<string, unknown>, arrival: Arrival): Deadline | string {
  const { deadline, within } = fields;
  if (deadline !== undefined && within !== undefined) return "deadline and within exclude another";
  if (within !== undefined) {
    if (arrival.origin === "mqtt") return "within means nothing on MQTT, give a deadline";
    const ms = typeof within === "string" ? duration(within) : null;
    if (ms === null) return "within is not a duration such as \"2s\"";
    return { notAfter: arrival.now + ms, byWallClock: false };
  }
  if (deadline === undefined) return { notAfter: Infinity, byWallClock: false };
  const time = timeOf(deadline);
  if (time === null) return "deadline is neither an ISO 8601 time with zone nor ms since 1970";
  return { notAfter: arrival.now + (time - arrival.time), byWallClock: true };
}

/** A time without zone would mean something else on the next machine, so the zone is mandatory. */
const iso = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)$/;

function timeOf(deadline: unknown): number | null {
  if (typeof deadline === "number") return Number.isFinite(deadline) ? deadline : null;
  if (typeof deadline !== "string" || !iso.test(deadline)) return null;
  const time = Date.parse(deadline);
  return Number.isNaN(time) ? null : time;
}
