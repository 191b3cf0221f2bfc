import { duration, formatDuration } from "../base.ts";
import type { WriteAnswer } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { text, Usage, word, type Verb } from "./verb.ts";

const bools = new Map([["true", true], ["false", false]]);
const decimal = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

export const writeVerb: Verb = {
  name: "write",
  usage: "write TAG VALUE",
  words: 2,
  summary: "one setpoint through the gate; prints the outcome",
  help: `
The gate decides: policy, limits, arming, permit; docs/writing.md has every code.${clientHelp}
      --text          VALUE is a text, also if it looks like a number
      --id TEXT       name of the command (default: made up)
      --within TIME   it may not leave later than this (default 5s)`,
  options: {
    ...clientOptions, text: { type: "boolean" }, id: { type: "string" }, within: { type: "string" },
  },
  async run(args) {
    const tag = word(args, 0, "TAG");
    const given = word(args, 1, "VALUE");
    const value = args.options["text"] === true ? given : numberOrBool(given, "VALUE");
    const within = duration(text(args, "within") ?? "5s");
    if (within === null) throw new Usage("--within wants a time with a unit, as 5s");
    const id = text(args, "id") ?? `cli-${crypto.randomUUID()}`;
    const body = { id, tag, value, within: formatDuration(within) };
    const answer = (await new Client(args).post("/write", body)) as WriteAnswer;
    console.log(args.options["json"] ? JSON.stringify(answer, null, 2) : answer.text);
    return answer.outcome === "verified" || answer.outcome === "acknowledged" ? 0 : 1;
  },
};

/** Number() takes "" and blanks for 0: an empty shell variable is no setpoint. */
export function numberOrBool(given: string, name: "VALUE" | "--value"): number | boolean {
  const value = decimal.test(given) ? Number(given) : bools.get(given) ?? NaN;
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  throw new Usage(`${name} is a number as 42.5, or true or false, not "${given}"` +
    (name === "VALUE" ? "; a text is sent with --text" : ""));
}
