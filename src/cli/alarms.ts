import { duration } from "../base.ts";
import type { AlarmView } from "../runtime.ts";
import { Client, clientHelp, clientOptions } from "./client.ts";
import { table } from "./table.ts";
import { text, Usage, word, type Args, type Verb } from "./verb.ts";

const options = { ...clientOptions, by: { type: "string" } } as const;

export const alarmsVerb: Verb = {
  name: "alarms",
  usage: "alarms",
  words: 0,
  summary: "every alarm of the rules and its state",
  help: clientHelp,
  options: clientOptions,
  async run(args) {
    show(args, (await new Client(args).get("/alarms")) as AlarmView[]);
    return 0;
  },
};

export const ackVerb: Verb = {
  name: "ack",
  usage: "ack NAME[.KEY] --by WHO",
  words: 1,
  summary: "acknowledge an alarm",
  help: `${clientHelp}
      --by WHO        it stands in the audit`,
  options,
  async run(args) {
    show(args, [await operate(args, "ack", {})]);
    return 0;
  },
};

export const shelveVerb: Verb = {
  name: "shelve",
  usage: "shelve NAME[.KEY] --by WHO [--for 1h]",
  words: 1,
  summary: "put an alarm on the shelf for a while; --for 0s takes it off",
  help: `${clientHelp}
      --by WHO        it stands in the audit
      --for TIME      how long (default 1h); 0s takes it off`,
  options: { ...options, for: { type: "string" } },
  async run(args) {
    const for_ms = duration(text(args, "for") ?? "1h");
    if (for_ms === null) throw new Usage("--for wants a time with a unit, as 1h");
    show(args, [await operate(args, "shelve", { for_ms })]);
    return 0;
  },
};

async function operate(args: Args, act: "ack" | "shelve", body: object): Promise<AlarmView> {
  const alarm = word(args, 0, "NAME");
  const by = text(args, "by");
  if (by === null || by === "") throw new Usage("--by WHO is missing");
  const path = `/alarms/${encodeURIComponent(alarm)}/${act}`;
  return (await new Client(args).post(path, { by, ...body })) as AlarmView;
}

function show(args: Args, alarms: readonly AlarmView[]): void {
  if (args.options["json"]) {
    console.log(JSON.stringify(alarms, null, 2));
    return;
  }
  const time = (ms: number | null): string | null =>
    ms === null || ms === 0 ? null : new Date(ms).toISOString();
  console.log(table([
    ["ALARM", "STATE", "SINCE", "SHELVED UNTIL", "RULE"],
    ...alarms.map(({ alarm, state, since, shelvedUntil, rule }) =>
      [alarm, state, time(since), time(shelvedUntil), rule]),
  ]));
}
