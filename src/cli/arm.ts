import { createInterface } from "node:readline/promises";
import { duration, limits } from "../base.ts";
import type { BroadcastView, ProofView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { show, table } from "./table.ts";
import { text, Usage, word, type Args, type Verb } from "./verb.ts";
import { numberOrBool } from "./write.ts";

function proofText(proof: ProofView): string {
  if (proof.broadcast !== null) return broadcastText(proof, proof.broadcast);
  const orders = Object.entries(proof.orders);
  return [
    `${proof.tag} at ${proof.peer} reads ${show(proof.value)} ${proof.eu ?? ""}`.trimEnd(),
    `raw words ${proof.raw}`,
    ...orders.length === 0 ? [] : [table([["ORDER", "VALUE"],
      ...orders.map(([order, value]) => [order, show(value)])])],
  ].join("\n");
}

/** All that can be known before a write that nobody answers. */
function broadcastText({ tag, peer, eu }: ProofView, view: BroadcastView): string {
  const { at, type, means, frame, stations, reaches } = view;
  const known = stations.map(({ station, devices }) => `${station} (${devices.join(", ")})`);
  const shown = reaches.map((one) => [one.tag, one.station, one.quality === "good"
    ? `${show(one.value)} ${one.eu ?? ""}`.trimEnd() : one.quality] as const);
  return [
    `${tag} is a broadcast on ${peer}: ${at}, ${type}, of every station at once; none answers`,
    `${show(means)} ${eu ?? ""}`.trimEnd() + ` would leave as ${frame}`,
    `stations of this bus that are configured: ${known.join(", ") || "none"}`,
    ...reaches.length === 0 ? ["none of their tags lies there"]
      : [table([["TAG", "STATION", "READS NOW"], ...shown])],
    "whoever else is on this bus may obey too",
  ].join("\n");
}

/** Shows what a tag reads, and asks; its hash, or null: that is not what the machine shows. */
export async function shownProof(client: Client, args: Args, tag: string): Promise<string | null> {
  const given = text(args, "value");
  const value = given === null ? {} : { value: numberOrBool(given, "--value") };
  const proof = (await client.post("/proof", { tag, ...value })) as ProofView;
  if (given !== null && proof.broadcast === null) {
    throw new Usage(`--value is for a broadcast, which cannot be read; ${tag} can`);
  }
  console.log(proofText(proof));
  const question = proof.broadcast === null ? "Is this what the machine shows?"
    : "May all of them be written so?";
  const agreed = args.options["yes"] === true || await agrees(question);
  return agreed ? proof.hash : null;
}

async function agrees(question: string): Promise<boolean> {
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  const answer = await terminal.question(`${question} [yes/no] `);
  terminal.close();
  return answer.trim().toLowerCase() === "yes";
}

export const armVerb: Verb = {
  name: "arm",
  usage: "arm TAG --for TIME --by NAME",
  words: 1,
  summary: "let writes to a tag leave, for a while",
  help: `Reads the tag first and shows its raw words, the value in each byte order and the value as
configured: compare it with the machine's own display before you say yes.${clientHelp}
      --for TIME      how long, at most ${limits.arm_minutes_max}m
      --by NAME       who takes responsibility; it stands in the audit
      --value V       of a broadcast, which cannot be read: shows the frame that V would be
      --yes           do not ask (for a machine that is only simulated)`,
  options: {
    ...clientOptions, for: { type: "string" }, by: { type: "string" }, value: { type: "string" },
    yes: { type: "boolean" },
  },
  async run(args) {
    const tag = word(args, 0, "TAG");
    const for_ms = duration(text(args, "for") ?? "");
    const by = text(args, "by");
    if (for_ms === null) throw new Usage("--for wants a time with a unit, as 60m");
    if (by === null || by === "") throw new Usage("--by NAME is missing");
    if (for_ms > limits.arm_minutes_max * 60_000) {
      throw new Usage(`an arming lasts at most ${limits.arm_minutes_max}m`);
    }
    const client = new Client(args);
    const proof = await shownProof(client, args, tag);
    if (proof === null) {
      console.log("not armed");
      return 1;
    }
    const armed = (await client.post("/arm", { tag, for_ms, by, proof })) as {
      number: number; until: number;
    };
    console.log(
      `${tag} is armed until ${new Date(armed.until).toISOString()} (arming ${armed.number})`);
    return 0;
  },
};
